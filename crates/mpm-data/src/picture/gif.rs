//! The first frame of a GIF, placed on its logical screen as Pillow does.

use gif::{ColorOutput, DecodeOptions, DecodingError};
use image::{ImageError, ImageFormat};

use super::decode::{check_pixels, classify};
use super::rgb::CHANNELS;
use super::{Picture, PictureError, PictureLimits};

/// Decodes the first frame to RGB.
///
/// The crate `image` leaves transparent black where a frame does not cover the screen and cuts
/// off what reaches beyond it; Pillow fills with the transparent colour (else with the first
/// one) and enlarges the screen. Therefore indices are read here and looked up in the palette.
pub(super) fn decode_first_frame(
    bytes: &[u8],
    limits: &PictureLimits,
) -> Result<Picture, PictureError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let mut decoder = options.read_info(bytes).map_err(gif_error)?;
    let screen = [u32::from(decoder.width()), u32::from(decoder.height())];
    check_pixels(screen[0], screen[1], limits)?;

    let frame = decoder
        .next_frame_info()
        .map_err(gif_error)?
        .ok_or_else(|| gif_error(DecodingError::UnexpectedEof))?;
    let [left, top, frame_width, frame_height] =
        [frame.left, frame.top, frame.width, frame.height].map(u32::from);
    let transparent = frame.transparent;
    let width = screen[0].max(left + frame_width);
    let height = screen[1].max(top + frame_height);
    check_pixels(width, height, limits)?;

    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(gif_error)?;
    let palette = Palette::new(decoder.palette().unwrap_or_default());

    let background = palette.color(transparent.unwrap_or(0));
    let mut pixels = background.repeat(width as usize * height as usize);
    let stride = width as usize * CHANNELS;
    let rows = pixels[top as usize * stride..].chunks_exact_mut(stride);
    if frame_width > 0 {
        for (row, indices) in rows.zip(indices.chunks_exact(frame_width as usize)) {
            let row = row[left as usize * CHANNELS..]
                .as_chunks_mut::<CHANNELS>()
                .0;
            for (pixel, &index) in row.iter_mut().zip(indices) {
                *pixel = palette.color(index);
            }
        }
    }
    Picture::from_rgb(width, height, pixels)
}

/// All 256 colours; those that the file does not define are grey levels, as in Pillow.
struct Palette([[u8; CHANNELS]; 256]);

impl Palette {
    fn new(bytes: &[u8]) -> Self {
        let mut colors = std::array::from_fn(|level| [level as u8; CHANNELS]);
        for (color, defined) in colors.iter_mut().zip(bytes.as_chunks().0) {
            *color = *defined;
        }
        Self(colors)
    }

    fn color(&self, index: u8) -> [u8; CHANNELS] {
        self.0[usize::from(index)]
    }
}

fn gif_error(error: DecodingError) -> PictureError {
    classify(match error {
        DecodingError::Io(error) => ImageError::IoError(error),
        DecodingError::UnexpectedEof => {
            ImageError::IoError(std::io::ErrorKind::UnexpectedEof.into())
        }
        error => ImageError::Decoding(image::error::DecodingError::new(
            ImageFormat::Gif.into(),
            error,
        )),
    })
}
