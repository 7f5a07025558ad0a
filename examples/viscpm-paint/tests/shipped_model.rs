//! The model that ships with the repository paints what it is asked for.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::ops::ControlFlow;

use burn::{backend::Flex, tensor::DType};
use mpm_core::weights::{LoadOptions, Precision};
use mpm_data::picture::Picture;
use viscpm_paint::{Outcome, PaintJob, PaintModel, Studio};

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/viscpm-paint-emoji"
);

/// The mean colour of a square around a point.
fn mean(picture: &Picture, [x, y]: [u32; 2]) -> [f64; 3] {
    let near = |centre: u32| centre - 4..centre + 4;
    let pixels = near(y).flat_map(|y| near(x).map(move |x| (x, y)));
    let mut sum = [0.0; 3];
    for (x, y) in pixels {
        let pixel = picture.pixel(x, y).unwrap();
        sum = std::array::from_fn(|i| sum[i] + f64::from(pixel[i]) / 64.0);
    }
    sum
}

#[test]
fn colours_and_the_ground_are_where_they_belong() {
    let options = LoadOptions {
        precision: Precision::Cast(DType::F32),
        ..LoadOptions::default()
    };
    let model = PaintModel::<Flex>::open(MODEL, &Default::default(), &options).unwrap();
    let request = model.config.default_request(1);
    let studio = Studio::from(model);
    // The UNet saw no Chinese prompt in training.
    for (prompt, strongest, weakest) in [
        ("red circle", 0, 2),
        ("红色圆", 0, 2),
        ("blue circle", 2, 0),
        ("蓝色圆", 2, 0),
    ] {
        let job = PaintJob::new(prompt, request.clone());
        let outcome = studio.paint(&job, |_| ControlFlow::Continue(()));
        let Outcome::Painted(pictures) = outcome.unwrap() else {
            panic!("nothing refuses or cancels here");
        };
        let picture = &pictures[0].picture;
        let (centre, corner) = (mean(picture, [32, 32]), mean(picture, [4, 4]));
        assert!(
            centre[strongest] > centre[weakest] + 80.0,
            "{prompt}: {centre:?}"
        );
        assert!(
            corner.iter().all(|&level| level > 180.0),
            "{prompt}: {corner:?}"
        );
    }
}
