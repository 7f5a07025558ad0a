//! Trains the small VisCPM-Chat that ships with MPM, on a laptop's CPU.
//!
//! The stages are those of the paper, in miniature: a language model of several languages, a
//! visual module that learns English names, then English captions, while the language model is
//! frozen, and tuning on English instructions with a few translated ones.
//! `docs/small-model.md` explains the recipe and gives the figures.

mod evaluate;
mod export;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use emoji_training::{BoxError, Circumstances};

use train_emoji_chat::{Recipe, RunStage, StageName};
use viscpm_common::cli::failure::fail;

use crate::{evaluate::Evaluate, export::Export};

/// The CPU backend allocates each tensor anew, and the system's allocator hands
/// large ones back to the kernel every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Train and evaluate the small VisCPM-Chat on the emoji picture-text set.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    circumstances: Circumstances,
}

#[derive(Subcommand)]
enum Command {
    /// Train one stage; interrupted, it goes on from its newest checkpoint.
    Train {
        /// The stage.
        stage: StageName,

        /// The folder of the run; each stage has a folder in it.
        #[arg(long, default_value = "runs/emoji-chat")]
        run: PathBuf,

        /// Steps between two checkpoints.
        #[arg(long, default_value = "200")]
        checkpoint_every: NonZeroUsize,
    },

    /// Ask a model about pictures, and print how often it is right.
    Evaluate(Evaluate),

    /// Write a trained model as it ships, with weights in f16.
    Export(Export),
}

fn main() -> ExitCode {
    viscpm_common::keep_freed_memory();
    run(Args::parse()).map_or_else(fail, |()| ExitCode::SUCCESS)
}

fn run(args: Args) -> Result<(), BoxError> {
    let recipe = Recipe::read(args.circumstances.recipe.as_deref())?;
    let set = args.circumstances.open_set()?;
    let backend = args.circumstances.backend;
    match args.command {
        Command::Train {
            stage,
            run,
            checkpoint_every,
        } => backend.run(RunStage {
            name: stage,
            folder: stage.folder(&run),
            start: stage.previous().map(|previous| previous.folder(&run)),
            recipe,
            set,
            checkpoint_every,
        })?,
        Command::Export(export) => backend.run(export)?,
        Command::Evaluate(evaluate) => backend.run(evaluate.task(recipe, set))?,
    }
}
