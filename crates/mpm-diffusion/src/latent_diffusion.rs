//! The part of VisCPM-Paint between the language model and the autoencoder.
//!
//! Source: `SDWrapper` in VisCPM's `models/stablediffusion.py`, without its autoencoder; paper,
//! section 3.4.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, linear_layers};

use crate::{
    DiffusionError, TransBlock,
    unet::{TextStates, UNet2DConditionModel, UNetConfig},
};

/// The UNet and the trans block through which it reads a language model.
///
/// Parameters carry the names of VisCPM-Paint's checkpoint.
#[derive(Module, Debug)]
pub struct LatentDiffusion<B: Backend> {
    /// Predicts the noise.
    pub unet: UNet2DConditionModel<B>,
    /// From the language model's hidden states to what the UNet reads.
    pub trans_block: TransBlock<B>,
}

linear_layers!(LatentDiffusion { unet, trans_block });

impl<B: Backend> LatentDiffusion<B> {
    /// A model of random weights for hidden states of width `d_llm`.
    ///
    /// # Errors
    /// [`DiffusionError::Config`], see [`UNetConfig::validate`].
    pub fn new(
        config: &UNetConfig,
        d_llm: usize,
        device: &B::Device,
    ) -> Result<Self, DiffusionError> {
        Ok(Self {
            unet: config.init(device)?,
            trans_block: TransBlock::new(d_llm, config.cross_attention_dim, device),
        })
    }
}

impl<B: MpmBackend> LatentDiffusion<B> {
    /// What the UNet makes of texts, once for all steps.
    ///
    /// # Shapes
    /// - hidden: `[texts, seq, d_llm]`, the language model's last hidden states
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] for another width or an empty sequence.
    pub fn read_text(&self, hidden: Tensor<B, 3>) -> Result<TextStates<B>, DiffusionError> {
        let d_llm = self.trans_block.d_llm();
        let dims = hidden.dims();
        if dims[2] != d_llm {
            return Err(DiffusionError::Shape {
                what: "hidden states",
                expected: format!("[texts, seq, {d_llm}]"),
                found: dims.to_vec(),
            });
        }
        let weights = self.unet.conv_in.weight.val().dtype();
        self.unet
            .read_text(self.trans_block.forward(hidden.cast(weights)))
    }
}
