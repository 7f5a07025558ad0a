//! JPEG files, with the pixels of libjpeg-turbo, which Pillow decodes with.
//!
//! The standard leaves open how the inverse transform rounds and how colour planes of half the
//! size are enlarged. `libjpeg-turbo-rs` makes the choices of libjpeg-turbo bit for bit. The
//! decoder of the crate `image`, `zune-jpeg`, interpolates the colours of the last column and row
//! with the padding of the last block: 7 levels off in photographs, 60 in pictures of few blocks.

mod markers;

use image::error::DecodingError;
use image::{ImageError, ImageFormat};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::decode::check_pixels;
use super::{Picture, PictureError, PictureLimits};

/// Most scans of a picture. Encoders write about ten; every scan is a walk over all coefficients,
/// so a small file with thousands of them would keep the decoder busy for minutes.
const MAX_SCANS: usize = 256;

/// Number of components of CMYK and YCCK pictures.
const CMYK_COMPONENTS: usize = 4;

/// Decodes a grey or colour picture to RGB.
///
/// `None` where the decoder of `image` has to take over: for CMYK, because `libjpeg-turbo-rs` 0.9
/// panics on planes of different sizes, and for what `libjpeg-turbo-rs` calls unsupported.
pub(super) fn decode(
    bytes: &[u8],
    limits: &PictureLimits,
) -> Result<Option<Picture>, PictureError> {
    if !markers::is_complete(bytes) {
        // Decoders may paint the missing part grey instead of failing.
        return Err(PictureError::Truncated(None));
    }
    let decoder_limits = DecodeLimits {
        max_scans: MAX_SCANS,
        ..DecodeLimits::default()
    };
    let mut decoder = match Decoder::new_with_limits(bytes, decoder_limits) {
        Ok(decoder) => decoder,
        Err(error) => return none_if_unsupported(error),
    };
    let header = decoder.header();
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    check_pixels(width, height, limits)?;
    if header.components.len() == CMYK_COMPONENTS {
        return Ok(None);
    }
    decoder.set_output_format(PixelFormat::Rgb);
    match decoder.decode_image() {
        Ok(image) => Picture::from_rgb(width, height, image.data).map(Some),
        Err(error) => none_if_unsupported(error),
    }
}

fn none_if_unsupported(error: JpegError) -> Result<Option<Picture>, PictureError> {
    let decoding =
        |error| ImageError::Decoding(DecodingError::new(ImageFormat::Jpeg.into(), error));
    match error {
        JpegError::Unsupported(_) => Ok(None),
        JpegError::UnexpectedEof => Err(PictureError::Truncated(Some(decoding(error)))),
        error => Err(PictureError::Broken(decoding(error))),
    }
}
