//! What a language model needs from a picture encoder.

use burn::tensor::{Tensor, backend::Backend};

use crate::VisionError;

/// Turns pictures into features that take the place of token embeddings.
pub trait PictureEncoder<B: Backend> {
    /// `[channels, height, width]` of the pictures that are taken.
    fn picture_shape(&self) -> [usize; 3];

    /// `[num_features, width]` of the features of one picture.
    fn features_shape(&self) -> [usize; 2];

    /// Encodes a batch of pictures.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, height, width]`, normalised as the
    ///   encoder was trained
    /// - output: `[batch, num_features, width]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    fn encode(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError>;
}
