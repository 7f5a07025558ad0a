//! The command line: arguments, loading, and the three ways to ask.

mod args;
mod batch;
mod conversation;
mod interrupt;
mod load;
mod single;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use mpm_core::{MpmBackend, backend::BackendTask};
use viscpm_chat::ChatModel;

pub use args::Args;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Loads the model on the chosen backend and answers.
pub fn run(args: Args) -> Result<ExitCode, BoxError> {
    let backend = args.backend;
    backend.run(Chat(args))?
}

struct Chat(Args);

impl BackendTask for Chat {
    type Output = Result<ExitCode, BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let args = self.0;
        let model: ChatModel<B> = load::model(&args.model, &device)?;
        let params = args.decoding.params(&model.config.decoding)?;
        let interrupt = interrupt::Interrupt::install()?;
        match (&args.batch, &args.question) {
            (Some(file), _) => batch::run(&model, file, &params, &interrupt),
            (None, Some(question)) => single::run(&model, &args, question, &params, &interrupt),
            (None, None) => conversation::run(&model, args.image.as_deref(), &params, &interrupt),
        }
    }
}

/// Prints an error and what caused it.
pub fn report(error: &dyn std::error::Error) {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Transparent errors repeat their source.
        if !text.ends_with(&inner.to_string()) {
            text += &format!("\n  because: {inner}");
        }
        cause = inner.source();
    }
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a piece of an answer at once.
fn show(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
