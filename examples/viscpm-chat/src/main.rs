//! Ask a VisCPM-Chat model about pictures, from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    match cli::run(cli::Args::parse()) {
        Ok(code) => code,
        Err(error) => cli::fail(error),
    }
}
