//! From pictures to the numbers that CLIP's models read.

mod file;

use std::num::NonZeroU32;

use serde::Deserialize;

use self::file::PreprocessorFile;
use super::{
    Picture, PixelValues,
    crop::Region,
    resize::{Axis, FirstPass, resize_window},
    rgb::CHANNELS,
};

/// Red, green and blue of the pictures that OpenAI trained CLIP on, on average.
const MEAN: [f32; CHANNELS] = [0.481_454_66, 0.457_827_5, 0.408_210_73];

/// Their standard deviation.
const STD: [f32; CHANNELS] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// What levels are multiplied by.
const RESCALE: f64 = 1.0 / 255.0;

/// Side in pixels of the pictures that most CLIP models read.
const SIDE: NonZeroU32 = NonZeroU32::new(224).expect("224 is not zero");

/// How a picture is prepared for a CLIP model: resized, cut to its centre, scaled, normalised.
///
/// It deserialises from `preprocessor_config.json` of a model folder, in the forms of `transformers`
/// before and after sizes had names; what such a file leaves out is as OpenAI's CLIP has it.
/// Values equal those of `transformers` 4.28 and Pillow 9.5, which VisCPM pins. From version 5 on,
/// `transformers` resizes with torchvision, whose pixels differ by up to 2 levels here and there.
///
/// ```
/// use mpm_data::picture::{ClipImageProcessor, Picture};
///
/// let wide = Picture::from_rgb(4, 1, vec![255; 12])?;
/// let values = ClipImageProcessor::default().apply(&wide);
/// assert_eq!(values.shape(), [3, 224, 224]);
/// # Ok::<(), mpm_data::picture::PictureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "PreprocessorFile")]
pub struct ClipImageProcessor {
    resize: Resize,
    /// Height and width of what is kept of the resized picture.
    crop: [NonZeroU32; 2],
    rescale: f64,
    mean: [f32; CHANNELS],
    std: [f32; CHANNELS],
}

/// What a picture is resized to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resize {
    /// The shorter edge becomes so long; the aspect ratio is kept.
    ShortestEdge(NonZeroU32),
    /// Height and width; the aspect ratio is not kept.
    Exact([NonZeroU32; 2]),
}

impl ClipImageProcessor {
    /// CLIP's: the shorter edge becomes `size` pixels long, and the square in the middle is kept.
    pub fn clip(size: NonZeroU32) -> Self {
        Self {
            resize: Resize::ShortestEdge(size),
            crop: [size; 2],
            rescale: RESCALE,
            mean: MEAN,
            std: STD,
        }
    }

    /// Chinese-CLIP's: the whole picture becomes a square of `size` x `size` pixels.
    pub fn chinese_clip(size: NonZeroU32) -> Self {
        Self {
            resize: Resize::Exact([size; 2]),
            ..Self::clip(size)
        }
    }

    /// `[channels, height, width]` of what [`apply`](Self::apply) returns.
    pub fn shape(&self) -> [usize; 3] {
        let [height, width] = self.crop.map(|side| side.get() as usize);
        [CHANNELS, height, width]
    }

    /// Prepares a picture: `[3, height, width]`.
    ///
    /// Only what is kept is computed, however long the longer edge is.
    pub fn apply(&self, picture: &Picture) -> PixelValues {
        let source = [picture.height(), picture.width()];
        let target = match self.resize {
            Resize::Exact(size) => size.map(|side| u64::from(side.get())),
            Resize::ShortestEdge(edge) => {
                let shorter = u64::from(picture.width().min(picture.height()));
                source.map(|side| u64::from(edge.get()) * u64::from(side) / shorter)
            }
        };
        let axis = |place: usize| {
            let len = self.crop[place].get();
            Axis {
                source: source[place],
                target: target[place],
                first: (target[place] - u64::from(len)) / 2,
                len,
            }
        };
        self.normalize(&resize_window(
            picture,
            Region::whole(picture),
            axis(1),
            axis(0),
            FirstPass::Rows,
        ))
    }

