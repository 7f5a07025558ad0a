//! Cases `h_clip_processor_*`: resizing, cutting and normalising for CLIP.

use mpm_data::picture::{ClipImageProcessor, Picture, PixelValues};
use mpm_test_support::{Case, Tolerance, assert_values_close};
use serde_json::Value;

/// How far values may be from the reference's.
#[derive(Clone, Copy)]
struct Levels {
    /// A value, in levels of 0..=255.
    largest: f64,
    /// The mean of all values, in levels.
    mean: f64,
}

/// `transformers` 4.28, which VisCPM pins: Pillow resizes, and the rest is the same arithmetic, bit
/// by bit.
const PILLOW: Levels = Levels {
    largest: 0.0,
    mean: 0.0,
};

/// Version 5: torchvision's filter weights are rounded to fewer bits, so that up to 1 in 100 pixels
/// is off by a level, and seldom one by 2.
const TORCHVISION: Levels = Levels {
    largest: 2.0,
    mean: 0.02,
};

/// What a level is after normalising by the smallest deviation, 0.2613.
const LEVEL: f64 = 1.0 / 255.0 / 0.261;

/// The order of summation in f64, for each value.
const SUM_ROUNDING: f64 = 1e-12;

pub fn check(case: &Case) {
    let levels = match case.json["pinned"] {
        Value::Null => TORCHVISION,
        _ => PILLOW,
    };
    let small: ClipImageProcessor =
        serde_json::from_str(r#"{"size": {"shortest_edge": 40}, "crop_size": 32}"#).unwrap();
    let rows: Vec<usize> = serde_json::from_value(case.json["rows224"].clone()).unwrap();
    let images = case.json["images"].as_array().unwrap();
    for (number, image) in images.iter().enumerate() {
        let picture = picture(case, &format!("in.img{number}_u8"));
        let full = ClipImageProcessor::default().apply(&picture);
        let key = |name: &str| format!("out.img{number}.{name}");
        assert_close(case, &key("rows224"), &rows_of(&full, &rows), levels);
        assert_close(
            case,
            &key("small40_32"),
            &small.apply(&picture).data,
            levels,
        );
        check_sums(case, image, &full.data, levels);
    }
    assert_eq!(
        case.with_prefix("out.").count(),
        2 * images.len(),
        "{}",
        case.name
    );
}

fn picture(case: &Case, key: &str) -> Picture {
    let data = case.data(key);
    let [height, width] = [0, 1].map(|axis| data.shape[axis] as u32);
    Picture::from_rgb(width, height, data.iter::<u8>().collect()).unwrap()
}

/// Some rows of each channel, `[channels, rows, width]`.
fn rows_of(values: &PixelValues, rows: &[usize]) -> Vec<f32> {
    let channels = values.data.chunks_exact(values.height * values.width);
    let row =
        |channel: &'_ [f32], row: usize| channel[row * values.width..][..values.width].to_vec();
    channels
        .flat_map(|channel| rows.iter().flat_map(move |&y| row(channel, y)))
        .collect()
}

fn assert_close(case: &Case, key: &str, values: &[f32], levels: Levels) {
    let tolerance = Tolerance {
        absolute: levels.largest * LEVEL,
        ..Tolerance::EXACT
    };
    let values: Vec<f64> = values.iter().map(|&value| value.into()).collect();
    let expected: Vec<f64> = case.data(key).iter().collect();
    assert_values_close(
        &format!("{} {key}", case.name),
        &values,
        &expected,
        tolerance,
    );
}

/// The sums of all values and of their squares; a level changes a square by up to twice the
/// largest value, 2.7.
fn check_sums(case: &Case, image: &Value, values: &[f32], levels: Levels) {
    let values = values.iter().map(|&value| f64::from(value));
    let count = values.len() as f64;
    for (key, sum, share) in [
        ("sum", values.clone().sum::<f64>(), 1.0),
        ("sumsq", values.map(|value| value * value).sum(), 5.4),
    ] {
        let expected = image[key].as_f64().unwrap();
        let allowed = (levels.mean * LEVEL + SUM_ROUNDING) * share * count;
        let error = (sum - expected).abs();
        assert!(
            error <= allowed,
            "{} {key}: {sum} instead of {expected}",
            case.name
        );
    }
}
