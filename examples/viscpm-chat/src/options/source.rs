//! Which model the arguments name, and loading it.

use std::path::{Path, PathBuf};

use mpm_core::{
    MpmBackend, lora,
    quantization::QuantizationScheme,
    weights::{LoadOptions, Precision},
};
use viscpm_common::cli::{
    BoxError, find_model, note_waiting, resolve, resolve_model, with_progress,
};

use super::ModelArgs;
use crate::{CONFIG_FILE, ChatError, ChatModel, ModelConfig, VisCpmChatConfig, checkpoint_keys};

/// The model that ships with the repository.
const DEFAULT_MODEL: &str = "models/viscpm-chat-emoji";

/// A model before its weights are read, which may take long.
#[derive(Clone, Debug)]
pub struct ModelSource {
    /// All but the weights and the vocabulary.
    pub config: ModelConfig,
    weights: PathBuf,
    vocabulary: PathBuf,
    precision: Precision,
    quantization: Option<QuantizationScheme>,
    memory_limit: Option<u64>,
    adapter: Option<PathBuf>,
}

impl ModelSource {
    /// Finds what the arguments name; without a name it is the model that ships with the repository.
    ///
    /// # Errors
    /// Names the file that is missing or wrong.
    pub fn find(args: &ModelArgs) -> Result<Self, BoxError> {
        let (precision, quantization) = (args.dtype.precision(), args.quantize);
        let memory_limit = args.memory_limit.map(|limit| limit.as_u64());
        let adapter = args.lora.as_deref().map(resolve_model).transpose()?;
        if let (Some(weights), Some(vocabulary)) = (&args.checkpoint, &args.vocab) {
            return Ok(Self {
                config: match &args.config {
                    Some(file) => ModelConfig::open(resolve(file)?)?,
                    None => ModelConfig::new(VisCpmChatConfig::viscpm_chat())?,
                },
                vocabulary: resolve(vocabulary)?,
                weights: resolve(weights)?,
                precision,
                quantization,
                memory_limit,
                adapter,
            });
        }
        let folder = match &args.model {
            Some(folder) => resolve_model(folder)?,
            None => find_model(DEFAULT_MODEL)?,
        };
        let config = ModelConfig::open(folder.join(CONFIG_FILE))?;
        Ok(Self {
            weights: folder.join(&config.weights),
            vocabulary: folder.join(&config.vocabulary),
            config,
            precision,
            quantization,
            memory_limit,
            adapter,
        })
    }

    /// The file of the weights.
    pub fn weights(&self) -> &Path {
        &self.weights
    }

    /// The folder of the adapters, if there are any.
    pub fn adapter(&self) -> Option<&Path> {
        self.adapter.as_deref()
    }

    /// Loads it, with a bar on a terminal if it is large.
    ///
    /// # Errors
    /// [`ChatError`] names the file and what is wrong with it.
    pub fn load<B: MpmBackend>(self, device: &B::Device) -> Result<ChatModel<B>, ChatError> {
        if let Some(folder) = &self.adapter {
            // Before the weights are read, which takes longer.
            let unread = self.config.model.init::<B>(device)?;
            lora::load::<B, _>(unread, folder, &checkpoint_keys())?;
        }
        let (weights, vocabulary) = (&self.weights, &self.vocabulary);
        let mut model = with_progress("loading", self.precision, |options| {
            let options = LoadOptions {
                quantization: self.quantization,
                memory_limit: self.memory_limit,
                ..options.clone()
            };
            ChatModel::from_checkpoint(weights, vocabulary, self.config, device, &options)
        })?;
        note_waiting(&mut model.model);
        match &self.adapter {
            Some(folder) => model.with_adapter(folder),
            None => Ok(model),
        }
    }
}
