//! The text tower with its tokenizer.

use std::path::Path;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::{
    MpmBackend,
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{LoadOptions, load},
};

use super::{config::ClipTextTowerConfig, tokenizer::ClipTokenizer, tower::ClipTextTower};
use crate::LlmError;

/// Embeds texts for comparison with pictures.
#[derive(Clone, Debug)]
pub struct ClipTextEncoder<B: Backend> {
    /// The model.
    pub tower: ClipTextTower<B>,
    /// From texts to ids.
    pub tokenizer: ClipTokenizer,
}

impl<B: Backend> ClipTextEncoder<B> {
    /// Loads the text side of a folder such as `openai/clip-vit-large-patch14`: `config.json`, the
    /// weights as `model.safetensors` or `pytorch_model.bin`, and the tokenizer, see
    /// [`ClipTokenizer::open`].
    ///
    /// The keys of `options` are not used: this module knows the names.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(folder)?;
        let config: ClipTextTowerConfig = folder.config()?;
        let tower = ClipTextTower::new(&config, device)
            .map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let tokenizer = ClipTokenizer::open(&folder, &config.text_config)?;
        let options = LoadOptions {
            keys: ClipTextTower::<B>::checkpoint_keys(),
            ..options.clone()
        };
        Ok(Self {
            tower: load(tower, &folder.weights()?, &options)?,
            tokenizer,
        })
    }
}

impl<B: MpmBackend> ClipTextEncoder<B> {
    /// Texts as embeddings of length 1, in f32. The ends of texts that are longer than the model
    /// can read have no effect.
    ///
    /// # Shapes
    /// - output: `[texts, projection_dim]`
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without texts, [`LlmError::Tokenization`].
    pub fn embed(&self, texts: &[&str]) -> Result<Tensor<B, 2>, LlmError> {
        let encoding = self.tokenizer.encode(texts)?;
        self.tower.text_embeds(&encoding.input)
    }
}
