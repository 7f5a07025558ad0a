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
/// Parameters carry the names of VisCPM-Paint's checkpoint. A UNet [alone](From) is Stable
/// Diffusion's.
#[derive(Module, Debug)]
pub struct LatentDiffusion<B: Backend> {
    /// Predicts the noise.
    pub unet: UNet2DConditionModel<B>,
    /// From the language model's hidden states to what the UNet reads. `None`: the UNet reads
    /// the states of a text encoder as they are, as Stable Diffusion reads those of CLIP.
    pub trans_block: Option<TransBlock<B>>,
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
            trans_block: Some(TransBlock::new(d_llm, config.cross_attention_dim, device)),
        })
    }
}

impl<B: Backend> From<UNet2DConditionModel<B>> for LatentDiffusion<B> {
    fn from(unet: UNet2DConditionModel<B>) -> Self {
        Self {
            unet,
            trans_block: None,
        }
    }
}

impl<B: MpmBackend> LatentDiffusion<B> {
    /// What the UNet makes of texts, once for all steps.
    ///
    /// # Shapes
    /// - hidden: `[texts, seq, d_llm]`, the language model's last hidden states, or `[texts, seq,
    ///   cross_attention_dim]` without a trans block
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] for another width or an empty sequence.
    pub fn read_text(&self, hidden: Tensor<B, 3>) -> Result<TextStates<B>, DiffusionError> {
        let weights = self.unet.conv_in.weight.val().dtype();
        let hidden = hidden.cast(weights);
        let Some(trans_block) = &self.trans_block else {
            return self.unet.read_text(hidden);
        };
        let (d_llm, dims) = (trans_block.d_llm(), hidden.dims());
        if dims[2] != d_llm {
            return Err(DiffusionError::Shape {
                what: "hidden states",
                expected: format!("[texts, seq, {d_llm}]"),
                found: dims.to_vec(),
            });
        }
        self.unet.read_text(trans_block.forward(hidden))
    }
}
