//! `preprocessor_config.json` of a CLIP model's folder.

use std::num::NonZeroU32;

use serde::{Deserialize, de::Error};

use super::{CHANNELS, ClipImageProcessor, MEAN, RESCALE, Resize, SIDE, STD};

/// Pillow's number of the bicubic filter.
const BICUBIC: u8 = 3;

/// The file as it is; for each entry, `transformers` has a default.
#[derive(Deserialize)]
pub(super) struct PreprocessorFile {
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
    use crate::picture::Picture;

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
}
