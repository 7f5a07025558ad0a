//! The operations of RandAugment: cases of the form `f_augment`, written by
//! `tests/fixtures/scripts/f_augment.py` from the reference's functions.

use mpm_data::picture::Picture;
use mpm_data::picture::augment::{geometry, tone};
use mpm_test_support::Case;
use serde_json::Value;

/// Largest difference in levels where pixels are interpolated: OpenCV rounds positions and
/// weights differently in its vectorised and its plain code.
const INTERPOLATION_TOLERANCE: u8 = 1;

/// Largest difference in levels of the sharpness: the smoothed level may round the other way,
/// and the blend lies between it and the picture.
const SHARPNESS_TOLERANCE: u8 = 1;

pub fn check(case: &Case) {
    let picture = |name: &Value| {
        let data = case.data(name.as_str().unwrap());
        let [height, width, 3] = data.shape[..] else {
            panic!("{name}: {:?}", data.shape)
        };
        Picture::from_rgb(width as u32, height as u32, data.to_vec().unwrap()).unwrap()
    };
    let runs = case.json["runs"].as_array().unwrap();
    assert!(!runs.is_empty());
    for run in runs {
        let (result, tolerance) = apply(&picture(&run["input"]), run);
        let expected = picture(&run["output"]);
        let difference = result
            .pixels()
            .iter()
            .zip(expected.pixels())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        let size = [
            (result.width(), result.height()),
            (expected.width(), expected.height()),
        ];
        assert_eq!(size[0], size[1], "{run}");
        assert!(
            difference <= Some(tolerance),
            "{run}: {difference:?} levels"
        );
    }
}

fn apply(picture: &Picture, run: &Value) -> (Picture, u8) {
    let value = || run["value"].as_f64().unwrap();
    match run["operation"].as_str().unwrap() {
        "AutoContrast" => (tone::auto_contrast(picture), 0),
        "Equalize" => (tone::equalize(picture), 0),
        "Brightness" => (tone::brightness(picture, value() as f32), 0),
        "Sharpness" => (
            tone::sharpness(picture, value() as f32),
            SHARPNESS_TOLERANCE,
        ),
        "ShearX" => (geometry::shear_x(picture, value()), INTERPOLATION_TOLERANCE),
        "ShearY" => (geometry::shear_y(picture, value()), INTERPOLATION_TOLERANCE),
        "TranslateX" => (
            geometry::translate_x(picture, value()),
            INTERPOLATION_TOLERANCE,
        ),
        "TranslateY" => (
            geometry::translate_y(picture, value()),
            INTERPOLATION_TOLERANCE,
        ),
        "Rotate" => (geometry::rotate(picture, value()), INTERPOLATION_TOLERANCE),
        operation => panic!("unknown operation {operation}"),
    }
}
