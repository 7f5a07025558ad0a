//! Behaviour of the encoder and the visual module beyond the reference's outputs.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::{
    backend::{Autodiff, Flex},
    module::{Module, ModuleMapper, Param},
    tensor::{DType, Distribution, Tensor},
};
use mpm_vision::{
    Beit3Config, Muffin, MuffinConfig, PictureEncoder, VisionError, interpolate_positions,
};

type B = Flex;

/// f16 rounds each of some tens of intermediate values to 11 bits, 2⁻¹¹ ≈ 5e-4.
const F16_TOLERANCE: f32 = 2e-2;
/// Interpolation adds 16 f32 products per value.
const INTERPOLATION_TOLERANCE: f32 = 1e-5;

fn pictures(batch: usize, size: usize) -> Tensor<B, 4> {
    let range = Distribution::Uniform(-1.0, 1.0);
    Tensor::random([batch, 3, size, size], range, &Default::default())
}

fn max_difference<const D: usize>(left: Tensor<B, D>, right: Tensor<B, D>) -> f32 {
    (left - right).abs().max().into_scalar()
}

#[test]
fn features_have_the_announced_shape() {
    let device = Default::default();
    let muffin: Muffin<B> = MuffinConfig::tiny().init(&device).unwrap();
    assert_eq!(muffin.picture_shape(), [3, 32, 32]);
    assert_eq!(muffin.features_shape(), [4, 48]);
    let features = muffin.encode(pictures(3, 32)).unwrap();
    assert_eq!(features.dims(), [3, 4, 48]);

    let beit3 = Beit3Config::tiny().init::<B>(&device).unwrap();
    assert_eq!(beit3.features_shape(), [17, 32]);
    let features = beit3.encode(pictures(2, 32)).unwrap();
    assert_eq!(features.dims(), [2, 17, 32]);
}

#[test]
fn pictures_of_a_batch_do_not_mix() {
    let muffin: Muffin<B> = MuffinConfig::tiny().init(&Default::default()).unwrap();
    let batch = pictures(2, 32);
    let together = muffin.encode(batch.clone()).unwrap();
    let alone = muffin.encode(batch.slice(1..2)).unwrap();
    // The same sums in another blocking.
    assert!(max_difference(together.slice(1..2), alone) < 1e-5);
}

#[test]
fn pictures_of_another_shape_are_refused() {
    let muffin: Muffin<B> = MuffinConfig::tiny().init(&Default::default()).unwrap();
    let error = muffin.encode(pictures(1, 40)).unwrap_err();
    let (expected, found) = ([3, 32, 32], [3, 40, 40]);
    assert_eq!(error, VisionError::PictureShape { expected, found });
    assert!(error.to_string().contains("with_image_size"));
}

