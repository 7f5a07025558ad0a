//! What figures cannot be taken from.

use crate::BoxError;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureMetricError {
    /// Features of another width than those before, or of the other set.
    #[error(
        "features of width {found} cannot be compared with features of width {expected}; take both \
         from the same network"
    )]
    FeatureWidth {
        /// Width of the first features.
        expected: usize,
        /// Width of the others.
        found: usize,
    },

    /// A covariance needs two samples.
    #[error("a set of {found} features has no covariance; give at least 2 pictures")]
    FewSamples {
        /// Features in the set.
        found: usize,
    },

    /// Features or embeddings hold NaN or infinity.
    #[error(
        "the {what} of input {row} hold {value}; the weights are broken, or f16 overflowed: try \
         f32 or bf16"
    )]
    NotFinite {
        /// `features`, `picture embeddings` or `text embeddings`.
        what: &'static str,
        /// Which input of the batch, from 0.
        row: usize,
        /// The value.
        value: f64,
    },

    /// Features so large that their squares have no place in f64.
    #[error("the features are too large for a covariance in f64; scale them down")]
    Overflow,

    /// Embeddings that are no pairs, or do not come from the same model.
    #[error(
        "picture embeddings {pictures:?} and text embeddings {texts:?} are no pairs: both must be \
         [pairs, width], the same"
    )]
    Pairs {
        /// Shape of the pictures' embeddings.
        pictures: [usize; 2],
        /// Shape of the texts' embeddings.
        texts: [usize; 2],
    },

    /// Embeddings of different models.
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

    /// A mean over nothing.
    #[error("there are no pictures and texts to compare; give at least 1 of each")]
    Empty,

    /// Another number of texts than of statements which picture they belong to.
    #[error(
        "{texts} texts were given, and the pictures of {owners}; name one picture for each text"
    )]
    OwnerCount {
        /// Texts.
        texts: usize,
        /// Statements.
        owners: usize,
    },

    /// A text of a picture that does not exist.
    #[error("text {text} is said to belong to picture {picture}, but there are only {pictures}")]
    Owner {
        /// The text, from 0.
        text: usize,
        /// Its picture, from 0.
        picture: usize,
        /// Pictures.
        pictures: usize,
    },

    /// A picture without a text, which nothing could find.
    #[error("picture {picture} has no text; leave it out, or give it one")]
    NoText {
        /// The picture, from 0.
        picture: usize,
    },

    /// An encoder failed.
    #[error("the {what} could not be embedded")]
    Encoder {
        /// `pictures` or `texts`.
        what: &'static str,
        /// The encoder's error.
        source: BoxError,
    },

    /// The singular values of two covariances' factors were not found.
    #[error(
        "the singular values for a Fréchet distance of features of width {width} were not found"
    )]
    SingularValues {
        /// Width of the features.
        width: usize,
    },
}
