//! The check of pictures that comes with Stable Diffusion and that VisCPM-Paint uses.

use std::path::Path;

use burn::{
    module::{Initializer, Module, Param},
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::TorchLinear,
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{KeyMap, LoadOptions, WeightFile, load},
};

use super::{
    concepts::{ConceptRules, SafetyReport},
    config::ClipConfig,
    similarity::cosine_similarity,
    vision_model::ClipVision,
};
use crate::VisionError;

/// Unwanted concepts of the published checker.
pub const NUM_CONCEPTS: usize = 17;

/// Special-care concepts of the published checker.
pub const NUM_SPECIAL_CARE: usize = 3;

/// Compares pictures with embeddings of unwanted concepts.
///
/// It has false positives and false negatives; a [`SafetyReport`] has all scores, so that a
/// program may be stricter than the rules.
#[derive(Module, Debug)]
pub struct SafetyChecker<B: Backend> {
    /// The vision transformer.
    pub vision_model: ClipVision<B>,
    /// Projection to the width of the embeddings, without a bias.
    pub visual_projection: TorchLinear<B>,
    /// The unwanted concepts, `[17, projection_dim]`.
    pub concept_embeds: Param<Tensor<B, 2>>,
    /// The concepts that make the check stricter, `[3, projection_dim]`.
    pub special_care_embeds: Param<Tensor<B, 2>>,
    /// The thresholds of the unwanted concepts, `[17]`.
    pub concept_embeds_weights: Param<Tensor<B, 1>>,
    /// The thresholds of the special-care concepts, `[3]`.
    pub special_care_embeds_weights: Param<Tensor<B, 1>>,
}

impl<B: Backend> SafetyChecker<B> {
    /// A checker with random weights, whose thresholds of 1 no picture is above.
    ///
    /// # Errors
    /// See [`ClipConfig::validate`].
    pub fn new(config: &ClipConfig, device: &B::Device) -> Result<Self, VisionError> {
        config.validate()?;
        let width = config.projection_dim;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        let thresholds = |count| Initializer::Ones.init([count], device);
        Ok(Self {
            vision_model: config.vision_config.init(device)?,
            visual_projection: TorchLinear::new(config.vision_config.hidden_size, width, device)
                .without_bias(),
            concept_embeds: normal.init([NUM_CONCEPTS, width], device),
            special_care_embeds: normal.init([NUM_SPECIAL_CARE, width], device),
            concept_embeds_weights: thresholds(NUM_CONCEPTS),
            special_care_embeds_weights: thresholds(NUM_SPECIAL_CARE),
        })
    }

    /// Loads a folder such as `CompVis/stable-diffusion-safety-checker`: `config.json` and the
    /// weights as `model.safetensors` or `pytorch_model.bin`.
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
        let checker =
            Self::new(&config, device).map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let weights = folder.weights()?;
        let options = LoadOptions {
            keys: Self::checkpoint_keys(&weights),
            ..options.clone()
        };
        Ok(load(checker, &weights, &options)?)
    }

    /// How a file's names lead to the parameters.
    ///
    /// | in the file | in the module |
    /// |---|---|
    /// | `vision_model.vision_model.*`, as `CLIPVisionModel` nests its transformer | `vision_model.*` |
    /// | `vision_model.*`, one level less, where there is no such nesting | the same |
    /// | `….embeddings.position_ids` | nowhere: the numbers from 0, which older versions saved |
    pub fn checkpoint_keys(file: &WeightFile) -> KeyMap {
        const NESTED: &str = "vision_model.vision_model";
        let mut names = file.tensors().keys();
        let keys = match names.any(|name| name.starts_with(NESTED)) {
            true => KeyMap::new().rename(NESTED, "vision_model"),
            false => KeyMap::new(),
        };
        keys.unused("vision_model.vision_model.embeddings.position_ids")
            .unused("vision_model.embeddings.position_ids")
    }
}

impl<B: MpmBackend> SafetyChecker<B> {
    /// Judges each picture of a batch by itself.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`, prepared as CLIP was trained
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape, [`VisionError::NotANumber`]
    /// where NaN would pass for harmless.
    pub fn check(&self, pixel_values: Tensor<B, 4>) -> Result<Vec<SafetyReport>, VisionError> {
        let embeds = self.image_embeds(pixel_values)?;
        let special_care = cosine_similarity(embeds.clone(), self.special_care_embeds.val());
        let concepts = cosine_similarity(embeds, self.concept_embeds.val());
        let rules = ConceptRules {
            special_care_thresholds: numbers(self.special_care_embeds_weights.val()),
            concept_thresholds: numbers(self.concept_embeds_weights.val()),
        };
        let (special_care, concepts) = (numbers(special_care), numbers(concepts));
        let special_care = special_care.chunks_exact(rules.special_care_thresholds.len());
        let concepts = concepts.chunks_exact(rules.concept_thresholds.len());
        special_care
            .zip(concepts)
            .enumerate()
            .map(|(picture, (special_care, concepts))| {
                let report = rules.judge(special_care, concepts);
                match report.is_sound() {
                    true => Ok(report),
                    false => Err(VisionError::NotANumber { picture }),
                }
            })
            .collect()
    }

    /// Pictures as embeddings of any length.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, projection_dim]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn image_embeds(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 2>, VisionError> {
        let pooled = self.vision_model.forward(pixel_values)?.pooled;
        Ok(self.visual_projection.forward(pooled))
    }

    /// `[channels, height, width]` of the pictures that are taken.
    pub fn picture_shape(&self) -> [usize; 3] {
        self.vision_model.embeddings.picture_shape()
    }
}

/// Values on the host.
fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.cast(DType::F32).into_data().iter().collect()
}
