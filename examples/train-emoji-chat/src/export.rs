//! From a trained stage to the folder that ships: half the size, in f16.

use std::path::PathBuf;

use burn::tensor::DType;
use emoji_training::{BoxError, full_precision};
use mpm_core::{MpmBackend, backend::BackendTask};
use viscpm_chat::ChatModel;

/// Which model is written where.
#[derive(clap::Args)]
pub struct Export {
    /// The trained model's folder.
    #[arg(long, default_value = "runs/emoji-chat/instruction")]
    from: PathBuf,

    /// The folder to write; a model in it is replaced.
    #[arg(long, default_value = "models/viscpm-chat-emoji")]
    to: PathBuf,
}

impl BackendTask for Export {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let model = ChatModel::<B>::open(&self.from, &device, &full_precision())?;
        Ok(model.save(&self.to, DType::F16)?)
    }
}
