//! The embedding of the timestep.
//!
//! Source: diffusers' `models/embeddings.py`; the sinusoids of "Attention Is All You Need".

use burn::{
    module::Module,
    tensor::{Tensor, TensorData, backend::Backend},
};
use mpm_core::{MpmBackend, kernel::silu, linear_layers, nn::TorchLinear};

/// The longest wavelength is 2π times this.
const MAX_PERIOD: f32 = 10_000.0;

/// Sinusoids of the timesteps, computed on the host in f32 as the reference does.
///
/// Half of the width are cosines and half are sines of `t · 10000^(-i / (width/2 -
/// freq_shift))`; `flip_sin_to_cos` puts the cosines first. An odd width gets a last zero.
///
/// # Shapes
/// - output: `[timesteps.len(), width]`, f32
pub fn timestep_embedding<B: Backend>(
    timesteps: &[f64],
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: usize,
    device: &B::Device,
) -> Tensor<B, 2> {
    let half = width / 2;
    let scale = -MAX_PERIOD.ln() / (half as f32 - freq_shift as f32);
    let mut values = Vec::with_capacity(timesteps.len() * width);
    for &timestep in timesteps {
        let angles = (0..half).map(|i| timestep as f32 * (scale * i as f32).exp());
        if flip_sin_to_cos {
            values.extend(angles.clone().map(f32::cos).chain(angles.map(f32::sin)));
        } else {
            values.extend(angles.clone().map(f32::sin).chain(angles.map(f32::cos)));
        }
        values.extend(std::iter::repeat_n(0.0, width - 2 * half));
    }
    Tensor::from_data(TensorData::new(values, [timesteps.len(), width]), device)
}

/// Two linear layers with a SiLU between them.
#[derive(Module, Debug)]
pub struct TimestepEmbedding<B: Backend> {
    /// From the sinusoids to the width of the embedding.
    pub linear_1: TorchLinear<B>,
    /// Keeps the width.
    pub linear_2: TorchLinear<B>,
}

linear_layers!(TimestepEmbedding { linear_1, linear_2 });

impl<B: Backend> TimestepEmbedding<B> {
    pub(super) fn new(d_in: usize, width: usize, device: &B::Device) -> Self {
        Self {
            linear_1: TorchLinear::new(d_in, width, device),
            linear_2: TorchLinear::new(width, width, device),
        }
    }
}

impl<B: MpmBackend> TimestepEmbedding<B> {
    /// # Shapes
    /// - sinusoids: `[batch, d_in]`
    /// - output: `[batch, width]`
    pub fn forward(&self, sinusoids: Tensor<B, 2>) -> Tensor<B, 2> {
        self.linear_2
            .forward(silu(self.linear_1.forward(sinusoids)))
    }
}
