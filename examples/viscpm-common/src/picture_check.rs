//! The optional check of what a picture shows.

use std::path::Path;

use burn::tensor::backend::Backend;
use mpm_core::{
    MpmBackend,
    pretrained::{PretrainedError, PretrainedFolder},
    weights::LoadOptions,
};
use mpm_data::picture::{ClipImageProcessor, Picture};
use mpm_vision::{
    VisionError,
    clip::{SafetyChecker, SafetyReport},
};

use crate::ClipInput;

/// Stable Diffusion's safety checker: for pictures that VisCPM-Paint made, and for those that a
/// conversation with VisCPM-Chat is about.
#[derive(Clone, Debug)]
pub struct PictureCheck<B: Backend> {
    checker: SafetyChecker<B>,
    input: ClipInput,
}

impl<B: MpmBackend> PictureCheck<B> {
    /// Loads a folder such as `CompVis/stable-diffusion-safety-checker`, see
    /// [`SafetyChecker::open`]. Pictures are prepared as its `preprocessor_config.json` says, and
    /// without that as CLIP was trained.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(folder)?;
        let checker = SafetyChecker::open(folder.path(), device, options)?;
        let input = ClipInput::open(&folder, checker.picture_shape(), ClipImageProcessor::clip)?;
        Ok(Self { checker, input })
    }

    /// Says what is wrong with each picture, if anything.
    ///
    /// # Errors
    /// [`VisionError`] when the checker's weights are broken.
    pub fn check(&self, pictures: &[Picture]) -> Result<Vec<SafetyReport>, VisionError> {
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let device = self.checker.concept_embeds.val().device();
        self.checker.check(self.input.prepare(pictures, &device))
    }
}
