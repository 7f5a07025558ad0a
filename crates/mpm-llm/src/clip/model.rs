//! The text transformer as a whole.

use burn::{
    module::Module,
    tensor::{Bool, Int, Tensor, TensorData, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{LayerNorm, clip::ClipEncoder},
    weights::KeyMap,
};

use super::{
    config::ClipTextConfig, embeddings::ClipTextEmbeddings, end_of_text::EndOfText,
    input::ClipTextInput,
};
use crate::LlmError;

/// CLIP's text transformer; made by [`ClipTextConfig::init`].
#[derive(Module, Debug)]
pub struct ClipText<B: Backend> {
    /// From ids to tokens.
    pub embeddings: ClipTextEmbeddings<B>,
    /// The layers.
    pub encoder: ClipEncoder<B>,
    /// Norm of the last states.
    pub final_layer_norm: LayerNorm<B>,
    #[module(skip)]
    end_of_text: EndOfText,
}

/// What the transformer makes of texts.
#[derive(Clone, Debug)]
pub struct ClipTextOutput<B: Backend> {
    /// The states of all tokens after the last layer, normalised, `[batch, seq, hidden_size]`:
    /// what Stable Diffusion reads.
    pub last_hidden_state: Tensor<B, 3>,
    /// Their states after the layer before the last, not normalised, `[batch, seq, hidden_size]`:
    /// what some painters read, through [`ClipText::final_layer_norm`] or without it.
    pub penultimate_hidden_state: Tensor<B, 3>,
    /// The last states of the texts' ends, `[batch, hidden_size]`.
    pub pooled: Tensor<B, 2>,
}

impl ClipTextConfig {
    /// Makes a transformer with random weights, drawn when they are first read.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<ClipText<B>, LlmError> {
        self.validate()?;
        Ok(ClipText {
            embeddings: ClipTextEmbeddings::new(self, device),
            encoder: ClipEncoder::new(&self.encoder(), device),
            final_layer_norm: LayerNorm::new(self.hidden_size, self.layer_norm_eps, device),
            end_of_text: self.end_of_text(),
        })
    }
}

impl<B: Backend> ClipText<B> {
    /// How the names of a file that has a transformer at `text_model`, as all published ones have
    /// it, lead to the parameters of this one.
    ///
    /// | in the file | in the module |
    /// |---|---|
    /// | `text_model.*` | the same without `text_model` |
    /// | `text_model.embeddings.position_ids` | nowhere: the numbers from 0, which older versions saved |
    pub fn checkpoint_keys() -> KeyMap {
        KeyMap::new()
            .rename("text_model", "")
            .unused("text_model.embeddings.position_ids")
    }
}

impl<B: MpmBackend> ClipText<B> {
    /// Encodes texts.
    ///
    /// # Errors
    /// As [`ClipTextEmbeddings::forward`] and [`EndOfText::places`].
    pub fn forward(&self, input: &ClipTextInput) -> Result<ClipTextOutput<B>, LlmError> {
        let embedded = self.embeddings.forward(input)?;
        let ends = self.end_of_text.places(input)?;
        let dims @ [batch, seq, width] = embedded.dims();
        let device = embedded.device();
        let hidden = later_tokens(seq, &device);

        let layers = &self.encoder.layers;
        let before_last = layers.len().saturating_sub(1);
        let forward = |x, layer: &mpm_core::nn::clip::ClipEncoderLayer<B>| {
            layer.forward(x, Some(hidden.clone()))
        };
        let penultimate = layers[..before_last].iter().fold(embedded, forward);
        let last = layers[before_last..]
            .iter()
            .fold(penultimate.clone(), forward);
        let last = self.final_layer_norm.forward(last);

        let rows = ends.iter().enumerate();
        let rows: Vec<i32> = rows.map(|(text, end)| (text * seq + end) as i32).collect();
        let rows = Tensor::<B, 1, Int>::from_data(TensorData::new(rows, [batch]), &device);
        let pooled = last.reshape([batch * seq, width]);
        Ok(ClipTextOutput {
            last_hidden_state: pooled.clone().reshape(dims),
            penultimate_hidden_state: penultimate,
            pooled: pooled.select(0, rows),
        })
    }
}

/// The keys that a query must not see: those of later tokens, `[1, 1, seq, seq]`.
fn later_tokens<B: Backend>(seq: usize, device: &B::Device) -> Tensor<B, 4, Bool> {
    let pairs = (0..seq).flat_map(|query| (0..seq).map(move |key| key > query));
    let pairs: Vec<bool> = pairs.collect();
    Tensor::from_data(TensorData::new(pairs, [1, 1, seq, seq]), device)
}
