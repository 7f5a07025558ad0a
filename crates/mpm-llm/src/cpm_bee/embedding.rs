//! Token embedding with sub ids, tied to the output projection,
//! `VisCPM/models/modules/embedding.py`.

use burn::{
    module::{Initializer, Module},
    tensor::{Int, Tensor, TensorData, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::linear,
    nn::{LinearLayer, LinearLayers, LinearRole, LinearWeight},
    quantization::QuantizedBits,
};

use super::config::CpmBeeConfig;
use crate::{
    check::{check_length, check_range},
    error::LlmError,
};

/// Embedding of ids, rotated by their sub ids, and the output projection that
/// shares its weight.
///
/// CPM-Bee writes words that its vocabulary lacks as one id (`<unk>`) with
/// different sub ids: the *ext table* of a batch lists these pairs, and the
/// projection has one more logit for each of them.
#[derive(Module, Debug)]
pub struct ExtEmbedding<B: Backend> {
    /// `[vocab, d_model]`.
    pub weight: LinearWeight<B>,
}

impl<B: Backend> ExtEmbedding<B> {
    /// An embedding drawn from N(0, `embedding_init_std²`).
    pub fn new(config: &CpmBeeConfig, device: &B::Device) -> Self {
        let normal = Initializer::Normal {
            mean: 0.0,
            std: config.embedding_init_std,
        };
        Self {
            weight: LinearWeight::Float(normal.init([config.vocab_size, config.dim_model], device)),
        }
    }
}

impl<B: Backend> LinearLayers<B> for ExtEmbedding<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        visit(LinearLayer {
            weight: &mut self.weight,
            role: LinearRole::Table,
            // A row of it is read for each token, and as the output layer it decides about every
            // logit.
            fewest_bits: QuantizedBits::Int8,
        });
    }
}

impl<B: MpmBackend> ExtEmbedding<B> {
    /// `weight[id] / √d_model`, rotated by the sub id, in the dtype of the weight and in f32 if
    /// it is quantized.
    ///
    /// # Shapes
    /// - ids, sub_ids: `[tokens]`
    /// - output: `[tokens, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputLength`] when the two differ in length,
    /// [`LlmError::InputRange`] when an id is not in the vocabulary.
    pub fn forward(&self, ids: &[i32], sub_ids: &[i32]) -> Result<Tensor<B, 2>, LlmError> {
        let [vocab_size, width] = self.weight.dims();
        check_length("sub_ids", sub_ids.len(), ids.len())?;
        check_range("ids", ids, vocab_size - 1)?;
        check_range("sub_ids", sub_ids, i32::MAX as usize)?;

        let device = self.weight.device();
        let rows: Tensor<B, 1, Int> = Tensor::from_data(TensorData::from(ids), &device);
        let embedded = self
            .weight
            .select_rows(rows)
            .mul_scalar((width as f64).sqrt().recip());
        // A rotation by 0 changes nothing, and most texts have no other sub id.
        if sub_ids.iter().all(|&sub_id| sub_id == 0) {
            return Ok(embedded);
        }
        Ok(Rotary::default().forward(embedded, sub_ids))
    }

    /// Logits of the vocabulary, from hidden states that are scaled by
    /// 1/√d_model, then those of the ext table, from unscaled ones.
    ///
    /// # Shapes
    /// - hidden: `[batch, seq, d_model]`
    /// - ext_table: `[ext, d_model]`, embedded by [`forward`](Self::forward)
    /// - output: `[batch, seq, vocab + ext]`
    pub fn projection(
        &self,
        hidden: Tensor<B, 3>,
        ext_table: Option<Tensor<B, 2>>,
    ) -> Tensor<B, 3> {
        let width = hidden.dims()[2] as f64;
        let scaled = hidden.clone().mul_scalar(width.sqrt().recip());
        let logits = self.weight.linear(scaled, None);
        match ext_table {
            None => logits,
            Some(table) => Tensor::cat(vec![logits, linear(hidden, table, None)], 2),
        }
    }
}

/// Rotary embedding of integer positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotary {
    /// Base of the geometric series of frequencies, 10,000.
    pub base: f64,
    /// How far apart neighbouring positions are, 16.
    pub distance_scale: f64,
}

impl Default for Rotary {
    fn default() -> Self {
        Self {
            base: 10_000.0,
            distance_scale: 16.0,
        }
    }
}

impl Rotary {
    /// Rotates each pair of dimensions `(i, i + width / 2)`.
    ///
    /// Angles take the dtype of `x`, because the published f16 weights were
    /// trained with f16 angles.
    ///
    /// # Shapes
    /// - x, output: `[tokens, width]`
    /// - positions: `[tokens]`
    pub fn forward<B: Backend>(&self, x: Tensor<B, 2>, positions: &[i32]) -> Tensor<B, 2> {
        let [tokens, width] = x.dims();
        let (device, dtype) = (x.device(), x.dtype());
        let positions: Vec<f32> = positions
            .iter()
            .map(|&position| (f64::from(position) * self.distance_scale) as f32)
            .collect();
        let positions = TensorData::new(positions, [tokens, 1]);
        let frequencies = TensorData::new(self.frequencies(width), [1, width / 2]);
        let angles = Tensor::<B, 2>::from_data(positions, &device).cast(dtype)
            * Tensor::<B, 2>::from_data(frequencies, &device).cast(dtype);
        let (cos, sin) = (angles.clone().cos(), angles.sin());

        let left = x.clone().slice([0..tokens, 0..width / 2]);
        let right = x.slice([0..tokens, width / 2..width]);
        Tensor::cat(
            vec![
                left.clone() * cos.clone() - right.clone() * sin.clone(),
                right * cos + left * sin,
            ],
            1,
        )
    }

    /// Angle per position of each pair of dimensions: `base^(-2i / width)`.
    pub fn frequencies(&self, width: usize) -> Vec<f32> {
        // f32 throughout, as in the reference: far positions magnify the rounding.
        let frequency = |pair: usize| {
            let exponent = (2 * pair) as f32 / width as f32;
            (self.base as f32).powf(exponent).recip()
        };
        (0..width / 2).map(frequency).collect()
    }
}
