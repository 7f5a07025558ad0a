//! From files and bytes to RGB.

use std::any::Any;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::convert::{Grey16, to_rgb};
use super::{Picture, PictureError, PictureLimits, gif, jpeg};
use crate::DataError;

/// Most bytes a decoder needs for one pixel: 16-bit RGBA.
const MAX_BYTES_PER_PIXEL: u64 = 8;

/// What a decoder may allocate beside the pixels: tables, palettes, one row, compressed chunks.
const DECODER_OVERHEAD: u64 = 64 * 1024 * 1024;

impl Picture {
    /// Reads a PNG, JPEG, WebP, GIF (first frame) or BMP file as RGB, within the default
    /// [`PictureLimits`].
    ///
    /// The format is recognised by the content, not by the file's name. Pixels are those of
    /// Pillow's `Image.open(path).convert("RGB")`: alpha is dropped without compositing, an
    /// EXIF orientation and colour profiles are ignored, 16-bit grey is clipped to 255. Only
    /// JPEG in CMYK differs: by 1 or 2 levels, and by tens of levels at the edges where planes
    /// of the file are reduced in size.
    ///
    /// # Errors
    /// [`DataError::Picture`] with the path and the reason, see [`PictureError`].
    ///
    /// ```
    /// use mpm_data::{DataError, picture::{Picture, PictureError}};
    ///
    /// let error = Picture::open("no such file.png").unwrap_err();
    /// assert!(matches!(error, DataError::Picture { source: PictureError::Missing(_), .. }));
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::open_with(path, &PictureLimits::default())
    }

    /// Like [`open`](Self::open) with other limits.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, limits: &PictureLimits) -> Result<Self, DataError> {
        let path = path.as_ref();
        Self::read(path, limits).map_err(|source| DataError::Picture {
            path: path.to_owned(),
            source,
        })
    }

    /// The same, for who knows the path.
    pub(crate) fn read(path: &Path, limits: &PictureLimits) -> Result<Self, PictureError> {
        read_file(path, limits).and_then(|bytes| Self::decode_with(&bytes, limits))
    }

    /// Decodes the bytes of a picture file, see [`open`](Self::open).
    ///
    /// # Errors
    /// The reason why these bytes are no usable picture.
    ///
    /// ```
    /// use mpm_data::picture::{Picture, PictureError};
    ///
    /// assert!(matches!(Picture::decode(b"some text"), Err(PictureError::UnknownFormat)));
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        Self::decode_with(bytes, &PictureLimits::default())
    }

    /// Like [`decode`](Self::decode) with other limits.
    ///
    /// # Errors
    /// As for [`decode`](Self::decode).
    pub fn decode_with(bytes: &[u8], limits: &PictureLimits) -> Result<Self, PictureError> {
        if bytes.len() as u64 > limits.max_bytes {
            return Err(PictureError::TooManyBytes {
                bytes: bytes.len() as u64,
                limit: limits.max_bytes,
            });
        }
        // Decoders of damaged files are the likeliest place for a panic in code that is not
        // ours; one bad file must not end a server or a training run. The decoders own all of
        // their state, so nothing half-changed survives.
        catch_unwind(AssertUnwindSafe(|| decode(bytes, limits)))
            .unwrap_or_else(|panic| Err(PictureError::DecoderPanicked(panic_message(&*panic))))
    }
}

fn read_file(path: &Path, limits: &PictureLimits) -> Result<Vec<u8>, PictureError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PictureError::Missing(error),
        _ => PictureError::Unreadable(error),
    })?;
    let size = file.metadata().map_err(PictureError::Unreadable)?.len();
    let too_many = |bytes| PictureError::TooManyBytes {
        bytes,
        limit: limits.max_bytes,
    };
    if size > limits.max_bytes {
        return Err(too_many(size));
    }
    // Pipes and growing files can hold more than their metadata says.
    let mut bytes = Vec::with_capacity(size as usize + 1);
    file.take(limits.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(PictureError::Unreadable)?;
    if bytes.len() as u64 > limits.max_bytes {
        return Err(too_many(bytes.len() as u64));
    }
    Ok(bytes)
}

fn decode(bytes: &[u8], limits: &PictureLimits) -> Result<Picture, PictureError> {
    let format = image::guess_format(bytes).map_err(|_| PictureError::UnknownFormat)?;
    match format {
        ImageFormat::Gif => return gif::decode_first_frame(bytes, limits),
        ImageFormat::Jpeg => {
            if let Some(picture) = jpeg::decode(bytes, limits)? {
                return Ok(picture);
            }
        }
        ImageFormat::WebP if !webp_is_complete(bytes) => return Err(PictureError::Truncated(None)),
        ImageFormat::Png | ImageFormat::WebP | ImageFormat::Bmp => {}
        _ => return Err(PictureError::UnknownFormat),
    }

    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allocation = Limits::no_limits();
    allocation.max_alloc = Some(
        limits
            .max_pixels
            .saturating_mul(MAX_BYTES_PER_PIXEL)
            .saturating_add(DECODER_OVERHEAD),
    );
    reader.limits(allocation);
    let decoder = reader.into_decoder().map_err(classify)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, limits)?;
    let color = decoder.color_type();
    let mut pixels = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut pixels).map_err(classify)?;

    let grey16 = match format {
        ImageFormat::Png if png_has_alpha_channel(bytes) => Grey16::HighByte,
        _ => Grey16::Clip,
    };
    let pixels = to_rgb(pixels, color, grey16).ok_or_else(|| {
        PictureError::Broken(unsupported(format, format!("colour type {color:?}")))
    })?;
    Picture::from_rgb(width, height, pixels)
}

/// Refuses headers that announce more pixels than allowed.
pub(super) fn check_pixels(
    width: u32,
    height: u32,
    limits: &PictureLimits,
) -> Result<(), PictureError> {
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(PictureError::TooManyPixels {
            width,
            height,
            limit: limits.max_pixels,
        });
    }
    Ok(())
}

/// Whether the header of a PNG says "grey with alpha", which Pillow treats differently at 16
/// bits than grey with one transparent value. The decoder reports both alike.
fn png_has_alpha_channel(bytes: &[u8]) -> bool {
    // Signature (8), chunk length (4), "IHDR" (4), width (4), height (4), bit depth (1).
    const COLOR_TYPE_OFFSET: usize = 25;
    const ALPHA_BIT: u8 = 4;
    bytes
        .get(COLOR_TYPE_OFFSET)
        .is_some_and(|color_type| color_type & ALPHA_BIT != 0)
}

/// Whether a WebP file is as long as its RIFF header says; its decoders call a missing end a
/// damaged bit stream.
fn webp_is_complete(bytes: &[u8]) -> bool {
    // "RIFF" (4), length of all that follows the length itself (4).
    match bytes.get(4..8).and_then(|length| length.try_into().ok()) {
        Some(length) => bytes.len() as u64 >= 8 + u64::from(u32::from_le_bytes(length)),
        None => false,
    }
}

/// Sorts a decoder's error into truncated or broken.
pub(super) fn classify(error: ImageError) -> PictureError {
    let truncated = match &error {
        ImageError::IoError(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    };
    if truncated {
        PictureError::Truncated(Some(error))
    } else {
        PictureError::Broken(error)
    }
}

fn unsupported(format: ImageFormat, feature: String) -> ImageError {
    use image::error::{UnsupportedError, UnsupportedErrorKind};
    ImageError::Unsupported(UnsupportedError::from_format_and_kind(
        format.into(),
        UnsupportedErrorKind::GenericFeature(feature),
    ))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
