//! The optional choice among candidates.
//!
//! Source: `VisCPMPaint.generate` with a ranker in VisCPM's `viscpm_paint.py`.

use std::path::Path;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::{MpmBackend, pretrained::PretrainedFolder, weights::LoadOptions};
use mpm_data::picture::{ClipImageProcessor, Picture};
use mpm_llm::bert::ChineseClipTextEncoder;
use mpm_vision::{VisionError, clip::ChineseClipVision};
use viscpm_common::ClipInput;

use crate::PaintError;

/// Chinese-CLIP, which says how well pictures fit a prompt.
#[derive(Clone, Debug)]
pub struct PictureChooser<B: Backend> {
    pictures: ChineseClipVision<B>,
    texts: ChineseClipTextEncoder<B>,
    input: ClipInput,
}

impl<B: MpmBackend> PictureChooser<B> {
    /// Loads a folder such as `OFA-Sys/chinese-clip-vit-base-patch16`. Pictures are prepared as its
    /// `preprocessor_config.json` says, and without that as Chinese-CLIP was trained.
    ///
    /// # Errors
    /// [`PaintError::Pretrained`] names the file and what is missing or wrong.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PaintError> {
        let folder = PretrainedFolder::open(folder)?;
        let texts = ChineseClipTextEncoder::open(folder.path(), device, options)?;
        let pictures = ChineseClipVision::open(folder.path(), device, options)?;
        let trained = ClipImageProcessor::chinese_clip;
        Ok(Self {
            input: ClipInput::open(&folder, pictures.picture_shape(), trained)?,
            texts,
            pictures,
        })
    }

    /// How well each picture fits the prompt; higher is better.
    ///
    /// # Errors
    /// [`PaintError::Vision`] when the model's weights are broken, [`PaintError::Llm`] when the
    /// prompt cannot be tokenized.
    pub fn scores(&self, prompt: &str, pictures: &[Picture]) -> Result<Vec<f32>, PaintError> {
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let text = self.texts.embed(&[prompt])?;
        let pixels: Tensor<B, 4> = self.input.prepare(pictures, &text.device());
        let pictures = self.pictures.image_embeds(pixels)?;
        let scores = self.pictures.scores(pictures, text)?;
        let scores: Vec<f32> = scores.into_data().iter().collect();
        match scores.iter().position(|score| score.is_nan()) {
            // It would be ranked, though it says nothing.
            Some(picture) => Err(VisionError::NotANumber { picture }.into()),
            None => Ok(scores),
        }
    }
}
