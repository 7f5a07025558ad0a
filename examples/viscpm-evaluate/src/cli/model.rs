//! The chat model that is asked.

use clap::{CommandFactory, error::ErrorKind};
use mpm_core::{MpmBackend, file_version::FileVersion};
use mpm_llm::decoding::DecodingParams;
use viscpm_chat::options::ModelSource;
use viscpm_common::cli::BoxError;
use viscpm_evaluate::chat::{Respondent, Settings, Shown};

use super::args::{Args, AskArgs};

/// A chat model before its weights are read, and how it is to answer.
pub struct Asked {
    source: ModelSource,
    params: DecodingParams,
    shown: Shown,
    /// Of all that its answers depend on.
    pub settings: String,
}

impl Asked {
    /// Finds what the arguments name.
    pub fn find(args: &AskArgs) -> Result<Self, BoxError> {
        let source = ModelSource::find(&args.model)?;
        let usage = |reason| Args::command().error(ErrorKind::ValueValidation, reason);
        let params = args
            .decoding
            .params(&source.config.decoding)
            .map_err(usage)?;
        let settings = Settings {
            weights: FileVersion::of(source.weights()),
            adapter: source.adapter().map(FileVersion::of),
            dtype: &format!("{:?}", args.model.dtype),
            quantization: args.model.quantize,
            decoding: &params,
            without_picture: args.without_picture,
        };
        Ok(Self {
            settings: settings.checksum()?,
            shown: match args.without_picture {
                true => Shown::Grey,
                false => Shown::Picture,
            },
            source,
            params,
        })
    }

    /// Loads it.
    pub fn load<B: MpmBackend>(self, device: &B::Device) -> Result<Respondent<B>, BoxError> {
        let model = self.source.load(device)?;
        Ok(Respondent::new(model, self.params, self.shown)?)
    }
}
