//! Pictures: decoding, resizing, normalising and augmenting.
//!
//! Files and bytes become a [`Picture`] (RGB, 8 bits per channel), and pictures become
//! [`PixelValues`] (`[3, height, width]`, normalised): for inference by a [`PicturePreprocessor`]
//! or, for CLIP, a [`ClipImageProcessor`], for training by a
//! [`TrainAugmentation`](augment::TrainAugmentation). Each step gives the pixels that Pillow,
//! torchvision and OpenCV give in the reference implementation.

pub mod augment;
mod clip;
mod convert;
mod crop;
mod decode;
mod error;
mod gif;
mod jpeg;
mod limits;
mod png;
mod preprocess;
mod resize;
mod rgb;
mod sheet;

pub use clip::ClipImageProcessor;
pub use error::PictureError;
pub use limits::{DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS, PictureLimits};
pub use png::png_texts;
pub use preprocess::{PicturePreprocessor, PixelValues};
pub use rgb::Picture;
pub use sheet::{contact_sheet, sheet_size};
