//! The command line: a module for each command.

mod args;
mod chat;
mod llava;
mod model;
mod paint;
mod report;
mod score;
mod watched;

use std::process::ExitCode;

use viscpm_common::cli::BoxError;

pub use args::Args;
use args::Command;

/// Does what was asked for.
pub fn run(args: Args) -> Result<ExitCode, BoxError> {
    match args.command {
        Command::Chat(args) => chat::run(*args),
        Command::Score(args) => score::run(&args),
        Command::Llava(args) => llava::run(*args),
        Command::Paint(args) => paint::run(*args),
    }
}
