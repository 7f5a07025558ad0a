//! The two families of models that embed pictures and texts.

use std::path::Path;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::{MpmBackend, pretrained::PretrainedFolder, weights::LoadOptions};
use mpm_data::picture::{ClipImageProcessor, Picture};
use mpm_llm::{bert::ChineseClipTextEncoder, clip::ClipTextEncoder};
use mpm_vision::clip::ClipVisionTower;
use serde::Deserialize;
use viscpm_common::ClipInput;

use crate::EvaluateError;

/// CLIP or Chinese-CLIP, from the folder in which it is published.
#[derive(Clone, Debug)]
pub struct ClipModel<B: Backend> {
    pictures: ClipVisionTower<B>,
    input: ClipInput,
    texts: Texts<B>,
}

#[derive(Clone, Debug)]
enum Texts<B: Backend> {
    Clip(Box<ClipTextEncoder<B>>),
    ChineseClip(Box<ChineseClipTextEncoder<B>>),
}

/// What `config.json` says about the family.
#[derive(Deserialize)]
struct Family {
    model_type: Option<String>,
}

impl<B: MpmBackend> ClipModel<B> {
    /// Loads a folder such as `openai/clip-vit-large-patch14` or
    /// `OFA-Sys/chinese-clip-vit-base-patch16`; which of the two it is, its `model_type` says.
    /// Pictures are prepared as its `preprocessor_config.json` says, and without that as the family
    /// was trained.
    ///
    /// # Errors
    /// [`EvaluateError::Pretrained`] names the file and what is missing or wrong;
    /// [`EvaluateError::ClipFamily`] for another family.
    pub fn open(
        folder: &Path,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, EvaluateError> {
        let files = PretrainedFolder::open(folder)?;
        let family: Family = files.config()?;
        let (texts, trained): (_, fn(_) -> _) = match family.model_type.as_deref() {
            Some("clip") => {
                let texts = ClipTextEncoder::open(folder, device, options)?;
                (Texts::Clip(Box::new(texts)), ClipImageProcessor::clip)
            }
            Some("chinese_clip") => {
                let texts = ChineseClipTextEncoder::open(folder, device, options)?;
                let texts = Texts::ChineseClip(Box::new(texts));
                (texts, ClipImageProcessor::chinese_clip)
            }
            found => {
                return Err(EvaluateError::ClipFamily {
                    folder: folder.to_owned(),
                    found: found
                        .map_or_else(|| "of nothing".to_owned(), |found| format!("{found:?}")),
                });
            }
        };
        let pictures = ClipVisionTower::open(folder, device, options)?;
        Ok(Self {
            input: ClipInput::open(&files, pictures.picture_shape(), trained)?,
            pictures,
            texts,
        })
    }

    /// Pictures as embeddings of length 1, `[pictures, projection_dim]`, in f32.
    ///
    /// # Errors
    /// [`EvaluateError::Vision`].
    pub fn embed_pictures(
        &self,
        pictures: &[Picture],
        device: &B::Device,
    ) -> Result<Tensor<B, 2>, EvaluateError> {
        let pixels: Tensor<B, 4> = self.input.prepare(pictures, device);
        Ok(self.pictures.image_embeds(pixels)?)
    }

    /// Texts as embeddings of length 1, `[texts, projection_dim]`, in f32.
    ///
    /// # Errors
    /// [`EvaluateError::Llm`].
    pub fn embed_texts(&self, texts: &[&str]) -> Result<Tensor<B, 2>, EvaluateError> {
        Ok(match &self.texts {
            Texts::Clip(encoder) => encoder.embed(texts)?,
            Texts::ChineseClip(encoder) => encoder.embed(texts)?,
        })
    }
}
