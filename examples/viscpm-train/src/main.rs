//! Trains VisCPM-Chat and VisCPM-Paint from a recipe.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use mpm_core::backend::BackendKind;
use mpm_train::{Outcome, recipe::Recipe};
use viscpm_common::cli::{BoxError, Interrupt, failure, note, show};
use viscpm_train::{DryRun, Finished, TrainJob, TrainOptions};

/// The CPU backend allocates each tensor anew, and the system's allocator hands
/// large ones back to the kernel every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Train VisCPM-Chat or VisCPM-Paint from a recipe.
#[derive(Parser)]
#[command(version)]
struct Program {
    /// The recipe, TOML or JSON: see docs/recipes.md.
    #[arg(long)]
    recipe: PathBuf,

    /// The folder of the run: checkpoints, metrics and the trained model.
    #[arg(long)]
    run: PathBuf,

    /// Go on from the newest checkpoint.
    #[arg(long)]
    resume: bool,

    /// Train nothing: print the parameters, the memory that it takes and the first batch.
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, default_value = "flex")]
    backend: BackendKind,

    /// Gigabytes that there are for the model; on the CPU those of the machine.
    #[arg(long)]
    memory: Option<f64>,

    /// Devices of this machine that train together.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    devices: u16,
}

fn main() -> ExitCode {
    viscpm_common::keep_freed_memory();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    match run(Program::parse()) {
        Ok(code) => code,
        Err(error) => failure::fail(error),
    }
}

fn run(program: Program) -> Result<ExitCode, BoxError> {
    let recipe = Recipe::open(&program.recipe)?;
    let folder = program.run.clone();
    let options = TrainOptions {
        memory: program.memory(),
        devices: program.devices.into(),
        folder: folder.clone(),
        resume: program.resume,
        dry_run: program.dry_run,
        interrupt: Some(Interrupt::install()?),
    };
    match program.backend.run(TrainJob { recipe, options })?? {
        Finished::DryRun(report) => print(&report, &folder),
        Finished::Trained {
            outcome: Outcome::Cancelled,
            step,
        } => {
            note(&format!("stopped after step {step}; --resume goes on\n"));
            Ok(ExitCode::from(failure::INTERRUPTED))
        }
        Finished::Trained { outcome, step } => {
            if outcome == Outcome::DataEnded {
                note(&format!("the data ended after step {step}\n"));
            }
            let model = folder.join(viscpm_train::MODEL_FOLDER);
            show(&format!("{}\n", model.display()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Shows what a run would do.
fn print(report: &DryRun, folder: &Path) -> Result<ExitCode, BoxError> {
    fs::create_dir_all(folder)?;
    let sheet = folder.join("first-batch.png");
    let mut text = format!("{}\n\n{}\n\n", report.parameters, report.memory);
    for (row, words) in report.batch.texts.iter().enumerate() {
        text.push_str(&format!("[{row}] {words}\n"));
    }
    if report.write_pictures(&sheet)? {
        text.push_str(&format!("\npictures: {}\n", sheet.display()));
    }
    show(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl Program {
    /// Bytes that there are for the model.
    fn memory(&self) -> Option<u64> {
        const GIGABYTE: f64 = 1e9;
        match (self.memory, self.backend) {
            (Some(gigabytes), _) => Some((gigabytes * GIGABYTE) as u64),
            (None, BackendKind::Flex) => {
                let mut system = sysinfo::System::new();
                system.refresh_memory();
                Some(system.available_memory())
            }
            // What a GPU has left cannot be asked of it in a portable way.
            _ => None,
        }
    }
}
