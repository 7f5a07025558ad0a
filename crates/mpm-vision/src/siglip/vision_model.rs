//! The vision transformer as a whole.

use std::path::Path;

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::{LayerNorm, clip::ClipEncoder},
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{KeyMap, LoadOptions, WeightFile, load},
};

use super::{
    config::{SiglipConfig, SiglipVisionConfig},
    embeddings::SiglipVisionEmbeddings,
    pooling_head::SiglipPoolingHead,
};
use crate::{FeatureSelection, PictureEncoder, VisionError};

/// SigLIP's vision transformer; made by [`SiglipVisionConfig::init`].
#[derive(Module, Debug)]
pub struct SiglipVision<B: Backend> {
    /// From pixels to tokens.
    pub embeddings: SiglipVisionEmbeddings<B>,
    /// The layers.
    pub encoder: ClipEncoder<B>,
    /// Norm of the last states.
    pub post_layernorm: LayerNorm<B>,
    /// What makes one state of all; see [`SiglipVisionConfig::vision_use_head`].
    pub head: Option<SiglipPoolingHead<B>>,
}

linear_layers!(SiglipVision { encoder, head });

/// What the transformer makes of pictures.
#[derive(Clone, Debug)]
pub struct SiglipVisionOutput<B: Backend> {
    /// The normalised states of all patches after the last layer, `[batch, patches, hidden_size]`.
    pub last_hidden_state: Tensor<B, 3>,
    /// What the head makes of them, `[batch, hidden_size]`; `None` without a head.
    pub pooled: Option<Tensor<B, 2>>,
}

impl SiglipVisionConfig {
    /// Makes a transformer with random weights, drawn when they are first read.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<SiglipVision<B>, VisionError> {
        self.validate()?;
        let head = self.vision_use_head;
        Ok(SiglipVision {
            embeddings: SiglipVisionEmbeddings::new(self, device),
            encoder: ClipEncoder::new(&self.encoder(), device),
            post_layernorm: LayerNorm::new(self.hidden_size, self.layer_norm_eps, device),
            head: head.then(|| SiglipPoolingHead::new(self, device)),
        })
    }
}

impl<B: Backend> SiglipVision<B> {
    /// Loads the picture side of a folder such as `google/siglip-so400m-patch14-384` or
    /// `google/siglip2-base-patch16-224`: `config.json` and the weights as `model.safetensors` or
    /// `pytorch_model.bin`, of the whole model or of this side alone.
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
        let config: SiglipConfig = folder.config()?;
        let fresh = config.vision_config.init(device);
        let fresh = fresh.map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let weights = folder.weights()?;
        let options = LoadOptions {
            keys: Self::checkpoint_keys(&weights),
            ..options.clone()
        };
        Ok(load(fresh, &weights, &options)?)
    }

    /// How a file's names lead to the parameters.
    ///
    /// | in the file | in the module |
    /// |---|---|
    /// | `vision_model.*`, or without it where nothing lies below it | the same without `vision_model` |
    /// | `text_model.*` | nowhere: the other tower |
    /// | `logit_scale`, `logit_bias` | nowhere: they compare pictures with texts |
    /// | `vision_model.embeddings.position_ids` | nowhere: the numbers from 0, which older versions saved |
    pub fn checkpoint_keys(file: &WeightFile) -> KeyMap {
        let mut names = file.tensors().keys();
        let keys = match names.any(|name| name.starts_with("vision_model.")) {
            true => KeyMap::new().rename("vision_model", ""),
            false => KeyMap::new(),
        };
        keys.unused("text_model")
            .unused("logit_scale")
            .unused("logit_bias")
            .unused("vision_model.embeddings.position_ids")
    }

    /// The same transformer for pictures of another size, with positions as
    /// [`SiglipVisionConfig::position_resize`] says.
    ///
    /// Each call resizes the positions that are there: start from the loaded module each time, for
    /// what one size has lost does not come back with the next.
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that holds no patch, or larger than that of any model.
    pub fn with_image_size(mut self, image_size: usize) -> Result<Self, VisionError> {
        self.embeddings = self.embeddings.with_image_size(image_size)?;
        Ok(self)
    }
}

impl<B: MpmBackend> SiglipVision<B> {
    /// Encodes pictures.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn forward(
        &self,
        pixel_values: Tensor<B, 4>,
    ) -> Result<SiglipVisionOutput<B>, VisionError> {
        let last_hidden_state = self.encode(pixel_values)?;
        let head = self.head.as_ref();
        Ok(SiglipVisionOutput {
            pooled: head.map(|head| head.forward(last_hidden_state.clone())),
            last_hidden_state,
        })
    }

    /// The chosen states; the layers behind them are not run.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, patches, hidden_size]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape, [`VisionError::Config`] when
    /// there is no such layer.
    pub fn select(
        &self,
        pixel_values: Tensor<B, 4>,
        selection: FeatureSelection,
    ) -> Result<Tensor<B, 3>, VisionError> {
        match selection.layers(self.encoder.layers.len())? {
            None => self.encode(pixel_values),
            Some(layers) => {
                let tokens = self.embeddings.forward(pixel_values)?;
                Ok(self.encoder.forward_first(layers, tokens, None))
            }
        }
    }
}

/// Features are the normalised states of all patches.
impl<B: MpmBackend> PictureEncoder<B> for SiglipVision<B> {
    fn picture_shape(&self) -> [usize; 3] {
        self.embeddings.picture_shape()
    }

    fn features_shape(&self) -> [usize; 2] {
        self.embeddings.position_embedding.weight.shape().dims()
    }

    fn encode(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        let tokens = self.embeddings.forward(pixel_values)?;
        Ok(self
            .post_layernorm
            .forward(self.encoder.forward(tokens, None)))
    }
}
