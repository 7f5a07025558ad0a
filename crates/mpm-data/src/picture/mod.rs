//! Pictures: decoding, resizing, normalising and augmenting.

mod error;

pub use error::PictureError;
