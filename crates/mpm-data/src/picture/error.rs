//! Why a picture could not be used.

use std::io;

/// The reason why bytes could not be turned into a [`Picture`](super::Picture).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// There is no file of that name.
    #[error("there is no such file; check the path")]
    Missing(#[source] io::Error),

    /// The file exists but could not be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] io::Error),

    /// The bytes begin like none of the supported formats.
    #[error("not a picture in a supported format (PNG, JPEG, WebP, GIF or BMP)")]
    UnknownFormat,

    /// The picture ends before all of its pixels were read.
    ///
    /// The decoder's message, where the decoder noticed it.
    #[error("the picture is truncated; copy or download the file again")]
    Truncated(#[source] Option<image::ImageError>),

    /// The bytes begin like a picture, but are damaged or use an unsupported variant.
    #[error("the picture is broken: {0}")]
    Broken(#[source] image::ImageError),

    /// The decoder failed with a panic, which is a defect of the decoder on a damaged file.
    #[error("the picture is broken: its decoder stopped with \"{0}\"")]
    DecoderPanicked(String),

    /// The file is larger than [`PictureLimits::max_bytes`](super::PictureLimits::max_bytes).
    #[error("the file has {bytes} bytes, more than the limit of {limit}")]
    TooManyBytes {
        /// Size of the file in bytes (for a stream: the bytes read until the limit was passed).
        bytes: u64,
        /// The limit in use.
        limit: u64,
    },

    /// The picture has more pixels than
    /// [`PictureLimits::max_pixels`](super::PictureLimits::max_pixels).
    #[error(
        "the picture has {width} x {height} pixels, more than the limit of {limit} pixels; \
         scale it down first"
    )]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit in use.
        limit: u64,
    },

    /// Width, height and the number of bytes handed over do not belong together.
    #[error("{bytes} bytes do not make an RGB picture of {width} x {height} pixels")]
    WrongShape {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Number of bytes that were handed over.
        bytes: usize,
    },

    /// A picture could not be written as PNG.
    #[error("the picture cannot be written as PNG: {0}")]
    Encoding(#[source] ::png::EncodingError),

    /// The bytes are no PNG file, the only kind whose texts are read.
    #[error("not a whole PNG file: {0}")]
    NoPng(#[source] ::png::DecodingError),

    /// A compressed text of a PNG file is damaged, or longer than any that is read.
    #[error(
        "the text `{keyword}` of the PNG file is damaged, or has more than {limit} bytes with \
         those before it; remove it from the file"
    )]
    PngText {
        /// The keyword of the text.
        keyword: String,
        /// Bytes of all compressed texts that are read.
        limit: usize,
        /// What the decoder says.
        source: ::png::DecodingError,
    },

    /// Pictures that make no sheet.
    #[error("no sheet can be made of the pictures: {reason}")]
    Sheet {
        /// Why not.
        reason: &'static str,
    },
}
