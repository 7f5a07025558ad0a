//! The texts' side of CLIP, without a tokenizer.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{TorchLinear, normalize_rows},
    weights::KeyMap,
};

use super::{config::ClipTextTowerConfig, input::ClipTextInput, model::ClipText};
use crate::LlmError;

/// Embeds texts as ids. Parameters carry the names of the whole model's checkpoint.
#[derive(Module, Debug)]
pub struct ClipTextTower<B: Backend> {
    /// The text transformer.
    pub text_model: ClipText<B>,
    /// Projection to the width of the embeddings, without a bias.
    pub text_projection: TorchLinear<B>,
}

impl<B: Backend> ClipTextTower<B> {
    /// A tower with random weights.
    ///
    /// # Errors
    /// See [`ClipTextTowerConfig::validate`].
    pub fn new(config: &ClipTextTowerConfig, device: &B::Device) -> Result<Self, LlmError> {
        config.validate()?;
        let text = &config.text_config;
        Ok(Self {
            text_model: text.init(device)?,
            text_projection: TorchLinear::new(text.hidden_size, config.projection_dim, device)
                .without_bias(),
        })
    }

    /// How a file's names lead to the parameters: all have the same names, and these are not used.
    ///
    /// | in the file | why |
    /// |---|---|
    /// | `vision_model.*`, `visual_projection.*` | the other tower |
    /// | `logit_scale` | a factor of the scores, which are computed beside the other tower |
    /// | `text_model.embeddings.position_ids` | the numbers from 0, which older versions saved |
    pub fn checkpoint_keys() -> KeyMap {
        KeyMap::new()
            .unused("vision_model")
            .unused("visual_projection")
            .unused("logit_scale")
            .unused("text_model.embeddings.position_ids")
    }
}

impl<B: MpmBackend> ClipTextTower<B> {
    /// Texts as embeddings of length 1, in f32.
    ///
    /// # Shapes
    /// - output: `[texts, projection_dim]`
    ///
    /// # Errors
    /// As [`ClipText::forward`].
    pub fn text_embeds(&self, input: &ClipTextInput) -> Result<Tensor<B, 2>, LlmError> {
        let pooled = self.text_model.forward(input)?.pooled;
        Ok(normalize_rows(self.text_projection.forward(pooled)))
    }
}
