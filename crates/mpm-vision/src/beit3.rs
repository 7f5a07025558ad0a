//! BEiT-3 as a picture encoder.
//!
//! Source: "Image as a Foreign Language" (<https://arxiv.org/abs/2208.10442>),
//! torchscale's `model/BEiT3.py` and VisCPM's `models/beit3.py`. The parts that
//! serve text input and masked picture modelling are left out, see
//! [`UNUSED_KEYS`](crate::UNUSED_KEYS).

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, linear_layers};

use crate::{
    PictureEncoder, VisionError,
    config::Beit3Config,
    embedding::{POSITION_OFFSET, VisionEmbedding},
    encoder::Encoder,
    interpolation::resize_positions,
};

/// Tokens before those of the patches.
pub(crate) const CLASS_TOKENS: usize = 1;

/// Rows of the picture's position table before those of the patches: the two
/// unused ones and that of the class token.
const ROWS_BEFORE_PATCHES: usize = POSITION_OFFSET + CLASS_TOKENS;

/// A BEiT-3 encoder; made by [`Beit3Config::init`].
#[derive(Module, Debug)]
pub struct Beit3<B: Backend> {
    /// From pixels to tokens.
    pub vision_embed: VisionEmbedding<B>,
    /// From tokens to features.
    pub encoder: Encoder<B>,
}

linear_layers!(Beit3 { encoder });

impl Beit3Config {
    /// Makes an encoder with random weights.
    ///
    /// Weights are drawn when first read, so loading a checkpoint right after
    /// costs no random numbers and no second copy.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Beit3<B>, VisionError> {
        self.validate()?;
        Ok(Beit3 {
            vision_embed: VisionEmbedding::new(self, device),
            encoder: Encoder::new(self, device),
        })
    }
}

impl<B: Backend> Beit3<B> {
    /// Width of a token.
    pub fn d_model(&self) -> usize {
        self.vision_embed.proj.weight.shape()[0]
    }

    /// Tokens of a picture: one class token and one per patch.
    pub fn num_picture_tokens(&self) -> usize {
        1 + self.vision_embed.grid_size().pow(2)
    }

    /// The largest number of queries that have a position.
    pub fn max_queries(&self) -> usize {
        self.encoder.embed_positions.B.weight.shape()[0] - POSITION_OFFSET
    }

    /// The same encoder for pictures of another size, with interpolated
    /// positions (see [`interpolate_positions`](crate::interpolate_positions)): a
    /// model trained at 224 px continues at 448 px.
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that is not a positive multiple of the
    /// patch size, or larger than that of any model.
    pub fn with_image_size(mut self, image_size: usize) -> Result<Self, VisionError> {
        let from = self.vision_embed.grid_size();
        self.vision_embed = self.vision_embed.with_image_size(image_size)?;
        let to = self.vision_embed.grid_size();
        let table = &mut self.encoder.embed_positions.A.weight;
        resize_positions(table, ROWS_BEFORE_PATCHES, from, to)?;
        Ok(self)
    }
}

impl<B: MpmBackend> Beit3<B> {
    /// Encodes pictures; with queries only their states come back.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - queries: `[num_queries, d_model]`, the same for the whole batch
    /// - output: `[batch, num_queries, d_model]`, without queries
    ///   `[batch, num_picture_tokens, d_model]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] and [`VisionError::Queries`] when the
    /// input does not fit the encoder.
    pub fn forward(
        &self,
        pixel_values: Tensor<B, 4>,
        queries: Option<Tensor<B, 2>>,
    ) -> Result<Tensor<B, 3>, VisionError> {
        if let Some(queries) = &queries {
            self.check_queries(queries.dims())?;
        }
        let picture = self.vision_embed.forward(pixel_values)?;
        Ok(self.encoder.forward(self.encoder.embed(picture, queries)))
    }

    fn check_queries(&self, [count, width]: [usize; 2]) -> Result<(), VisionError> {
        let (max_count, expected_width) = (self.max_queries(), self.d_model());
        if (1..=max_count).contains(&count) && width == expected_width {
            return Ok(());
        }
        Err(VisionError::Queries {
            count,
            max_count,
            width,
            expected_width,
        })
    }
}

/// Features are the picture's tokens, the class token first.
impl<B: MpmBackend> PictureEncoder<B> for Beit3<B> {
    fn picture_shape(&self) -> [usize; 3] {
        self.vision_embed.picture_shape()
    }

    fn features_shape(&self) -> [usize; 2] {
        [self.num_picture_tokens(), self.d_model()]
    }

    fn encode(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        self.forward(pixel_values, None)
    }
}