    /// Scales and normalises in the steps of `transformers`: the product in f64, the rest in f32.
    fn normalize(&self, picture: &Picture) -> PixelValues {
        let pixels = picture.pixels().as_chunks::<CHANNELS>().0;
        let mut data = Vec::with_capacity(picture.pixels().len());
        for channel in 0..CHANNELS {
            let table: [f32; 256] = std::array::from_fn(|level| {
                let scaled = (level as f64 * self.rescale) as f32;
                (scaled - self.mean[channel]) / self.std[channel]
            });
            let levels = pixels.iter().map(|pixel| usize::from(pixel[channel]));
            data.extend(levels.map(|level| table[level]));
        }
        let [channels, height, width] = self.shape();
        PixelValues {
            data,
            channels,
            height,
            width,
        }
    }
}

impl Default for ClipImageProcessor {
    /// OpenAI's, for 224 x 224 pixels.
    fn default() -> Self {
        Self::clip(SIDE)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn side(pixels: u32) -> NonZeroU32 {
        NonZeroU32::new(pixels).unwrap()
    }

    fn parse(json: &str) -> ClipImageProcessor {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_middle_of_the_resized_picture_is_kept() {
        let pixels = (0..61 * 40 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let tall = Picture::from_rgb(40, 61, pixels).unwrap();
        let whole = tall.resize(side(20), side(30));
        let values = parse(
            r#"{"size": 20, "crop_size": {"height": 9, "width": 14}, "do_rescale": false,
                "do_normalize": false}"#,
        );
        let values = values.apply(&tall);
        assert_eq!(values.shape(), [3, 9, 14]);
        for y in 0..9 {
            for x in 0..14 {
                let pixel = whole.pixel(x + 3, y + 10).unwrap();
                for (channel, level) in pixel.into_iter().enumerate() {
                    let place = (channel * 9 + y as usize) * 14 + x as usize;
                    assert_eq!(values.data[place], f32::from(level), "{x} {y}");
                }
            }
        }
    }

    #[test]
    fn the_pass_along_rows_comes_first_as_with_the_pinned_pillow() {
        let pixels = (0..24 * 200 * 3).map(|i| (i * i % 253) as u8).collect();
        let tall = Picture::from_rgb(24, 200, pixels).unwrap();
        let json = r#"{"size": {"height": 40, "width": 20}, "do_center_crop": false,
                       "do_rescale": false, "do_normalize": false}"#;
        let values = parse(json).apply(&tall).data;
        let channels_first = |picture: &Picture| -> Vec<f32> {
            let pixels = picture.pixels().as_chunks::<CHANNELS>().0;
            (0..CHANNELS)
                .flat_map(|channel| pixels.iter().map(move |pixel| f32::from(pixel[channel])))
                .collect()
        };
        let in_two_steps = tall.resize(side(20), side(200)).resize(side(20), side(40));
        assert_eq!(values, channels_first(&in_two_steps));
        // Pillow 13 does otherwise here, which shows.
        assert_ne!(values, channels_first(&tall.resize(side(20), side(40))));
    }

    #[test]
    fn a_picture_as_large_as_the_target_is_only_cut() {
        let wide = Picture::from_rgb(5, 1, (0..15).collect()).unwrap();
        let json = r#"{"size": 1, "crop_size": 1, "do_rescale": false, "do_normalize": false}"#;
        assert_eq!(parse(json).apply(&wide).data, [6.0, 7.0, 8.0]);
    }

    #[test]
    fn the_longest_strips_take_little_memory() {
        // Resized as a whole it would be 224 x 448,000,000 pixels.
        let pixels = vec![128; 2_000_000 * 3];
        for (width, height) in [(2_000_000, 1), (1, 2_000_000)] {
            let strip = Picture::from_rgb(width, height, pixels.clone()).unwrap();
            let values = ClipImageProcessor::default().apply(&strip);
            assert_eq!(values.shape(), [3, 224, 224]);
            assert!(values.data.iter().all(|value| value.is_finite()));
        }
    }
}
