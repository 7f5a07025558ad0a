//! Which model the arguments name, and loading it.

use std::path::PathBuf;

use mpm_core::{MpmBackend, lora, weights::Precision};
use viscpm_chat::{
    CONFIG_FILE, ChatError, ChatModel, ModelConfig, VisCpmChatConfig, checkpoint_keys,
};
use viscpm_common::cli::{BoxError, find_model, with_progress};

use super::args::ModelArgs;

/// The model that ships with the repository.
const DEFAULT_MODEL: &str = "models/viscpm-chat-emoji";

/// A model before its weights are read, which may take long.
pub struct Source {
    /// All but the weights and the vocabulary.
    pub config: ModelConfig,
    weights: PathBuf,
    vocabulary: PathBuf,
    precision: Precision,
    adapter: Option<PathBuf>,
}

impl Source {
    /// Finds what the arguments name.
    pub fn find(args: &ModelArgs) -> Result<Self, BoxError> {
        let precision = args.dtype.precision();
        let adapter = args.lora.clone();
        if let (Some(weights), Some(vocabulary)) = (&args.checkpoint, &args.vocab) {
            return Ok(Self {
                config: match &args.config {
                    Some(file) => ModelConfig::open(file)?,
                    None => ModelConfig::new(VisCpmChatConfig::viscpm_chat())?,
                },
                weights: weights.clone(),
                vocabulary: vocabulary.clone(),
                precision,
                adapter,
            });
        }
        let folder = match &args.model {
            Some(folder) => folder.clone(),
            None => find_model(DEFAULT_MODEL)?,
        };
        let config = ModelConfig::open(folder.join(CONFIG_FILE))?;
        Ok(Self {
            weights: folder.join(&config.weights),
            vocabulary: folder.join(&config.vocabulary),
            config,
            precision,
            adapter,
        })
    }

    /// Loads it.
    pub fn load<B: MpmBackend>(self, device: &B::Device) -> Result<ChatModel<B>, ChatError> {
        if let Some(folder) = &self.adapter {
            // Before the weights are read, which takes longer.
            let unread = self.config.model.init::<B>(device)?;
            lora::load::<B, _>(unread, folder, &checkpoint_keys())?;
        }
        let model = with_progress(self.precision, |options| {
            ChatModel::from_checkpoint(
                &self.weights,
                &self.vocabulary,
                self.config,
                device,
                options,
            )
        })?;
        match &self.adapter {
            Some(folder) => model.with_adapter(folder),
            None => Ok(model),
        }
    }
}
