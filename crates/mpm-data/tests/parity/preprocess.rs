//! Decoding, resizing and normalising: cases of the form `f_image_preprocess`.

use std::num::NonZeroU32;
use std::path::Path;

use mpm_data::picture::{Picture, PicturePreprocessor, PixelValues};
use safetensors::tensor::{SafeTensors, TensorView};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Difference in levels that decoders of JPEG and lossy WebP usually stay within: the inverse
/// transform, the enlarging of the colour planes and the colour conversion round differently.
const LOSSY_DECODER_TOLERANCE: u8 = 2;

/// Share of samples that may differ by more than [`LOSSY_DECODER_TOLERANCE`], up to
/// [`LOSSY_DECODER_LIMIT`]: where the width is no multiple of a block, `zune-jpeg` takes the
/// colour of the last column from the block's padding, libjpeg from the last real column.
const LOSSY_DECODER_OUTLIERS: f64 = 0.02;

/// Largest difference in levels between two lossy decoders.
const LOSSY_DECODER_LIMIT: u8 = 16;

/// Largest difference of a normalised value: the same three f32 operations, but an
/// implementation may multiply by the reciprocal instead of dividing.
const TENSOR_TOLERANCE: f32 = f32::EPSILON;

/// Largest difference of a sum over a normalised picture, relative to its number of values: the
/// order of summation and [`TENSOR_TOLERANCE`].
const SUM_TOLERANCE: f64 = f32::EPSILON as f64;

