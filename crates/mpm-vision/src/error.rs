//! The errors of this crate.

use thiserror::Error;

/// What can go wrong between a configuration, a picture and its features.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VisionError {
    /// A configuration that describes no model.
    #[error("invalid picture encoder configuration: {field} is {value}, but {requirement}")]
    Config {
        /// The offending field of the configuration.
        field: &'static str,
        /// Its value.
        value: String,
        /// What the value has to satisfy.
        requirement: String,
    },

    /// Pixels of a shape that the encoder was not built for.
    #[error(
        "the picture encoder takes pixel values of shape [batch, {}, {}, {}], but got \
         [batch, {}, {}, {}]; resize the picture, or the encoder with `with_image_size`",
        expected[0], expected[1], expected[2], found[0], found[1], found[2]
    )]
    PictureShape {
        /// `[channels, height, width]` of the encoder.
        expected: [usize; 3],
        /// `[channels, height, width]` of the picture.
        found: [usize; 3],
    },

    /// Queries that do not fit the encoder.
    #[error(
        "got {count} queries of width {width}, but the encoder takes 1 to {max_count} queries of \
         width {expected_width}"
    )]
    Queries {
        /// The number of queries given.
        count: usize,
        /// The largest number of queries that have a position embedding.
        max_count: usize,
        /// The width of the queries given.
        width: usize,
        /// The width of the encoder.
        expected_width: usize,
    },

    /// A table of position embeddings that does not hold the grid it is said to hold.
    #[error(
        "cannot interpolate position embeddings: {rows} rows do not hold {extra} extra rows and a \
         {side} x {side} grid of patches, or one of the grids is empty"
    )]
    PositionGrid {
        /// Rows of the table.
        rows: usize,
        /// Rows before the grid.
        extra: usize,
        /// Patches along a side of the grid.
        side: usize,
    },

    /// Embeddings of pictures and texts that do not come from the same model.
    #[error(
        "cannot compare picture embeddings of width {pictures} with text embeddings of width \
         {texts}; take both from the same model"
    )]
    EmbeddingWidth {
        /// Width of the pictures' embeddings.
        pictures: usize,
        /// Width of the texts' embeddings.
        texts: usize,
    },

    /// Pictures that Inception cannot take.
    #[error(
        "Inception takes pixel values of shape [batch, 3, height, width] of at least one pixel, but \
         got {found:?}"
    )]
    InceptionInput {
        /// The shape of the pictures.
        found: [usize; 4],
    },

    /// Statistics of no pictures.
    #[error(
        "the stem cannot be folded without any picture; give it batches of those that it was \
         trained on"
    )]
    NoPictures,

    /// A model's scores hold NaN, so that nothing can be said about a picture.
    #[error(
        "the similarities of picture {picture} hold NaN; the weights are broken, or f16 \
         overflowed: try f32 or bf16"
    )]
    NotANumber {
        /// Which picture of the batch, from 0.
        picture: usize,
    },
}
