//! The optional check of what a picture shows.

use std::{num::NonZeroU32, path::Path};

use burn::tensor::backend::Backend;
use mpm_core::{MpmBackend, pretrained::PretrainedFolder, weights::LoadOptions};
use mpm_data::picture::{ClipImageProcessor, Picture};
use mpm_vision::clip::{SafetyChecker, SafetyReport};

use crate::{ChatError, stack_pictures};

/// How pictures are prepared for the checker, as `transformers` writes it.
const PREPROCESSOR_FILE: &str = "preprocessor_config.json";

/// Stable Diffusion's safety checker, which VisCPM-Paint applies to the pictures it made, for the
/// pictures that a conversation is about.
#[derive(Clone, Debug)]
pub struct PictureCheck<B: Backend> {
    checker: SafetyChecker<B>,
    processor: ClipImageProcessor,
}

impl<B: MpmBackend> PictureCheck<B> {
    /// Loads a folder such as `CompVis/stable-diffusion-safety-checker`, see
    /// [`SafetyChecker::open`]. Pictures are prepared as its `preprocessor_config.json` says, and
    /// without that as CLIP was trained.
    ///
    /// # Errors
    /// [`ChatError::Pretrained`] names the file and what is missing or wrong,
    /// [`ChatError::Config`] when pictures are prepared for another size than the checker reads.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, ChatError> {
        let folder = PretrainedFolder::open(folder)?;
        let checker = SafetyChecker::open(folder.path(), device, options)?;
        let shape @ [_, height, _] = checker.picture_shape();
        let trained = || {
            let size = u32::try_from(height).ok().and_then(NonZeroU32::new);
            size.map(ClipImageProcessor::clip).unwrap_or_default()
        };
        let processor = folder.json(PREPROCESSOR_FILE)?.unwrap_or_else(trained);
        if processor.shape() != shape {
            return Err(ChatError::Config {
                reason: format!(
                    "{}: `{PREPROCESSOR_FILE}` prepares pictures of shape {:?}, but the checker \
                     reads {shape:?} (`vision_config.image_size`); make them equal",
                    folder.path().display(),
                    processor.shape(),
                ),
            });
        }
        Ok(Self { checker, processor })
    }

    /// Says what is wrong with each picture, if anything.
    ///
    /// # Errors
    /// [`ChatError::Config`] without pictures, [`ChatError::Vision`] when the checker's weights are
    /// broken.
    pub fn check(&self, pictures: &[Picture]) -> Result<Vec<SafetyReport>, ChatError> {
        let prepared: Vec<_> = pictures
            .iter()
            .map(|picture| self.processor.apply(picture))
            .collect();
        let device = self.checker.concept_embeds.val().device();
        Ok(self.checker.check(stack_pictures(&prepared, &device)?)?)
    }
}
