//! Any colour type to RGB, with the results of Pillow's `Image.convert("RGB")`.
//!
//! Alpha is dropped, not composited: a transparent pixel shows whatever colour is stored under
//! it. Palettes and grey scales below 8 bits are expanded by the decoders already.

use image::ColorType;

use super::rgb::CHANNELS;

/// What 16-bit grey values mean, which the decoded colour type alone does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grey16 {
    /// Clip to 255: Pillow's mode `I;16`, into which it reads 16-bit grey without alpha channel.
    Clip,
    /// Keep the high byte, as for all other 16-bit pictures.
    HighByte,
}

/// Turns the decoder's `pixels` (16-bit samples in native byte order) into RGB.
///
/// `None` for a colour type that none of the supported formats produces.
pub(super) fn to_rgb(mut pixels: Vec<u8>, color: ColorType, grey16: Grey16) -> Option<Vec<u8>> {
    let grey = |sample: [u8; 2]| match grey16 {
        Grey16::Clip => u16::from_ne_bytes(sample).min(255) as u8,
        Grey16::HighByte => high_byte(sample),
    };
    Some(match color {
        ColorType::Rgb8 => pixels,
        ColorType::Rgba8 => {
            shrink::<4>(&mut pixels, |p| [p[0], p[1], p[2]]);
            pixels
        }
        ColorType::L8 => grow::<1>(&pixels, |p| p[0]),
        ColorType::La8 => grow::<2>(&pixels, |p| p[0]),
        ColorType::L16 => grow::<2>(&pixels, grey),
        ColorType::La16 => grow::<4>(&pixels, |p| grey([p[0], p[1]])),
        ColorType::Rgb16 => {
            shrink::<6>(&mut pixels, |p| {
                [
                    high_byte([p[0], p[1]]),
                    high_byte([p[2], p[3]]),
                    high_byte([p[4], p[5]]),
                ]
            });
            pixels
        }
        ColorType::Rgba16 => {
            shrink::<8>(&mut pixels, |p| {
                [
                    high_byte([p[0], p[1]]),
                    high_byte([p[2], p[3]]),
                    high_byte([p[4], p[5]]),
                ]
            });
            pixels
        }
        _ => return None,
    })
}

fn high_byte(sample: [u8; 2]) -> u8 {
    (u16::from_ne_bytes(sample) >> 8) as u8
}

/// Rewrites pixels of `N >= 3` bytes as RGB in the same buffer.
fn shrink<const N: usize>(pixels: &mut Vec<u8>, rgb: impl Fn([u8; N]) -> [u8; CHANNELS]) {
    let count = pixels.len() / N;
    for index in 0..count {
        // The pixel is copied out first because the ranges overlap.
        let mut pixel = [0; N];
        pixel.copy_from_slice(&pixels[index * N..][..N]);
        pixels[index * CHANNELS..][..CHANNELS].copy_from_slice(&rgb(pixel));
    }
    pixels.truncate(count * CHANNELS);
}

/// Repeats the grey value of each pixel of `N` bytes three times.
fn grow<const N: usize>(pixels: &[u8], grey: impl Fn([u8; N]) -> u8) -> Vec<u8> {
    let mut rgb = vec![0; pixels.len() / N * CHANNELS];
    for (out, pixel) in rgb
        .as_chunks_mut::<CHANNELS>()
        .0
        .iter_mut()
        .zip(pixels.as_chunks().0)
    {
        *out = [grey(*pixel); CHANNELS];
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[u16]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect()
    }

    #[test]
    fn alpha_is_dropped_and_not_composited() {
        let rgba = vec![1, 2, 3, 0, 4, 5, 6, 255];
        assert_eq!(
            to_rgb(rgba, ColorType::Rgba8, Grey16::Clip),
            Some(vec![1, 2, 3, 4, 5, 6])
        );
        let la = vec![7, 0, 9, 128];
        assert_eq!(
            to_rgb(la, ColorType::La8, Grey16::Clip),
            Some(vec![7, 7, 7, 9, 9, 9])
        );
    }

    #[test]
    fn sixteen_bit_colours_keep_their_high_byte() {
        let rgb = samples(&[0x0100, 0x02FF, 0xFFFF]);
        assert_eq!(
            to_rgb(rgb, ColorType::Rgb16, Grey16::Clip),
            Some(vec![1, 2, 255])
        );
        let rgba = samples(&[0x0100, 0x02FF, 0xFFFF, 0]);
        assert_eq!(
            to_rgb(rgba, ColorType::Rgba16, Grey16::Clip),
            Some(vec![1, 2, 255])
        );
        let la = samples(&[0x1234, 0]);
        assert_eq!(
            to_rgb(la, ColorType::La16, Grey16::HighByte),
            Some(vec![0x12; 3])
        );
    }

    #[test]
    fn sixteen_bit_grey_is_clipped() {
        let grey = samples(&[0, 254, 255, 256, 65535]);
        let expected = [0, 254, 255, 255, 255]
            .iter()
            .flat_map(|&v| [v; 3])
            .collect();
        assert_eq!(to_rgb(grey, ColorType::L16, Grey16::Clip), Some(expected));
    }

    #[test]
    fn floats_are_refused() {
        assert_eq!(to_rgb(vec![0; 12], ColorType::Rgb32F, Grey16::Clip), None);
    }
}
