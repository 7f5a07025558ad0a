//! The model: a picture encoder whose features the language model reads.
//!
//! Source: `VLU_CPMBee` in VisCPM's `models/vlu_cpmbee.py`; paper, section 3.3.

use std::ops::Range;

use burn::{
    module::Module,
    tensor::{Tensor, TensorData, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    streaming::{LayerList, StreamedLayers},
    weights::KeyMap,
};
use mpm_data::picture::PixelValues;
use mpm_llm::{
    LanguageModel,
    any::{AnyInput, AnyLlm},
    splice::splice_features,
};
use mpm_vision::{PictureEncoder, UNUSED_KEYS, VisualModule};

use crate::ChatError;

/// VisCPM-Chat, or a model of other parts: pictures and text in, logits of the answer out; made by
/// [`VisCpmChatConfig::init`](crate::VisCpmChatConfig::init).
#[derive(Module, Debug)]
pub struct VisCpmChat<B: Backend> {
    /// The language model, CPM-Bee in VisCPM-Chat.
    pub llm: AnyLlm<B>,
    /// What gives it pictures: BEiT-3 with queries and a mapping in VisCPM-Chat.
    pub visual: VisualModule<B>,
}

linear_layers!(VisCpmChat { llm, visual });

/// Those of the language model.
impl<B: Backend> StreamedLayers for VisCpmChat<B> {
    fn layer_list(&mut self) -> LayerList<'_> {
        let list = self.llm.layer_list();
        LayerList {
            path: format!("llm.{}", list.path),
            ..list
        }
    }
}

/// How the official checkpoint's names lead to [`VisCpmChat`]'s parameters.
///
/// | in the file | in the model |
/// |---|---|
/// | `llm.*` | the same |
/// | `vpm.*` | `visual.vpm.*` |
/// | `query` | `visual.query` |
/// | `mapping.*` | `visual.mapping.*` |
/// | [`mpm_vision::UNUSED_KEYS`] | nowhere: no forward pass reads them |
///
/// Models of other parts have the names of their parameters.
pub fn checkpoint_keys() -> KeyMap {
    let keys = KeyMap::new()
        .rename("vpm", "visual.vpm")
        .rename("query", "visual.query")
        .rename("mapping", "visual.mapping");
    UNUSED_KEYS.iter().fold(keys, |keys, key| keys.unused(key))
}

/// Prepared pictures as one batch, `[pictures, channels, height, width]`, in f32.
///
/// # Errors
/// [`ChatError::Config`] without pictures, or when they differ in shape.
pub fn stack_pictures<B: Backend>(
    pictures: &[PixelValues],
    device: &B::Device,
) -> Result<Tensor<B, 4>, ChatError> {
    let config = |reason: &str| ChatError::Config {
        reason: reason.to_string(),
    };
    let first = pictures.first();
    let first = first.ok_or_else(|| config("there is no picture to encode"))?;
    let [channels, height, width] = first.shape();
    if pictures
        .iter()
        .any(|picture| picture.shape() != first.shape())
    {
        return Err(config(
            "pictures of one batch differ in shape; prepare them alike",
        ));
    }
    let values = pictures.iter().flat_map(|picture| &picture.data);
    let shape = [pictures.len(), channels, height, width];
    let values = TensorData::new(values.copied().collect(), shape);
    Ok(Tensor::from_data(values, device))
}

impl<B: MpmBackend> VisCpmChat<B> {
    /// How many features, and so tokens, stand for a picture.
    pub fn picture_slots(&self) -> usize {
        let [slots, _] = self.visual.features_shape();
        slots
    }

    /// Encodes pictures for the language model.
    ///
    /// # Shapes
    /// - output: `[pictures, num_queries, d_llm]`
    ///
    /// # Errors
    /// [`ChatError::Config`] without pictures, [`ChatError::Vision`] when a
    /// picture was prepared for another size.
    pub fn encode_pictures(&self, pictures: &[PixelValues]) -> Result<Tensor<B, 3>, ChatError> {
        let pixels = stack_pictures::<B>(pictures, &self.llm.device())?;
        Ok(self.visual.encode(pixels.cast(self.visual.dtype()))?)
    }

    /// Embeds the tokens of a batch, with features in the slots of its pictures: what the language
    /// model reads.
    ///
    /// # Shapes
    /// - features: `[pictures, num_features, d_llm]`, row by row; `None` without pictures
    /// - bounds: for each row the slots of its pictures
    /// - output: `[batch, seq, d_llm]`
    ///
    /// # Errors
    /// [`ChatError::Llm`] when slots and features do not match.
    pub fn embed(
        &self,
        input: &AnyInput,
        features: Option<Tensor<B, 3>>,
        bounds: &[Vec<Range<usize>>],
    ) -> Result<Tensor<B, 3>, ChatError> {
        let embeddings = self.llm.embed_input(input)?;
        match features {
            Some(features) => Ok(splice_features(embeddings, features, bounds)?),
            None => Ok(embeddings),
        }
    }
}
