//! Decoding, resizing and normalising: cases of the form `f_image_preprocess`.

use std::num::NonZeroU32;

use mpm_data::picture::{Picture, PicturePreprocessor, PixelValues};
use mpm_test_support::{Case, TensorData, Tolerance, assert_values_close, folder};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How far levels of a JPEG in CMYK with planes of one size may differ, and what comes of them:
/// `zune-jpeg`, which decodes these, rounds the inverse transform differently.
const CMYK_JPEG: Levels = Levels {
    largest: 2,
    mean: 0.5,
};

/// Everything else is the same arithmetic on integers, other JPEG and lossy WebP included.
const EXACT: Levels = Levels {
    largest: 0,
    mean: 0.0,
};

/// How far the levels of two pictures may be from each other.
#[derive(Clone, Copy)]
struct Levels {
    /// Largest difference.
    largest: u8,
    /// Largest difference of the mean level.
    mean: f64,
}

/// What one level of 0..=255 is after normalising to -1..=1.
const LEVEL: f64 = 2.0 / 255.0;

/// Largest difference of a normalised value: the same three f32 operations, but an
/// implementation may multiply by the reciprocal instead of dividing.
const TENSOR_TOLERANCE: f64 = f32::EPSILON as f64;

/// Largest difference of a sum over a normalised picture, relative to its number of values: the
/// order of summation and [`TENSOR_TOLERANCE`].
const SUM_TOLERANCE: f64 = TENSOR_TOLERANCE;

pub fn check(case: &Case) {
    let images = case.json["images"].as_array().unwrap();
    assert!(!images.is_empty());
    let mut unused: Vec<_> = case.with_prefix("out.").collect();
    for image in images {
        let prefix = format!("out.{}.", image["tag"].as_str().unwrap());
        let decoded = format!("{prefix}decoded_rgb_u8");
        let decoded = case.has(&decoded).then(|| case.data(&decoded));
        let input = check_decoded(image, decoded);
        for name in case.with_prefix(&prefix) {
            let key = format!("{prefix}{name}");
            unused.retain(|other| format!("out.{other}") != key);
            check_output(&input, image, name, &case.data(&key));
        }
        check_sums(&input, image);
    }
    assert!(unused.is_empty(), "outputs of unknown pictures: {unused:?}");
}

/// A decoded picture, and how far results made of it may be from the fixture's.
struct Input {
    picture: Picture,
    tolerance: Levels,
}

/// Compares the decoded file with the fixture and returns the fixture's pixels, or, for large
/// pictures whose pixels the fixture leaves out, the decoded ones.
fn check_decoded(image: &Value, expected: Option<TensorData>) -> Input {
    let file = image["file"].as_str().unwrap();
    let picture = Picture::open(folder().join(file)).unwrap();
    assert_eq!(
        image["size"],
        serde_json::json!([picture.width(), picture.height()]),
        "{file}"
    );
    let tolerance = match (file.rsplit('.').next(), image["mode"].as_str()) {
        (Some("jpg" | "jpeg"), Some("CMYK")) => CMYK_JPEG,
        _ => EXACT,
    };
    let sha256 = image["sha256_decoded_rgb_hwc"].as_str().unwrap();
    let Some(expected) = expected else {
        assert!(
            tolerance.largest > 0 || hex(picture.pixels()) == sha256,
            "{file}"
        );
        return Input { picture, tolerance };
    };
    assert_eq!(
        expected.shape[..],
        [picture.height() as usize, picture.width() as usize, 3],
        "{file}"
    );
    let expected = levels(&expected);
    assert_levels(picture.pixels(), expected, tolerance, file);
    assert_eq!(hex(expected), sha256, "{file}");
    let picture = Picture::from_rgb(picture.width(), picture.height(), expected.to_vec()).unwrap();
    Input {
        picture,
        tolerance: EXACT,
    }
}

/// Compares one output tensor; its name tells the step and the size.
fn check_output(input: &Input, image: &Value, name: &str, expected: &TensorData) {
    let context = format!("{} {name}", image["file"]);
    if name == "decoded_rgb_u8" {
        return;
    }
    if let Some(size) = name.strip_prefix("resized_u8_") {
        let size = size.parse().unwrap();
        assert_eq!(
            expected.shape[..],
            [size as usize, size as usize, 3],
            "{context}"
        );
        let picture = resized(&input.picture, size);
        assert_levels(
            picture.pixels(),
            levels(expected),
            input.tolerance,
            &context,
        );
    } else if let Some(size) = name
        .strip_prefix("u8_")
        .and_then(|n| n.strip_suffix("_rows"))
    {
        let picture = resized(&input.picture, size.parse().unwrap());
        let stride = picture.width() as usize * 3;
        let rows: Vec<u8> = rows(image, size)
            .flat_map(|row| picture.pixels()[row * stride..][..stride].iter().copied())
            .collect();
        assert_levels(&rows, levels(expected), input.tolerance, &context);
    } else if let Some(size) = name
        .strip_prefix("tensor")
        .and_then(|n| n.strip_suffix("_rows"))
    {
        let values = preprocessed(&input.picture, size.parse().unwrap());
        let rows: Vec<f32> = (0..values.channels)
            .flat_map(|channel| rows(image, size).map(move |row| (channel, row)))
            .flat_map(|(channel, row)| {
                let start = (channel * values.height + row) * values.width;
                values.data[start..start + values.width].iter().copied()
            })
            .collect();
        assert_close(&rows, expected, input.tolerance, &context);
    } else if let Some(size) = name.strip_prefix("tensor") {
        let values = preprocessed(&input.picture, size.parse().unwrap());
        assert_eq!(values.shape(), expected.shape[..], "{context}");
        assert_close(&values.data, expected, input.tolerance, &context);
    } else {
        panic!("{context}: unknown output");
    }
}

