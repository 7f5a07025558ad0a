//! The experiments of the paper in miniature: does what is learnt from English pictures and texts
//! carry over to other languages, and why?
//!
//! Each command goes on where it was interrupted, and writes its figures as JSON and as plots.
//! `docs/results/README.md` says what comes out.

mod alignment;
mod cutout;
mod figures;
mod lab;
mod measure;
mod outside;
mod paint;
mod pairs;
mod plot;
mod settings;
mod transfer;
mod translate;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use emoji_training::BoxError;
use mpm_core::{
    MpmBackend,
    backend::{BackendKind, BackendTask},
};
use mpm_data::emoji::EmojiSet;
use viscpm_common::cli::failure::fail;

use crate::{lab::Lab, settings::Settings};

/// The CPU backend allocates each tensor anew, and the system's allocator hands
/// large ones back to the kernel every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where models are kept, unless the user says where.
const MODELS: &str = "runs/experiments";

/// Where the published figures are.
const RESULTS: &str = "docs/results";

/// Repeat the experiments of the MPM paper with small models on the emoji picture-text set.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    experiment: Experiment,

    /// All settings (JSON), which need a --run and a --results of their own; without it those of
    /// the published figures.
    #[arg(long, global = true)]
    settings: Option<PathBuf>,

    /// The folder of models and checkpoints [default: runs/experiments].
    #[arg(long, global = true)]
    run: Option<PathBuf>,

    /// The folder of figures and plots [default: docs/results].
    #[arg(long, global = true)]
    results: Option<PathBuf>,

    /// The packed set, see docs/emoji-set.md.
    #[arg(
        long,
        global = true,
        default_value = "examples/build-emoji-set/emoji.tar.zst"
    )]
    emoji: PathBuf,

    /// Where to compute: flex (CPU), cuda, wgpu, vulkan or metal, as far as compiled in.
    #[arg(long, global = true, default_value = "flex")]
    backend: BackendKind,
}

#[derive(Clone, Debug, Subcommand)]
enum Experiment {
    /// Visual pretraining in English: how well is a picture named in the other languages, beside
    /// training in each of them?
    Transfer,
    /// Instruction tuning in English and with k translated pairs: in which language are questions
    /// answered, and how well?
    Pairs,
    /// Transfer with a language model whose languages never met, and the alignment of both.
    Alignment,
    /// A painter that learns from English prompts: what does it paint from those in other
    /// languages?
    Paint,
    /// Pictures from outside of the set, which you download: how many are named right?
    Outside(outside::Collection),
}

fn main() -> ExitCode {
    viscpm_common::keep_freed_memory();
    run(Args::parse()).map_or_else(fail, |()| ExitCode::SUCCESS)
}

fn run(args: Args) -> Result<(), BoxError> {
    if args.settings.is_some() && (args.run.is_none() || args.results.is_none()) {
        return Err(
            "models and figures of other settings would mix with the published ones; name folders \
             for them with --run and --results"
                .into(),
        );
    }
    let settings = Settings::read(args.settings.as_deref())?;
    let results = args.results.unwrap_or_else(|| RESULTS.into());
    std::fs::create_dir_all(&results)?;
    // Samples borrow from it, on the thread that prepares batches, too.
    let set: &'static EmojiSet = Box::leak(Box::new(EmojiSet::open(&args.emoji)?));
    let backend = args.backend;
    backend.run(Run {
        experiment: args.experiment,
        lab: Lab {
            settings,
            folder: args.run.unwrap_or_else(|| MODELS.into()),
            set,
        },
        results,
    })?
}

struct Run {
    experiment: Experiment,
    lab: Lab,
    results: PathBuf,
}

impl BackendTask for Run {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let (lab, results) = (&self.lab, &self.results);
        match self.experiment {
            Experiment::Transfer => transfer::run::<B>(lab, results, &device),
            Experiment::Pairs => pairs::run::<B>(lab, results, &device),
            Experiment::Alignment => alignment::run::<B>(lab, results, &device),
            Experiment::Paint => paint::run::<B>(lab, results, &device),
            Experiment::Outside(collection) => {
                outside::run::<B>(lab, &collection, results, &device)
            }
        }
    }
}
