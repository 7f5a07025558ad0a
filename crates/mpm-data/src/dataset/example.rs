//! What all formats become.

use std::{path::PathBuf, sync::Arc};

use super::Origin;
use crate::picture::{Picture, PictureError, PictureLimits};

/// Pictures and a text about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// In the order in which the text comes to them; none for text alone.
    pub pictures: Vec<PictureSource>,
    /// The text.
    pub text: ExampleText,
    /// Where it stands, for reports.
    pub origin: Origin,
}

/// A picture that is not decoded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureSource {
    /// The bytes of a picture file
    Bytes(Arc<[u8]>),
    /// A picture file
    File(PathBuf),
}

impl PictureSource {
    /// Reads and decodes the picture.
    ///
    /// # Errors
    /// The reason why it is no usable picture.
    pub fn decode(&self, limits: &PictureLimits) -> Result<Picture, PictureError> {
        match self {
            Self::Bytes(bytes) => Picture::decode_with(bytes, limits),
            Self::File(path) => Picture::read(path, limits),
        }
    }
}

/// What is said about pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExampleText {
    /// Captions of one picture: several of one language say the same in other words, several
    /// languages the same in others.
    Captions(Vec<Caption>),
    /// A conversation; never empty.
    Dialogue(Dialogue),
}

/// A caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// ISO 639-1, `None` where the data set does not say.
    pub language: Option<String>,
    /// Never empty.
    pub text: String,
}

/// A conversation about pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialogue {
    /// ISO 639-1, `None` where the data set does not say.
    pub language: Option<String>,
    /// The oldest first; never empty.
    pub turns: Vec<DialogueTurn>,
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogueTurn {
    /// Without markers of pictures.
    pub question: String,
    /// Never empty.
    pub answer: String,
}
