//! The command line: arguments, loading, and the three ways to ask.

mod args;
mod batch;
mod conversation;
mod input;
mod refusal;
mod single;
mod timed;

use std::process::ExitCode;

use clap::{CommandFactory, error::ErrorKind};
use mpm_core::{MpmBackend, backend::BackendTask, weights::LoadOptions};
use mpm_data::picture::Picture;
use viscpm_chat::{ChatError, ChatModel, ChatSession, PictureCheck, options::ModelSource};
use viscpm_common::cli::{BoxError, lines::Lines, resolve_model};

pub use args::Args;
pub use viscpm_common::cli::failure::fail;

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
        // Mistakes come to light before the weights are read, which may take long.
        let source = ModelSource::find(&args.model)?;
        let usage = |reason| Args::command().error(ErrorKind::ValueValidation, reason);
        let params = args
            .decoding
            .params(&source.config.decoding)
            .map_err(usage)?;
        let picture = args.image.as_ref().map(Picture::open).transpose()?;
        let requests = args.batch.as_deref().map(Lines::open).transpose()?;

        // The smaller one first, for the same reason; its thresholds stay as they are stored.
        let checker = args.safety_checker.as_deref().map(resolve_model);
        let check = checker
            .transpose()?
            .map(|folder| PictureCheck::open(folder, &device, &LoadOptions::default()))
            .transpose()?;
        let model: ChatModel<B> = source.load(&device)?;
        let begin = || {
            let session = ChatSession::new(&model)?;
            Ok::<_, ChatError>(match &check {
                Some(check) => session.with_picture_check(check),
                None => session,
            })
        };
        match (requests, &args.question) {
            (Some(requests), _) => {
                let batch = batch::Batch {
                    requests,
                    timings: args.timings,
                };
                batch::run(begin, batch, &params)
            }
            (None, Some(question)) => {
                let question = single::Question {
                    text: question,
                    picture,
                    json: args.json,
                };
                single::run(begin()?, question, &params)
            }
            (None, None) => conversation::run(begin()?, picture, &params),
        }
    }
}
