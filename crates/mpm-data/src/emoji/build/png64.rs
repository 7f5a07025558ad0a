//! Pixels to a PNG of few colours.

use std::collections::HashMap;

use color_quant::NeuQuant;

use super::SIZE;

/// How many colours a picture of the set has at most.
const COLOURS: usize = 64;

/// NeuQuant looks at every n-th pixel: at all of them.
const SAMPLE_EVERY: i32 = 1;

/// Rounds of nearest-mean refinement after NeuQuant, which alone leaves visible
/// steps in the gradients of the Fluent style. More rounds change little.
const REFINEMENTS: usize = 4;

/// Writes `SIZE * SIZE` RGBA pixels as an indexed PNG of at most [`COLOURS`]
/// colours, alpha included.
pub(super) fn encode(pixels: &[[u8; 4]]) -> Result<Vec<u8>, png::EncodingError> {
    let (palette, indices) = quantise(pixels);
    let mut data = Vec::new();
    let mut encoder = png::Encoder::new(&mut data, SIZE, SIZE);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_palette(
        palette
            .iter()
            .flat_map(|c| [c[0], c[1], c[2]])
            .collect::<Vec<_>>(),
    );
    encoder.set_trns(palette.iter().map(|c| c[3]).collect::<Vec<_>>());
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(data)
}

/// Chooses a palette and gives each pixel its index in it.
fn quantise(pixels: &[[u8; 4]]) -> (Vec<[u8; 4]>, Vec<u8>) {
    let mut counts: HashMap<[u8; 4], usize> = HashMap::new();
    for &pixel in pixels {
        *counts.entry(pixel).or_default() += 1;
    }
    let mut colours: Vec<_> = counts.into_iter().collect();
    colours.sort_unstable();
    let mut palette: Vec<[u8; 4]> = if colours.len() <= COLOURS {
        colours.iter().map(|&(colour, _)| colour).collect()
    } else {
        neuquant(pixels, &colours)
    };
    palette.sort_unstable();
    palette.dedup();
    let index: HashMap<_, _> = colours
        .iter()
        .map(|&(colour, _)| (colour, nearest(&palette, colour) as u8))
        .collect();
    let indices = pixels.iter().map(|pixel| index[pixel]).collect();
    (palette, indices)
}

/// NeuQuant's palette, moved to the means of the pixels it stands for.
///
/// Clear pixels keep an entry of their own, so that the ground stays clear.
fn neuquant(pixels: &[[u8; 4]], colours: &[([u8; 4], usize)]) -> Vec<[u8; 4]> {
    let visible: Vec<u8> = pixels
        .iter()
        .filter(|pixel| pixel[3] > 0)
        .flatten()
        .copied()
        .collect();
    let mut palette: Vec<[u8; 4]> = NeuQuant::new(SAMPLE_EVERY, COLOURS, &visible)
        .color_map_rgba()
        .chunks_exact(4)
        .map(|c| [c[0], c[1], c[2], c[3]])
        .collect();
    if let Some(slot) = palette.iter_mut().min_by_key(|colour| colour[3]) {
        *slot = [0; 4];
    }
    for _ in 0..REFINEMENTS {
        let mut sums = vec![[0usize; 5]; palette.len()];
        for &(colour, count) in colours {
            let sum = &mut sums[nearest(&palette, colour)];
            for channel in 0..4 {
                sum[channel] += usize::from(colour[channel]) * count;
            }
            sum[4] += count;
        }
        for (colour, sum) in palette.iter_mut().zip(sums) {
            if colour[3] > 0 && sum[4] > 0 {
                for channel in 0..4 {
                    colour[channel] = ((sum[channel] + sum[4] / 2) / sum[4]) as u8;
                }
            }
        }
    }
    palette
}

/// The palette entry that looks most like `colour` on any ground.
fn nearest(palette: &[[u8; 4]], colour: [u8; 4]) -> usize {
    let distance = |entry: &[u8; 4]| -> i64 {
        // Over black the pixels differ by the premultiplied colours, over white
        // by these and the alpha: the sum of both squares.
        let (a, b) = (i64::from(entry[3]), i64::from(colour[3]));
        (0..3)
            .map(|i| {
                let black = (i64::from(entry[i]) * a - i64::from(colour[i]) * b) / 255;
                let white = black + b - a;
                black * black + white * white
            })
            .sum()
    };
    (0..palette.len())
        .min_by_key(|&i| distance(&palette[i]))
        .unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn decoded(pixels: &[[u8; 4]]) -> Vec<[u8; 4]> {
        let png = encode(pixels).unwrap();
        let picture = image::load_from_memory(&png).unwrap().into_rgba8();
        picture.pixels().map(|pixel| pixel.0).collect()
    }

    #[test]
    fn few_colours_stay_as_they_are() {
        let side = SIZE as usize;
        let pixels: Vec<_> = (0..side * side)
            .map(|i| [(i % 60) as u8, 7, 200, 255 - (i % 60) as u8])
            .collect();
        assert_eq!(decoded(&pixels), pixels);
    }

    #[test]
    fn many_colours_become_64_and_clear_stays_clear() {
        let side = SIZE as usize;
        let pixels: Vec<_> = (0..side * side)
            .map(|i| match i / side {
                0..16 => [0; 4],
                row => [(i % side * 4) as u8, (row * 4) as u8, 90, 255],
            })
            .collect();
        let result = decoded(&pixels);
        let colours: std::collections::HashSet<_> = result.iter().collect();
        assert!(colours.len() <= COLOURS, "{} colours", colours.len());
        for (before, after) in pixels.iter().zip(&result) {
            assert_eq!(before[3], after[3]);
            // A plane of 64 x 48 shades cut into 63 cells: half a cell is 16 to
            // 20 levels wide, and cells differ in size.
            assert!(before[0].abs_diff(after[0]) <= 48, "{before:?} {after:?}");
        }
    }
}
