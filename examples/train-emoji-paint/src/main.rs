//! Trains the small VisCPM-Paint that ships with MPM, on a laptop's CPU.
//!
//! The language model is that of the small VisCPM-Chat, and frozen: prompts are English in
//! training, and pictures for prompts in other languages come from what it knows of them.
//! `docs/small-paint-model.md` explains the recipe and gives the figures.

mod evaluate;
mod export;
mod list;
mod report;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use emoji_training::{BoxError, Circumstances};

use train_emoji_paint::{Folders, Recipe, RunStage, StageName};
use viscpm_common::cli::{failure::fail, show};

use crate::{
    evaluate::{Evaluate, EvaluateTask},
    export::{Export, ExportTask},
    list::list,
};

/// The CPU backend allocates each tensor anew, and the system's allocator hands
/// large ones back to the kernel every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Train and evaluate the small VisCPM-Paint on the emoji picture-text set.
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
        #[arg(long, default_value = "runs/emoji-paint")]
        run: PathBuf,

        /// The chat model whose language model reads the prompts.
        #[arg(long, default_value = "models/viscpm-chat-emoji")]
        chat_model: PathBuf,

        /// Steps between two checkpoints.
        #[arg(long, default_value = "200")]
        checkpoint_every: NonZeroUsize,
    },

    /// Print the names of all things that the recipe's model paints, a column for each language.
    Things,

    /// Paint all things from prompts in each language, and print how often the judge sees them.
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
            chat_model,
            checkpoint_every,
        } => backend.run(RunStage {
            name: stage,
            recipe,
            folders: Folders::of(&run),
            set,
            chat_model,
            checkpoint_every,
        })?,
        Command::Things => Ok(show(&list(&recipe.things(set)?, &recipe.languages))?),
        Command::Evaluate(options) => backend.run(EvaluateTask {
            options,
            recipe,
            set,
        })?,
        Command::Export(options) => backend.run(ExportTask {
            options,
            recipe,
            set,
        })?,
    }
}
