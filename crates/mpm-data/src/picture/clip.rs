//! From pictures to the numbers that CLIP's models read.

use std::num::NonZeroU32;

use serde::{Deserialize, de::Error};

use super::{
    Picture, PixelValues,
    crop::Region,
    resize::{Axis, resize_window},
    rgb::CHANNELS,
};

/// Red, green and blue of the pictures that OpenAI trained CLIP on, on average.
const MEAN: [f32; CHANNELS] = [0.481_454_66, 0.457_827_5, 0.408_210_73];

/// Their standard deviation.
const STD: [f32; CHANNELS] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

/// What levels are multiplied by.
const RESCALE: f64 = 1.0 / 255.0;

/// Side in pixels of the pictures that most CLIP models read.
const SIDE: NonZeroU32 = NonZeroU32::new(224).expect("224 is not zero");

/// Pillow's number of the bicubic filter.
const BICUBIC: u8 = 3;

/// How a picture is prepared for a CLIP model: resized, cut to its centre, scaled, normalised.
///
/// It deserialises from `preprocessor_config.json` of a model folder, in the forms of `transformers`
/// before and after sizes had names; what such a file leaves out is as OpenAI's CLIP has it.
/// Resizing equals Pillow's, as in the version 4.28 of `transformers` that VisCPM pins. Version 5
/// resizes with torchvision, whose pixels differ by up to 2 levels here and there.
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

/// The file as it is; for each entry, `transformers` has a default.
#[derive(Deserialize)]
struct PreprocessorFile {
    size: Option<Size>,
    crop_size: Option<Size>,
    resample: Option<u8>,
    rescale_factor: Option<f64>,
    image_mean: Option<[f32; CHANNELS]>,
    image_std: Option<[f32; CHANNELS]>,
    do_resize: Option<bool>,
    do_center_crop: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
}

/// A size in one of the forms that `transformers` has had.
#[derive(Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "a size must be a positive number, {\"shortest_edge\": …} or {\"height\": …, \
                 \"width\": …}"
)]
enum Size {
    Number(NonZeroU32),
    ShortestEdge {
        shortest_edge: NonZeroU32,
    },
    Exact {
        height: NonZeroU32,
        width: NonZeroU32,
    },
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

impl TryFrom<PreprocessorFile> for ClipImageProcessor {
    type Error = serde_json::Error;

    fn try_from(file: PreprocessorFile) -> Result<Self, Self::Error> {
        let refuse = |reason: &str| Err(serde_json::Error::custom(reason));
        if file.do_resize == Some(false) {
            return refuse("`do_resize` is false, but CLIP's models read one size only");
        }
        if file.resample.is_some_and(|filter| filter != BICUBIC) {
            return refuse("`resample` is not 3 (bicubic), the only filter that is supported");
        }
        let resize = match file.size.unwrap_or(Size::Number(SIDE)) {
            Size::Number(edge)
            | Size::ShortestEdge {
                shortest_edge: edge,
            } => Resize::ShortestEdge(edge),
            Size::Exact { height, width } => Resize::Exact([height, width]),
        };
        let crop = match (file.do_center_crop.unwrap_or(true), resize) {
            (true, _) => match file.crop_size.unwrap_or(Size::Number(SIDE)) {
                Size::Number(side) => [side; 2],
                Size::Exact { height, width } => [height, width],
                Size::ShortestEdge { .. } => {
                    return refuse("`crop_size` has no height and width");
                }
            },
            (false, Resize::Exact(size)) => size,
            (false, Resize::ShortestEdge(_)) => {
                return refuse(
                    "`do_center_crop` is false and `size` keeps the aspect ratio, but CLIP's \
                     models read one size only; give `size` a height and a width",
                );
            }
        };
        let resized = match resize {
            Resize::ShortestEdge(edge) => [edge; 2],
            Resize::Exact(size) => size,
        };
        if crop[0] > resized[0] || crop[1] > resized[1] {
            return refuse("`crop_size` is larger than `size`");
        }
        let (mean, std) = match file.do_normalize.unwrap_or(true) {
            true => (
                file.image_mean.unwrap_or(MEAN),
                file.image_std.unwrap_or(STD),
            ),
            false => ([0.0; CHANNELS], [1.0; CHANNELS]),
        };
        if std.contains(&0.0) {
            return refuse("`image_std` holds 0, which nothing can be divided by");
        }
        Ok(Self {
            resize,
            crop,
            rescale: match file.do_rescale.unwrap_or(true) {
                true => file.rescale_factor.unwrap_or(RESCALE),
                false => 1.0,
            },
            mean,
            std,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn side(pixels: u32) -> NonZeroU32 {
        NonZeroU32::new(pixels).unwrap()
    }

    fn parse(json: &str) -> Result<ClipImageProcessor, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_are_understood_in_all_forms() {
        let clip = ClipImageProcessor::clip(side(32));
        for json in [
            r#"{"size": 32, "crop_size": 32, "resample": 3, "do_center_crop": true}"#,
            r#"{"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32},
                "rescale_factor": 0.00392156862745098, "do_convert_rgb": true}"#,
        ] {
            assert_eq!(parse(json).unwrap(), clip, "{json}");
        }
        assert_eq!(parse("{}").unwrap(), ClipImageProcessor::default());
        let chinese = r#"{"size": {"height": 32, "width": 32}, "do_center_crop": false,
                          "crop_size": 224}"#;
        assert_eq!(
            parse(chinese).unwrap(),
            ClipImageProcessor::chinese_clip(side(32))
        );
        let plain = r#"{"do_rescale": false, "do_normalize": false, "image_mean": [1, 2, 3]}"#;
        let white = Picture::from_rgb(1, 1, vec![255, 7, 0]).unwrap();
        let values = parse(plain).unwrap().apply(&white);
        assert_eq!(values.data[0], 255.0);
        assert_eq!(values.data[224 * 224], 7.0);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (json, reason) in [
            (r#"{"size": 0}"#, "positive number"),
            (r#"{"size": {"longest_edge": 3}}"#, "positive number"),
            (r#"{"size": 30, "crop_size": 32}"#, "`crop_size` is larger"),
            (
                r#"{"crop_size": {"shortest_edge": 32}}"#,
                "no height and width",
            ),
            (r#"{"do_center_crop": false}"#, "`do_center_crop` is false"),
            (r#"{"do_resize": false}"#, "`do_resize` is false"),
            (r#"{"resample": 2}"#, "`resample` is not 3"),
            (r#"{"image_std": [1, 0, 1]}"#, "`image_std` holds 0"),
            (r#"{"image_mean": [1, 2]}"#, "invalid length 2"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
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
        let values = values.unwrap().apply(&tall);
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
    fn a_picture_as_large_as_the_target_is_only_cut() {
        let wide = Picture::from_rgb(5, 1, (0..15).collect()).unwrap();
        let json = r#"{"size": 1, "crop_size": 1, "do_rescale": false, "do_normalize": false}"#;
        assert_eq!(parse(json).unwrap().apply(&wide).data, [6.0, 7.0, 8.0]);
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
