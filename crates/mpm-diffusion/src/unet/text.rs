//! What the UNet knows of the text, computed once per picture.

use burn::tensor::{Tensor, backend::Backend};

use super::attention::KeyValue;

/// The keys and values that each transformer block makes of the text's states; from
/// [`UNet2DConditionModel::read_text`](super::UNet2DConditionModel::read_text).
///
/// They do not depend on picture or time, so all steps of a picture share them.
#[derive(Clone, Debug)]
pub struct TextStates<B: Backend> {
    /// In the order in which the UNet comes to them.
    pub(super) layers: Vec<KeyValue<B>>,
}

impl<B: Backend> TextStates<B> {
    /// Number of texts.
    pub fn batch(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.key.dims()[0])
    }

    /// Each text `count` times in a row, for as many pictures of it.
    #[must_use]
    pub fn repeat(self, count: usize) -> Self {
        let repeated = |x: Tensor<B, 4>| {
            let [batch, heads, len, width] = x.dims();
            x.unsqueeze_dim::<5>(1)
                .expand([batch, count, heads, len, width])
                .reshape([batch * count, heads, len, width])
        };
        let layers = self.layers.into_iter().map(|layer| KeyValue {
            key: repeated(layer.key),
            value: repeated(layer.value),
        });
        Self {
            layers: layers.collect(),
        }
    }
}
