//! The command line: arguments, what they ask for, loading, and painting.

mod args;
mod bar;
mod files;
mod load;
mod repeat;
mod report;
mod run;
mod size;
mod task;

use std::{fs, path::Path, process::ExitCode};

use clap::{CommandFactory, error::ErrorKind};
use mpm_core::{MpmBackend, backend::BackendTask};
use viscpm_common::cli::{BoxError, DtypeArg, lines::Lines, note};
use viscpm_paint::ModelFiles;

pub use args::Args;
pub use viscpm_common::cli::failure::fail;

use self::{
    files::probe,
    load::Loader,
    repeat::{Circumstances, Repeat},
    run::{Entry, Run},
    task::{Planner, Task},
};

/// Paints on the chosen backend.
pub fn run(args: Args) -> Result<ExitCode, BoxError> {
    let backend = args.model.backend;
    backend.run(Paint(args))?
}

struct Paint(Args);

impl BackendTask for Paint {
    type Output = Result<ExitCode, BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let args = self.0;
        // Mistakes come to light before the weights are read, which may take long.
        let repeat = args.files.from_png.as_deref();
        let repeat = repeat.map(Repeat::open).transpose()?;
        let then = repeat.as_ref().and_then(Repeat::prediction);
        let (files, model) = load::find(&args.model, then)?;
        if let (ModelFiles::StableDiffusion(_), Some(_)) = (&files, args.model.memory_limit) {
            return Err(usage(
                "--memory-limit is for the language model of VisCPM-Paint; the text encoder of \
                 Stable Diffusion is small, and --low-memory forgets it before the rest is loaded"
                    .to_owned(),
            ));
        }
        let entries = entries(&args, &files, repeat.as_ref())?;

        let then = repeat.as_ref().and_then(Repeat::dtype);
        let now = Circumstances {
            model,
            backend: args.model.backend.to_string(),
            dtype: args.model.dtype.or(then).unwrap_or(DtypeArg::Stored),
            prediction: files.settings().scheduler.prediction_type,
            quantization: args
                .model
                .quantize
                .or_else(|| repeat.as_ref().and_then(Repeat::quantization)),
        };
        if let Some(repeat) = &repeat {
            repeat.warn(&now);
        }
        let run = Run {
            force: args.files.force,
            json: args.files.json || args.files.batch.is_some(),
            low_memory: args.model.low_memory || args.model.memory_limit.is_some(),
            circumstances: &now,
        };
        let loader = Loader::<B> {
            files: &files,
            dtype: now.dtype,
            quantization: now.quantization,
            memory_limit: args.model.memory_limit.map(|limit| limit.as_u64()),
            checks: &args.checks,
            device: &device,
        };
        run.all(entries, &loader)
    }
}

/// All that is to be painted, checked as far as that goes without weights.
fn entries(
    args: &Args,
    model: &ModelFiles,
    repeat: Option<&Repeat>,
) -> Result<Vec<Entry>, BoxError> {
    let prompts = model.prompt_limit()?;
    let planner = Planner {
        args,
        settings: model.settings(),
        prompts: prompts.as_ref(),
    };
    let entries = match (&args.files.batch, &args.files.out_dir) {
        (Some(batch), Some(folder)) => lines(&planner, batch, folder)?,
        _ => vec![Entry {
            line: None,
            task: Ok(task(&planner, repeat)?),
        }],
    };
    let tasks = || entries.iter().filter_map(|entry| entry.task.as_ref().ok());
    // All files lie in one folder.
    if let Some(path) = tasks().find_map(|task| task.output.paths().first()) {
        let bytes = tasks().fold(0, |sum: u64, task| sum.saturating_add(task.bytes));
        probe(path, bytes)?;
    }
    if let (None, [Entry { task: Ok(task), .. }]) = (repeat, entries.as_slice())
        && args.files.batch.is_none()
        && args.settings.seed.is_none()
        && !args.files.json
    {
        note(&format!("seed {}\n", task.job.request.seed));
    }
    Ok(entries)
}

/// The lines of a batch.
fn lines(planner: &Planner<'_>, batch: &Path, folder: &Path) -> Result<Vec<Entry>, BoxError> {
    let mut lines = Lines::open(batch)?;
    if !folder.is_dir() {
        let named = |error| format!("{}: the folder cannot be made: {error}", folder.display());
        fs::create_dir(folder).map_err(named)?;
    }
    let mut entries = Vec::new();
    while let Some((number, line)) = lines.next_line()? {
        entries.push(Entry {
            line: Some(number),
            task: planner.line(number, line, folder),
        });
    }
    Ok(entries)
}

/// The task of the command line.
fn task(planner: &Planner<'_>, repeat: Option<&Repeat>) -> Result<Task, BoxError> {
    // The arguments' parser sees to it that there is one.
    let out = planner.args.files.out.as_deref();
    let out = out.ok_or("name a file with --out")?;
    if out
        .extension()
        .is_none_or(|extension| !extension.eq_ignore_ascii_case("png"))
    {
        let reason = "pictures are written as PNG; let its name end in .png";
        return Err(usage(format!("--out {}: {reason}", out.display())));
    }
    match repeat {
        Some(repeat) => planner.again(repeat, out),
        None => planner.single(out),
    }
}

/// A mistake in the arguments that only the model's configuration brings to light.
fn usage(reason: String) -> BoxError {
    Args::command()
        .error(ErrorKind::ValueValidation, reason)
        .into()
}
