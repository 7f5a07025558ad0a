//! Operations on colours and lines that change by what hand a thing seems drawn.

use super::tone::map_levels;
use crate::picture::Picture;
use crate::picture::rgb::CHANNELS;

/// What red, green and blue weigh in the brightness of a pixel (ITU-R BT.601, as in Pillow).
const LUMA: [f32; CHANNELS] = [0.299, 0.587, 0.114];

/// Maps each channel's levels, as fractions of 255, to `gain · level^gamma`; what is beyond 255
/// is clipped.
pub fn curves(picture: &Picture, gains: [f32; CHANNELS], gammas: [f32; CHANNELS]) -> Picture {
    map_levels(picture, |channel| {
        let (gain, gamma) = (gains[channel], gammas[channel]);
        std::array::from_fn(|level| to_level(gain * (level as f32 / 255.0).powf(gamma)))
    })
}

/// Turns all hues by `turns` of the full circle: the colours are rotated around the greys, and
/// clipped.
pub fn turn_hue(picture: &Picture, turns: f32) -> Picture {
    let (sin, cos) = (turns * std::f32::consts::TAU).sin_cos();
    // The rotation around the direction (1, 1, 1).
    let own = cos + (1.0 - cos) / 3.0;
    let before = (1.0 - cos) / 3.0 - sin / 3f32.sqrt();
    let after = (1.0 - cos) / 3.0 + sin / 3f32.sqrt();
    map_pixels(picture, |[red, green, blue]| {
        [
            own * red + before * green + after * blue,
            after * red + own * green + before * blue,
            before * red + after * green + own * blue,
        ]
    })
}

/// Blends the picture (0) with its greys (1).
pub fn fade(picture: &Picture, share: f32) -> Picture {
    map_pixels(picture, |pixel| {
        let grey = luma(pixel);
        pixel.map(|level| level + share * (grey - level))
    })
}

/// Rounds each channel to one of so many evenly spaced levels, 2 or more: black and full
/// brightness stay.
pub fn posterize(picture: &Picture, levels: u8) -> Picture {
    let steps = f32::from(levels.max(2) - 1);
    map_levels(picture, |_| {
        std::array::from_fn(|level| to_level((level as f32 / 255.0 * steps).round() / steps))
    })
}

/// Darkens what lies on an edge, as if outlines were drawn: 0 gives the picture itself. At 1 a
/// pixel turns black where the brightness within 3 x 3 pixels spans half of the range.
pub fn outline(picture: &Picture, strength: f32) -> Picture {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.pixels().as_chunks::<CHANNELS>().0;
    let brightness: Vec<f32> = pixels.iter().map(|pixel| luma(fractions(*pixel))).collect();
    let around = |at: usize, end: usize| at.saturating_sub(1)..(at + 2).min(end);
    let mut darkened = Vec::with_capacity(picture.pixels().len());
    for (index, pixel) in pixels.iter().enumerate() {
        let (mut low, mut high) = (1f32, 0f32);
        for y in around(index / width, height) {
            for &level in &brightness[y * width..][around(index % width, width)] {
                low = low.min(level);
                high = high.max(level);
            }
        }
        let kept = 1.0 - strength * (2.0 * (high - low)).clamp(0.0, 1.0);
        darkened.extend(pixel.map(|level| (f32::from(level) * kept).round() as u8));
    }
    Picture::from_own_buffer(picture.width(), picture.height(), darkened)
}

/// Replaces each pixel, its channels as fractions of 255.
fn map_pixels(picture: &Picture, change: impl Fn([f32; CHANNELS]) -> [f32; CHANNELS]) -> Picture {
    let mut pixels = picture.pixels().to_vec();
    for pixel in pixels.as_chunks_mut::<CHANNELS>().0 {
        *pixel = change(fractions(*pixel)).map(to_level);
    }
    Picture::from_own_buffer(picture.width(), picture.height(), pixels)
}

fn fractions(pixel: [u8; CHANNELS]) -> [f32; CHANNELS] {
    pixel.map(|level| f32::from(level) / 255.0)
}

/// Float to integer casts saturate.
fn to_level(fraction: f32) -> u8 {
    (fraction * 255.0).round() as u8
}

fn luma(pixel: [f32; CHANNELS]) -> f32 {
    pixel
        .iter()
        .zip(LUMA)
        .map(|(level, part)| level * part)
        .sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn pixel(colour: [u8; 3]) -> Picture {
        Picture::from_rgb(1, 1, colour.to_vec()).unwrap()
    }

    #[test]
    fn curves_scale_and_bend_each_channel() {
        let changed = curves(&pixel([100, 64, 200]), [0.5, 1.0, 2.0], [1.0, 0.5, 1.0]);
        // The root of 64 / 255 is 0.501.
        assert_eq!(changed, pixel([50, 128, 255]));
    }

    #[test]
    fn a_third_of_a_turn_exchanges_the_channels() {
        let colour = pixel([200, 10, 60]);
        assert_eq!(turn_hue(&colour, 0.0), colour);
        assert_eq!(turn_hue(&colour, 1.0 / 3.0), pixel([60, 200, 10]));
        assert_eq!(turn_hue(&pixel([90; 3]), 0.2), pixel([90; 3]));
    }

    #[test]
    fn colours_fade_to_their_brightness() {
        let red = pixel([255, 0, 0]);
        assert_eq!(fade(&red, 0.0), red);
        assert_eq!(fade(&red, 1.0), pixel([76; 3]));
    }

    #[test]
    fn posterized_levels_are_evenly_spaced() {
        assert_eq!(posterize(&pixel([60, 100, 255]), 3), pixel([0, 128, 255]));
        assert_eq!(posterize(&pixel([60, 200, 1]), 0), pixel([0, 255, 0]));
    }

    #[test]
    fn outlines_darken_both_sides_of_an_edge() {
        let row: Vec<u8> = [100, 100, 200, 200].iter().flat_map(|&l| [l; 3]).collect();
        let row = Picture::from_rgb(4, 1, row).unwrap();
        assert_eq!(outline(&row, 0.0), row);
        // A span of 100 of 255 keeps 1 − 200 / 255 of it.
        let levels: Vec<u8> = outline(&row, 1.0)
            .pixels()
            .iter()
            .step_by(3)
            .copied()
            .collect();
        assert_eq!(levels, [100, 22, 43, 200]);
    }
}