/// Checks the sums and hashes `sum_u8_N`, `sha256_u8_N_hwc`, `sum_tensorN_f64` and
/// `sumsq_tensorN_f64` of whole pictures.
fn check_sums(input: &Input, image: &Value) {
    for (key, value) in image.as_object().unwrap() {
        let context = format!("{} {key}", image["file"]);
        let between = |start, end| key.strip_prefix(start).and_then(|k| k.strip_suffix(end));
        if let Some(size) = between("sum_u8_", "") {
            let picture = resized(&input.picture, size.parse().unwrap());
            let sum: u64 = picture.pixels().iter().map(|&level| u64::from(level)).sum();
            let difference = value.as_u64().unwrap().abs_diff(sum) as f64;
            let levels = picture.pixels().len() as f64;
            assert!(
                difference <= input.tolerance.mean * levels,
                "{context}: {sum}"
            );
        } else if let Some(size) = between("sha256_u8_", "_hwc") {
            let picture = resized(&input.picture, size.parse().unwrap());
            if input.tolerance.largest == 0 {
                assert_eq!(Some(&*hex(picture.pixels())), value.as_str(), "{context}");
            }
        } else if let Some(size) = between("sum_tensor", "_f64") {
            let values = preprocessed(&input.picture, size.parse().unwrap()).data;
            let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
            assert_sum(sum, value, values.len(), input.tolerance, &context);
        } else if let Some(size) = between("sumsq_tensor", "_f64") {
            let values = preprocessed(&input.picture, size.parse().unwrap()).data;
            let sum: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
            assert_sum(sum, value, values.len(), input.tolerance, &context);
        } else {
            let other = ["file", "mode", "size", "tag", "sha256_decoded_rgb_hwc"];
            assert!(
                other.contains(&&**key) || key.starts_with("rows"),
                "{context}: unknown"
            );
        }
    }
}

fn resized(picture: &Picture, size: u32) -> Picture {
    let size = NonZeroU32::new(size).unwrap();
    picture.resize(size, size)
}

fn preprocessed(picture: &Picture, size: u32) -> PixelValues {
    PicturePreprocessor::new(NonZeroU32::new(size).unwrap()).apply(picture)
}

/// The rows of the resized picture that the fixture holds.
fn rows<'a>(image: &'a Value, size: &str) -> impl Iterator<Item = usize> + use<'a> {
    let rows = image[format!("rows{size}")].as_array().unwrap();
    rows.iter().map(|row| row.as_u64().unwrap() as usize)
}

fn levels(data: &TensorData) -> &[u8] {
    data.as_slice().unwrap()
}

fn assert_levels(levels: &[u8], expected: &[u8], tolerance: Levels, context: &str) {
    assert_eq!(levels.len(), expected.len(), "{context}");
    let differences: Vec<u8> = levels
        .iter()
        .zip(expected)
        .map(|(a, b)| a.abs_diff(*b))
        .collect();
    let largest = differences.iter().copied().max().unwrap();
    assert!(largest <= tolerance.largest, "{context}: {largest} levels");
    let mean = differences.iter().map(|&d| f64::from(d)).sum::<f64>() / differences.len() as f64;
    assert!(
        mean <= tolerance.mean,
        "{context}: {mean} levels on average"
    );
    println!("{context}: at most {largest} levels, {mean:.3} on average");
}

fn assert_close(values: &[f32], expected: &TensorData, tolerance: Levels, context: &str) {
    let values: Vec<f64> = values.iter().map(|&value| value.into()).collect();
    let expected: Vec<f64> = expected.iter().collect();
    let tolerance = Tolerance {
        absolute: f64::from(tolerance.largest) * LEVEL + TENSOR_TOLERANCE,
        ..Tolerance::EXACT
    };
    assert_values_close(context, &values, &expected, tolerance);
}

/// `sum` is over normalised values or their squares; a level changes either by up to two
/// [`LEVEL`]s.
fn assert_sum(sum: f64, expected: &Value, values: usize, tolerance: Levels, context: &str) {
    let expected = expected.as_f64().unwrap();
    let tolerance = 2.0 * tolerance.mean * LEVEL + SUM_TOLERANCE;
    assert!(
        (sum - expected).abs() <= tolerance * values as f64,
        "{context}: {sum} instead of {expected}"
    );
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
