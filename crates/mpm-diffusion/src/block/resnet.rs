//! The residual block of UNet and VAE.
//!
//! Source: diffusers' `models/resnet.py`, `ResnetBlock2D`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::{GroupNorm, TorchConv2d, TorchLinear},
};

use super::NormConfig;

/// Two convolutions, each behind a group norm with SiLU, beside a shortcut.
#[derive(Module, Debug)]
pub struct ResnetBlock2D<B: Backend> {
    /// Before the first convolution.
    pub norm1: GroupNorm<B>,
    /// 3 × 3, to the output's channels.
    pub conv1: TorchConv2d<B>,
    /// Projects the embedding of time; a VAE has none.
    pub time_emb_proj: Option<TorchLinear<B>>,
    /// Before the second convolution.
    pub norm2: GroupNorm<B>,
    /// 3 × 3.
    pub conv2: TorchConv2d<B>,
    /// 1 × 1, where input and output differ in channels.
    pub conv_shortcut: Option<TorchConv2d<B>>,
}

linear_layers!(ResnetBlock2D { time_emb_proj });

impl<B: Backend> ResnetBlock2D<B> {
    /// `time_width` is the width of the embedding of time, where there is one.
    pub(crate) fn new(
        [c_in, c_out]: [usize; 2],
        time_width: Option<usize>,
        norm: NormConfig,
        device: &B::Device,
    ) -> Self {
        Self {
            norm1: norm.init(c_in, device),
            conv1: TorchConv2d::new([c_in, c_out], 3, 1, 1, device),
            time_emb_proj: time_width.map(|width| TorchLinear::new(width, c_out, device)),
            norm2: norm.init(c_out, device),
            conv2: TorchConv2d::new([c_out, c_out], 3, 1, 1, device),
            conv_shortcut: (c_in != c_out)
                .then(|| TorchConv2d::new([c_in, c_out], 1, 1, 0, device)),
        }
    }
}

impl<B: MpmBackend> ResnetBlock2D<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - time: `[batch, time_width]`, the embedding of time behind its SiLU
    /// - output: `[batch, c_out, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>, time: Option<&Tensor<B, 2>>) -> Tensor<B, 4> {
        let mut hidden = self.conv1.forward(self.norm1.forward_silu(x.clone()));
        if let (Some(projection), Some(time)) = (&self.time_emb_proj, time) {
            let shift = projection.forward(time.clone());
            hidden = hidden + shift.unsqueeze_dims(&[2, 3]);
        }
        let hidden = self.conv2.forward(self.norm2.forward_silu(hidden));
        let shortcut = match &self.conv_shortcut {
            Some(convolution) => convolution.forward(x),
            None => x,
        };
        shortcut + hidden
    }
}
