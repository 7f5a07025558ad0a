//! Operations on brightness and contrast. None of them moves anything.

use crate::picture::Picture;
use crate::picture::rgb::CHANNELS;

/// Stretches each channel so that its darkest level becomes 0 and its brightest 255. A channel
/// of one level stays as it is.
pub fn auto_contrast(picture: &Picture) -> Picture {
    let counts = histograms(picture);
    map_levels(picture, |channel| {
        let used = |level: &usize| counts[channel][*level] > 0;
        let low = (0..256).find(used).unwrap_or(0) as f64;
        let high = (0..256).rev().find(used).unwrap_or(255) as f64;
        if high <= low {
            return identity();
        }
        let scale = 255.0 / (high - low);
        // Float to integer casts cut the fraction off and saturate.
        std::array::from_fn(|level| (level as f64 * scale - low * scale) as u8)
    })
}

/// Spreads the levels of each channel so that they are used about equally often. A channel with
/// too few pixels beside its brightest level stays as it is.
pub fn equalize(picture: &Picture) -> Picture {
    let counts = histograms(picture);
    map_levels(picture, |channel| {
        let counts = &counts[channel];
        let brightest = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let step = counts[..brightest].iter().sum::<u64>() / 255;
        if step == 0 {
            return identity();
        }
        let mut below = step / 2;
        std::array::from_fn(|level| {
            let value = (below / step).min(255) as u8;
            below += counts[level];
            value
        })
    })
}

/// Multiplies all levels: 0 gives black, 1 the picture itself, more a brighter one.
pub fn brightness(picture: &Picture, factor: f32) -> Picture {
    map_levels(picture, |_| {
        std::array::from_fn(|level| (level as f32 * factor) as u8)
    })
}

/// Blends a smoothed picture (0) with the picture (1), or goes beyond it (above 1: sharper). The
/// outermost rows and columns keep their levels.
///
/// The smoothing is Pillow's `SMOOTH` filter: of 3 x 3 neighbours, the centre weighs 5 of 13.
/// Results beyond 0 or 255 are clipped; the reference leaves that cast undefined.
pub fn sharpness(picture: &Picture, factor: f32) -> Picture {
    const CENTER: f32 = 5.0 / 13.0;
    const NEIGHBOUR: f32 = 1.0 / 13.0;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let stride = width * CHANNELS;
    let source = picture.pixels();
    let mut pixels = source.to_vec();
    for y in 1..height.saturating_sub(1) {
        for index in y * stride + CHANNELS..((y + 1) * stride).saturating_sub(CHANNELS) {
            let neighbours: u16 = [index - stride, index, index + stride]
                .iter()
                .flat_map(|&middle| [middle - CHANNELS, middle, middle + CHANNELS])
                .map(|neighbour| u16::from(source[neighbour]))
                .sum::<u16>()
                - u16::from(source[index]);
            let level = f32::from(source[index]);
            let smooth = (f32::from(neighbours) * NEIGHBOUR + level * CENTER).round_ties_even();
            pixels[index] = (smooth + factor * (level - smooth)) as u8;
        }
    }
    Picture::from_own_buffer(picture.width(), picture.height(), pixels)
}

/// How often each level occurs, by channel.
fn histograms(picture: &Picture) -> [[u64; 256]; CHANNELS] {
    let mut counts = [[0; 256]; CHANNELS];
    for pixel in picture.pixels().as_chunks::<CHANNELS>().0 {
        for (counts, &level) in counts.iter_mut().zip(pixel) {
            counts[usize::from(level)] += 1;
        }
    }
    counts
}

fn identity() -> [u8; 256] {
    std::array::from_fn(|level| level as u8)
}

/// Replaces each level by what the table of its channel says.
pub(super) fn map_levels(picture: &Picture, table: impl Fn(usize) -> [u8; 256]) -> Picture {
    let tables: [[u8; 256]; CHANNELS] = std::array::from_fn(table);
    let mut pixels = picture.pixels().to_vec();
    for pixel in pixels.as_chunks_mut::<CHANNELS>().0 {
        for (level, table) in pixel.iter_mut().zip(&tables) {
            *level = table[usize::from(*level)];
        }
    }
    Picture::from_own_buffer(picture.width(), picture.height(), pixels)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    /// A picture of one row whose three channels are equal.
    fn grey(width: u32, levels: &[u8]) -> Picture {
        let pixels = levels.iter().flat_map(|&level| [level; 3]).collect();
        Picture::from_rgb(width, levels.len() as u32 / width, pixels).unwrap()
    }

    fn levels(picture: &Picture) -> Vec<u8> {
        picture.pixels().iter().step_by(3).copied().collect()
    }

    #[test]
    fn auto_contrast_uses_the_whole_range() {
        assert_eq!(
            levels(&auto_contrast(&grey(3, &[50, 101, 152]))),
            [0, 127, 255]
        );
        assert_eq!(levels(&auto_contrast(&grey(2, &[9, 9]))), [9, 9]);
    }

    #[test]
    fn equalize_spreads_levels_by_their_frequency() {
        // 510 pixels below the brightest give steps of 2: one half-step, then 255 after each.
        let mut row = vec![10; 255];
        row.extend([20; 255]);
        row.extend([30; 7]);
        let result = levels(&equalize(&grey(row.len() as u32, &row)));
        assert_eq!([result[0], result[255], result[510]], [0, 128, 255]);
        assert_eq!(levels(&equalize(&grey(2, &[3, 200]))), [3, 200]);
    }

    #[test]
    fn brightness_multiplies_and_clips() {
        assert_eq!(
            levels(&brightness(&grey(3, &[0, 101, 200]), 1.5)),
            [0, 151, 255]
        );
    }

    #[test]
    fn sharpness_changes_the_inside_only() {
        let dot = grey(3, &[0, 0, 0, 0, 130, 0, 0, 0, 0]);
        // Smoothed, the centre is 130 * 5 / 13 = 50.
        assert_eq!(levels(&sharpness(&dot, 0.0))[4], 50);
        assert_eq!(levels(&sharpness(&dot, 0.5))[4], 90);
        assert_eq!(levels(&sharpness(&dot, 2.0))[4], 210);
        assert_eq!(sharpness(&dot, 1.0), dot);
        assert_eq!(levels(&sharpness(&dot, 3.0)), [0, 0, 0, 0, 255, 0, 0, 0, 0]);
        assert_eq!(sharpness(&grey(1, &[7, 9]), 0.0), grey(1, &[7, 9]));
    }
}
