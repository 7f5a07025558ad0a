//! Model files of VisCPM, from the command line.

mod args;
mod assemble;
mod convert;
mod random;

use std::process::ExitCode;

use clap::Parser;
use mpm_core::partial_folder;
use viscpm_common::cli::{BoxError, failure::fail, note};

use args::{Args, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn run(command: Command) -> Result<(), BoxError> {
    match command {
        Command::Convert(args) => convert::convert(args),
        Command::Assemble(args) => assemble::assemble(args),
        Command::Verify { folder } => {
            partial_folder::verify(&folder)?;
            note(&format!("{}: no file has changed\n", folder.display()));
            Ok(())
        }
        Command::RandomCheckpoint(args) => random::write(args),
    }
}