#[test]
fn queries_that_do_not_fit_are_refused() {
    let device = Default::default();
    let beit3 = Beit3Config::tiny().init::<B>(&device).unwrap();
    for shape in [[0, 32], [31, 32], [4, 33]] {
        let result = beit3.forward(pictures(1, 32), Some(Tensor::zeros(shape, &device)));
        let error = result.unwrap_err();
        let [count, width] = shape;
        let (max_count, expected_width) = (30, 32);
        let expected = VisionError::Queries {
            count,
            max_count,
            width,
            expected_width,
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn the_last_layer_gives_queries_the_states_of_a_full_pass() {
    let device = Default::default();
    let beit3 = Beit3Config::tiny().init::<B>(&device).unwrap();
    let queries = Tensor::random([5, 32], Distribution::Normal(0.0, 1.0), &device);
    let picture = beit3.vision_embed.forward(pictures(2, 32)).unwrap();
    let tokens = beit3.encoder.embed(picture, Some(queries));
    let layer = &beit3.encoder.layers[0];
    let full = layer.forward(tokens.clone()).readout().concat();
    let readout = layer.forward_readout(tokens).concat();
    assert_eq!(readout.dims(), [2, 5, 32]);
    assert_eq!(max_difference(full, readout), 0.0);
}

#[test]
fn an_f16_module_stays_f16_and_close() {
    struct ToF16;
    impl ModuleMapper<B> for ToF16 {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(|tensor| tensor.cast(DType::F16))
        }
    }
    let muffin: Muffin<B> = MuffinConfig::tiny().init(&Default::default()).unwrap();
    let wide = muffin.encode(pictures_fixed()).unwrap();
    let half = muffin.map(&mut ToF16).encode(pictures_fixed()).unwrap();
    assert_eq!(half.dtype(), DType::F16);
    assert!(max_difference(wide, half.cast(DType::F32)) < F16_TOLERANCE);
}

/// A picture that is the same at each call.
fn pictures_fixed() -> Tensor<B, 4> {
    let steps = Tensor::<B, 1, burn::tensor::Int>::arange(0..3 * 32 * 32, &Default::default());
    steps.float().mul_scalar(0.37).sin().reshape([1, 3, 32, 32])
}

#[test]
fn an_encoder_continues_at_another_picture_size() {
    let muffin: Muffin<B> = MuffinConfig::tiny().init(&Default::default()).unwrap();
    let positions = |muffin: &Muffin<B>| muffin.vpm.beit3.encoder.embed_positions.A.weight.val();
    let before = positions(&muffin);

    let same = muffin.clone().with_image_size(32).unwrap();
    assert_eq!(max_difference(positions(&same), before.clone()), 0.0);

    let larger = muffin.clone().with_image_size(64).unwrap();
    let after = positions(&larger);
    assert_eq!(after.dims(), [3 + 64, 32]);
    // The unused rows and the class token stay.
    assert_eq!(max_difference(after.slice(0..3), before.slice(0..3)), 0.0);
    assert_eq!(larger.picture_shape(), [3, 64, 64]);
    assert_eq!(larger.encode(pictures(1, 64)).unwrap().dims(), [1, 4, 48]);

    for size in [0, 36, 1 << 62] {
        let error = muffin.clone().with_image_size(size).unwrap_err();
        assert!(matches!(
            error,
            VisionError::Config { field: "image_size", value, .. } if value == size.to_string()
        ));
    }
}

#[test]
fn positions_of_another_picture_size_stay_the_same_parameter() {
    let device = Default::default();
    for trains in [true, false] {
        let muffin: Muffin<Autodiff<B>> = MuffinConfig::tiny().init(&device).unwrap();
        let muffin = match trains {
            true => muffin,
            false => muffin.no_grad(),
        };
        let table = |muffin: &Muffin<Autodiff<B>>| {
            let table = &muffin.vpm.beit3.encoder.embed_positions.A.weight;
            (table.id, table.is_require_grad())
        };
        let before = table(&muffin);
        assert_eq!(before.1, trains);
        assert_eq!(table(&muffin.with_image_size(64).unwrap()), before);
    }
}

#[test]
fn positions_are_interpolated_with_the_bicubic_kernel() {
    let (from, to) = (3, 5);
    let device = Default::default();
    let table = Tensor::<B, 2>::random([1 + 9, 2], Distribution::Normal(0.0, 1.0), &device);
    let resized = interpolate_positions(table.clone(), 1, from, to).unwrap();
    let rows = |table: Tensor<B, 2>| table.into_data().to_vec::<f32>().unwrap();
    let (table, resized) = (rows(table), rows(resized));

    // Row-by-column weights, written out from PyTorch's definition.
    let weights = |index: usize| -> [f32; 3] {
        let centre = (index as f32 + 0.5) * from as f32 / to as f32 - 0.5;
        let first = centre.floor() as i32 - 1;
        let mut weights = [0.0; 3];
        for tap in first..first + 4 {
            let distance = (centre - tap as f32).abs();
            weights[tap.clamp(0, 2) as usize] += keys_kernel(distance);
        }
        weights
    };
    for y in 0..to {
        for x in 0..to {
            for channel in 0..2 {
                let mut expected = 0.0;
                for (i, wy) in weights(y).into_iter().enumerate() {
                    for (j, wx) in weights(x).into_iter().enumerate() {
                        expected += wy * wx * table[(1 + i * from + j) * 2 + channel];
                    }
                }
                let found = resized[(1 + y * to + x) * 2 + channel];
                assert!(
                    (found - expected).abs() < INTERPOLATION_TOLERANCE,
                    "{found} {expected}"
                );
            }
        }
    }
}

/// Keys' cubic convolution kernel with a = -0.75, PyTorch's choice.
fn keys_kernel(distance: f32) -> f32 {
    const A: f32 = -0.75;
    let d = distance;
    match d {
        d if d < 1.0 => (A + 2.0) * d.powi(3) - (A + 3.0) * d.powi(2) + 1.0,
        d if d < 2.0 => A * (d.powi(3) - 5.0 * d.powi(2) + 8.0 * d - 4.0),
        _ => 0.0,
    }
}

#[test]
fn a_table_of_another_grid_is_refused() {
    let table = Tensor::<B, 2>::zeros([10, 2], &Default::default());
    for (extra, from, to) in [(2, 3, 4), (1, 3, 0), (10, 0, 3)] {
        let error = interpolate_positions(table.clone(), extra, from, to).unwrap_err();
        assert!(matches!(error, VisionError::PositionGrid { .. }), "{error}");
    }
}
