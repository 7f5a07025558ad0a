//! A whole Stable Diffusion.

use std::path::Path;

use burn::tensor::backend::Backend;
use mpm_core::weights::LoadOptions;

use super::{
    config::StableDiffusionConfig, source::StableDiffusionSource, text_encoder::ClipPromptEncoder,
};
use crate::{PaintError, Painter};

/// A whole Stable Diffusion. It paints as a [`PaintModel`](crate::PaintModel) does, in a
/// [`Studio`](crate::Studio).
#[derive(Clone, Debug)]
pub struct StableDiffusion<B: Backend> {
    /// From prompts to hidden states.
    pub text_encoder: ClipPromptEncoder<B>,
    /// From hidden states to pictures.
    pub painter: Painter<B>,
    /// All the rest.
    pub config: StableDiffusionConfig,
}

impl<B: Backend> StableDiffusion<B> {
    /// Loads a folder of diffusers.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PaintError> {
        Self::load(
            StableDiffusionSource::folder(folder.as_ref())?,
            device,
            options,
        )
    }

    /// Loads the files that were found, such as
    /// [a single one](StableDiffusionSource::single_file).
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn load(
        source: StableDiffusionSource,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PaintError> {
        Ok(Self {
            text_encoder: source.text_encoder(device, options)?,
            painter: source.painter(device, options)?,
            config: source.config,
        })
    }
}
