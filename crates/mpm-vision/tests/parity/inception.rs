//! `p_inception_*`: the features of pictures, by the network in its full size.
//!
//! Weights and pictures are hashes of names and places, as `scripts/p_inception.py` computes them:
//! files of them would be of 95 MB.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::{Tensor, TensorData};
use mpm_core::weights::{LoadOptions, WeightsError};
use mpm_test_support::{Case, TestBackend, Tolerance, own_cases, report};
use mpm_vision::{
    VisionError,
    inception::{FEATURES, InceptionV3},
};
use safetensors::{Dtype, serialize_to_file, tensor::TensorView};

type B = TestBackend;

/// f32 through some fifty layers of up to 4032 products, those of 3 x 3 by Winograd's method.
const F32: Tolerance = Tolerance {
    of_largest: 5e-6,
    ..Tolerance::EXACT
};

/// Numbers from 0 to 1 of 24 bits: SplitMix64 from the FNV-1a hash of the name.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    (1..=count as u64).map(move |place| {
        let mut z = place.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / 16_777_216.0
    })
}

/// The values of a weight in the file; the counters of the training are 0.
fn weight(name: &str, shape: &[usize]) -> Vec<u8> {
    if shape.is_empty() {
        return 0_i64.to_le_bytes().to_vec();
    }
    let fan_in: usize = shape[1..].iter().product();
    let bound = (6.0 / fan_in as f64).sqrt() as f32;
    let conv = name.ends_with("conv.weight");
    let positive = name.ends_with("bn.weight") || name.ends_with("running_var");
    let value = |number: f32| match (conv, positive) {
        (true, _) => (2.0 * number - 1.0) * bound,
        (false, true) => number + 0.5,
        (false, false) => number - 0.5,
    };
    let numbers = uniform(name, shape.iter().product());
    numbers
        .flat_map(|number| value(number).to_le_bytes())
        .collect()
}

fn write_weights(case: &Case, file: &Path) {
    let keys: BTreeMap<String, Vec<usize>> =
        serde_json::from_value(case.json["keys"].clone()).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = keys
        .into_iter()
        .map(|(name, shape)| {
            let bytes = weight(&name, &shape);
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let dtype = if shape.is_empty() {
            Dtype::I64
        } else {
            Dtype::F32
        };
        (name, TensorView::new(dtype, shape.clone(), bytes).unwrap())
    });
    serialize_to_file(views, None, file).unwrap();
}

#[test]
fn inception_features() {
    let cases = own_cases("p_inception_");
    for case in &cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pt_inception.safetensors");
        write_weights(case, &file);
        let device = Default::default();
        let network = InceptionV3::<B>::open(&file, &device, &LoadOptions::default()).unwrap();

        let sizes: BTreeMap<String, [usize; 2]> =
            serde_json::from_value(case.json["pictures"].clone()).unwrap();
        for (name, [height, width]) in sizes {
            let shape = [2, 3, height, width];
            let pixels: Vec<f32> = uniform(&name, shape.iter().product()).collect();
            let pixels = Tensor::<B, 4>::from_data(TensorData::new(pixels, shape), &device);
            let features = network.features(pixels).unwrap();
            case.assert_close(&format!("out.{name}"), features, F32);
        }
    }
    report(cases.len(), "p_inception");
}

#[test]
fn files_of_other_networks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.safetensors");
    let open = || InceptionV3::<B>::open(&file, &Default::default(), &LoadOptions::default());
    assert!(
        open()
            .unwrap_err()
            .to_string()
            .contains("other.safetensors")
    );

    let bytes = [0; 8];
    let view = |shape: &[usize]| TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
    let tensors = [
        ("AuxLogits.fc.bias", view(&[2])),
        ("fc.bias", view(&[2])),
        ("Mixed_5b.branch1x1.bn.bias", view(&[1, 2])),
    ];
    serialize_to_file(tensors, None, &file).unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
    let text = error.to_string();
    for part in [
        "missing   Conv2d_1a_3x3.conv.weight",
        "AuxLogits.fc.bias",
        "Mixed_5b.branch1x1.bn.bias",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    fs::write(&file, "no weights").unwrap();
    assert!(
        open()
            .unwrap_err()
            .to_string()
            .contains("not a weight file")
    );
}

#[test]
fn what_is_no_picture_is_refused() {
    let device = Default::default();
    let network = InceptionV3::<B>::new(&device);
    for found in [[1, 4, 8, 8], [1, 3, 0, 8], [1, 3, 8, 0]] {
        let error = network.features(Tensor::zeros(found, &device)).unwrap_err();
        assert_eq!(error, VisionError::InceptionInput { found });
    }
    let none = network
        .features(Tensor::zeros([0, 3, 8, 8], &device))
        .unwrap();
    assert_eq!(none.dims(), [0, FEATURES]);
}
