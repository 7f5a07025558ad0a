//! The model: a picture encoder whose features the language model reads.
//!
//! Source: `VLU_CPMBee` in VisCPM's `models/vlu_cpmbee.py`; paper, section 3.3.

use std::ops::Range;

use burn::{
    module::Module,
    tensor::{Tensor, TensorData, backend::Backend},
};
use mpm_core::{MpmBackend, linear_layers, weights::KeyMap};
use mpm_data::picture::PixelValues;
use mpm_llm::cpm_bee::{CpmBee, CpmBeeConfig, CpmBeeInput, CpmBeeOutput, splice_features};
use mpm_vision::{Muffin, MuffinConfig, PictureEncoder, UNUSED_KEYS};
use serde::{Deserialize, Serialize};

use crate::ChatError;

/// The sizes of both parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VisCpmChatConfig {
    /// The language model.
    pub llm: CpmBeeConfig,
    /// The picture encoder and its mapping to the language model's width.
    pub visual: MuffinConfig,
}

impl VisCpmChatConfig {
    /// The published model: CPM-Bee 10B and Muffin around BEiT-3 large.
    pub fn viscpm_chat() -> Self {
        Self {
            llm: CpmBeeConfig::cpm_bee_10b(),
            visual: MuffinConfig::viscpm_chat(),
        }
    }

    /// A model of random weights, to be trained or loaded into.
    ///
    /// # Errors
    /// [`ChatError::Config`] when the parts do not fit together, and what their
    /// own `init` returns.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<VisCpmChat<B>, ChatError> {
        if self.visual.d_llm != self.llm.dim_model {
            return Err(ChatError::Config {
                reason: format!(
                    "the visual module maps to width {} (`visual.d_llm`), but the language model \
                     reads width {} (`llm.dim_model`); make them equal",
                    self.visual.d_llm, self.llm.dim_model
                ),
            });
        }
        Ok(VisCpmChat {
            llm: self.llm.init(device)?,
            visual: self.visual.init(device)?,
        })
    }
}

/// VisCPM-Chat: pictures and text in, logits of the answer out.
#[derive(Module, Debug)]
pub struct VisCpmChat<B: Backend> {
    /// CPM-Bee.
    pub llm: CpmBee<B>,
    /// BEiT-3, the queries and the mapping.
    pub visual: Muffin<B>,
}

linear_layers!(VisCpmChat { llm, visual });

/// How the official checkpoint's names lead to [`VisCpmChat`]'s parameters.
///
/// | in the file | in the model |
/// |---|---|
/// | `llm.*` | the same |
/// | `vpm.*` | `visual.vpm.*` |
/// | `query` | `visual.query` |
/// | `mapping.*` | `visual.mapping.*` |
/// | [`mpm_vision::UNUSED_KEYS`] | nowhere: no forward pass reads them |
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
    /// Encodes pictures for the language model.
    ///
    /// # Shapes
    /// - output: `[pictures, num_queries, d_llm]`
    ///
    /// # Errors
    /// [`ChatError::Config`] without pictures, [`ChatError::Vision`] when a
    /// picture was prepared for another size.
    pub fn encode_pictures(&self, pictures: &[PixelValues]) -> Result<Tensor<B, 3>, ChatError> {
        let weights = self.visual.query.val().dtype();
        let pixels = stack_pictures::<B>(pictures, &self.llm.device())?;
        Ok(self.visual.encode(pixels.cast(weights))?)
    }

    /// The whole forward pass, for training.
    ///
    /// # Shapes
    /// - features: `[pictures, num_queries, d_llm]`, from
    ///   [`encode_pictures`](Self::encode_pictures), row by row
    /// - bounds: for each row the slots of its pictures
    ///
    /// # Errors
    /// [`ChatError::Llm`] when slots and features do not match.
    pub fn forward(
        &self,
        input: &CpmBeeInput,
        features: Tensor<B, 3>,
        bounds: &[Vec<Range<usize>>],
    ) -> Result<CpmBeeOutput<B>, ChatError> {
        let embeddings =
            self.llm
                .embed(&input.ids, &input.sub_ids, [input.batch, input.seq_len])?;
        let embeddings = splice_features(embeddings, features, bounds)?;
        Ok(self.llm.forward_embeddings(embeddings, input)?)
    }
}
