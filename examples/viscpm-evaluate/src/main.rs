//! Figures of a model's answers and of painted pictures, from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// The CPU backend allocates each tensor anew, and the system's allocator hands
/// large ones back to the kernel every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    viscpm_common::keep_freed_memory();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    match cli::run(cli::Args::parse()) {
        Ok(code) => code,
        Err(error) => viscpm_common::cli::failure::fail(error),
    }
}
