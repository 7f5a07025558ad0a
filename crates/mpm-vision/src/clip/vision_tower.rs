//! The picture side of CLIP and of Chinese-CLIP, with which VisCPM-Paint chooses among candidates.

use std::path::Path;

use burn::{
    module::{Initializer, Module, Param},
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{TorchLinear, normalize_rows},
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{KeyMap, LoadOptions, load},
};

use super::{config::ClipConfig, similarity::cosine_similarity, vision_model::ClipVision};
use crate::VisionError;

/// The logarithm of the temperature's inverse before training, ln(1 / 0.07), as CLIP has it.
const INITIAL_LOGIT_SCALE: f64 = 2.6592;

/// Embeds pictures and scores them against texts that the other tower embedded.
///
/// Parameters carry the names of the whole model's checkpoint, whose `logit_scale` belongs to
/// neither tower; it is here because the scores are.
#[derive(Module, Debug)]
pub struct ClipVisionTower<B: Backend> {
    /// The vision transformer.
    pub vision_model: ClipVision<B>,
    /// Projection to the width of the embeddings, without a bias.
    pub visual_projection: TorchLinear<B>,
    /// The logarithm of what cosines are multiplied by, `[1]`.
    pub logit_scale: Param<Tensor<B, 1>>,
}

/// The picture side of Chinese-CLIP, which is CLIP's: only the texts' sides differ.
pub type ChineseClipVision<B> = ClipVisionTower<B>;

impl<B: Backend> ClipVisionTower<B> {
    /// A tower with random weights.
    ///
    /// # Errors
    /// See [`ClipConfig::validate`].
    pub fn new(config: &ClipConfig, device: &B::Device) -> Result<Self, VisionError> {
        config.validate()?;
        let width = config.vision_config.hidden_size;
        let scale = Initializer::Constant {
            value: INITIAL_LOGIT_SCALE,
        };
        Ok(Self {
            vision_model: config.vision_config.init(device)?,
            visual_projection: TorchLinear::new(width, config.projection_dim, device)
                .without_bias(),
            logit_scale: scale.init([1], device),
        })
    }

    /// Loads the picture side of a folder such as `openai/clip-vit-large-patch14` or
    /// `OFA-Sys/chinese-clip-vit-base-patch16`: `config.json` and the weights as
    /// `model.safetensors` or `pytorch_model.bin`.
    ///
    /// The keys of `options` are not used: this module knows the names.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(folder)?;
        let config: ClipConfig = folder.config()?;
        let tower =
            Self::new(&config, device).map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let options = LoadOptions {
            keys: Self::checkpoint_keys(),
            ..options.clone()
        };
        Ok(load(tower, &folder.weights()?, &options)?)
    }

    /// How a file's names lead to the parameters: all have the same names, and these are not used.
    ///
    /// | in the file | why |
    /// |---|---|
    /// | `text_model.*`, `text_projection.*` | the other tower |
    /// | `vision_model.embeddings.position_ids` | the numbers from 0, which older versions saved |
    pub fn checkpoint_keys() -> KeyMap {
        KeyMap::new()
            .unused("text_model")
            .unused("text_projection")
            .unused("vision_model.embeddings.position_ids")
    }
}

impl<B: MpmBackend> ClipVisionTower<B> {
    /// Pictures as embeddings of length 1, in f32.
    ///
    /// # Shapes
    /// - pixel_values: `[pictures, channels, image_size, image_size]`
    /// - output: `[pictures, projection_dim]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn image_embeds(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 2>, VisionError> {
        let pooled = self.vision_model.forward(pixel_values)?.pooled;
        Ok(normalize_rows(self.visual_projection.forward(pooled)))
    }

    /// How well each picture fits each text: `exp(logit_scale) · cosine`, in f32. Higher is better.
    ///
    /// # Shapes
    /// - image_embeds: `[pictures, projection_dim]`
    /// - text_embeds: `[texts, projection_dim]`
    /// - output: `[pictures, texts]`
    ///
    /// # Errors
    /// [`VisionError::EmbeddingWidth`] when the widths differ.
    pub fn scores(
        &self,
        image_embeds: Tensor<B, 2>,
        text_embeds: Tensor<B, 2>,
    ) -> Result<Tensor<B, 2>, VisionError> {
        let ([_, pictures], [_, texts]) = (image_embeds.dims(), text_embeds.dims());
        if pictures != texts {
            return Err(VisionError::EmbeddingWidth { pictures, texts });
        }
        let scale = self.logit_scale.val().cast(DType::F32).exp();
        Ok(cosine_similarity(image_embeds, text_embeds) * scale.unsqueeze())
    }

    /// `[channels, height, width]` of the pictures that are taken.
    pub fn picture_shape(&self) -> [usize; 3] {
        self.vision_model.embeddings.picture_shape()
    }
}

/// The places of `scores` from the best to the worst; equal ones keep their order, and NaN is worse
/// than all others.
pub fn rank(scores: &[f32]) -> Vec<usize> {
    let worth = |&place: &usize| match scores[place] {
        score if score.is_nan() => f32::NEG_INFINITY,
        score => score,
    };
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by(|left, right| worth(right).total_cmp(&worth(left)));
    places
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn the_best_comes_first_and_nan_last() {
        assert!(rank(&[]).is_empty());
        assert_eq!(rank(&[-1.0, f32::NAN, 2.0, 2.0, -3.0]), [2, 3, 0, 4, 1]);
    }
}