pub fn check(folder: &Path, case: &Path) {
    let json: Value = serde_json::from_slice(&std::fs::read(case).unwrap()).unwrap();
    let bytes = std::fs::read(case.with_extension("safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();

    let images = json["images"].as_array().unwrap();
    assert!(!images.is_empty());
    let mut unused: Vec<_> =
        tensors.names().into_iter().filter(|name| name.starts_with("out.")).collect();
    for image in images {
        let prefix = format!("out.{}.", image["tag"].as_str().unwrap());
        let decoded = check_decoded(folder, image, &tensors.tensor(&format!("{prefix}decoded_rgb_u8")).unwrap());
        for name in tensors.names().into_iter().filter(|name| name.starts_with(&prefix)) {
            unused.retain(|other| *other != name);
            let expected = tensors.tensor(name).unwrap();
            check_output(&decoded, image, &name[prefix.len()..], &expected);
        }
        check_sums(&decoded, image);
    }
    assert!(unused.is_empty(), "outputs of unknown pictures: {unused:?}");
}

/// Compares the decoded file with the fixture and returns the fixture's pixels, the input of
/// all further steps.
fn check_decoded(folder: &Path, image: &Value, expected: &TensorView<'_>) -> Picture {
    let file = image["file"].as_str().unwrap();
    let decoded = Picture::open(folder.join(file)).unwrap();
    let [height, width, 3] = *expected.shape() else { panic!("{file}: {:?}", expected.shape()) };
    assert_eq!([decoded.height() as usize, decoded.width() as usize], [height, width], "{file}");
    let differences: Vec<u8> =
        decoded.pixels().iter().zip(expected.data()).map(|(a, b)| a.abs_diff(*b)).collect();
    let largest = differences.iter().copied().max().unwrap();
    let outliers = differences.iter().filter(|&&d| d > LOSSY_DECODER_TOLERANCE).count();
    let share = outliers as f64 / differences.len() as f64;
    println!("{file}: decoded pixels differ by at most {largest}, {:.2} % by more than {LOSSY_DECODER_TOLERANCE}", 100.0 * share);
    if [".jpg", ".jpeg", ".webp"].iter().any(|end| file.ends_with(end)) {
        assert!(share <= LOSSY_DECODER_OUTLIERS, "{file}: {share}");
        assert!(largest <= LOSSY_DECODER_LIMIT, "{file}: {largest} levels");
    } else {
        assert_eq!(largest, 0, "{file}");
    }

    let sha256 = image["sha256_decoded_rgb_hwc"].as_str().unwrap();
    assert_eq!(hex(expected.data()), sha256, "{file}");
    Picture::from_rgb(width as u32, height as u32, expected.data().to_vec()).unwrap()
}

/// Compares one output tensor; its name tells the step and the size.
fn check_output(decoded: &Picture, image: &Value, name: &str, expected: &TensorView<'_>) {
    let context = format!("{} {name}", image["file"]);
    if name == "decoded_rgb_u8" {
        return;
    }
    if let Some(size) = name.strip_prefix("resized_u8_") {
        let size = size.parse().unwrap();
        assert_eq!(expected.shape(), [size as usize, size as usize, 3], "{context}");
        assert_eq!(resized(decoded, size).pixels(), expected.data(), "{context}");
    } else if let Some(size) = name.strip_prefix("u8_").and_then(|n| n.strip_suffix("_rows")) {
        let picture = resized(decoded, size.parse().unwrap());
        let stride = picture.width() as usize * 3;
        let rows: Vec<u8> = rows(image, size)
            .flat_map(|row| picture.pixels()[row * stride..][..stride].iter().copied())
            .collect();
        assert_eq!(rows, expected.data(), "{context}");
    } else if let Some(size) = name.strip_prefix("tensor").and_then(|n| n.strip_suffix("_rows")) {
        let values = preprocessed(decoded, size.parse().unwrap());
        let rows: Vec<f32> = (0..values.channels)
            .flat_map(|channel| rows(image, size).map(move |row| (channel, row)))
            .flat_map(|(channel, row)| {
                let start = (channel * values.height + row) * values.width;
                values.data[start..start + values.width].iter().copied()
            })
            .collect();
        assert_close(&rows, expected, &context);
    } else if let Some(size) = name.strip_prefix("tensor") {
        let values = preprocessed(decoded, size.parse().unwrap());
        assert_eq!(values.shape(), expected.shape(), "{context}");
        assert_close(&values.data, expected, &context);
    } else {
        panic!("{context}: unknown output");
    }
}

/// Checks the sums and hashes `sum_u8_N`, `sha256_u8_N_hwc`, `sum_tensorN_f64` and
/// `sumsq_tensorN_f64` of whole pictures.
fn check_sums(decoded: &Picture, image: &Value) {
    for (key, value) in image.as_object().unwrap() {
        let context = format!("{} {key}", image["file"]);
        let between = |start, end| key.strip_prefix(start).and_then(|k| k.strip_suffix(end));
        if let Some(size) = between("sum_u8_", "") {
            let picture = resized(decoded, size.parse().unwrap());
            let sum: u64 = picture.pixels().iter().map(|&level| u64::from(level)).sum();
            assert_eq!(Some(sum), value.as_u64(), "{context}");
        } else if let Some(size) = between("sha256_u8_", "_hwc") {
            let picture = resized(decoded, size.parse().unwrap());
            assert_eq!(Some(&*hex(picture.pixels())), value.as_str(), "{context}");
        } else if let Some(size) = between("sum_tensor", "_f64") {
            let values = preprocessed(decoded, size.parse().unwrap()).data;
            let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
            assert_sum(sum, value, values.len(), &context);
        } else if let Some(size) = between("sumsq_tensor", "_f64") {
            let values = preprocessed(decoded, size.parse().unwrap()).data;
            let sum: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
            assert_sum(sum, value, values.len(), &context);
        } else {
            let other = ["file", "mode", "size", "tag", "sha256_decoded_rgb_hwc"];
            assert!(other.contains(&&**key) || key.starts_with("rows"), "{context}: unknown");
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

fn assert_close(values: &[f32], expected: &TensorView<'_>, context: &str) {
    let expected: Vec<f32> =
        expected.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    assert_eq!(values.len(), expected.len(), "{context}");
    for (index, (value, expected)) in values.iter().zip(&expected).enumerate() {
        assert!(
            (value - expected).abs() <= TENSOR_TOLERANCE,
            "{context}: {value} instead of {expected} at {index}"
        );
    }
}

fn assert_sum(sum: f64, expected: &Value, values: usize, context: &str) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (sum - expected).abs() <= SUM_TOLERANCE * values as f64,
        "{context}: {sum} instead of {expected}"
    );
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
