//! What the UNet does beyond the reference's cases: odd sizes, wrong input, configurations.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::{
    backend::Flex,
    tensor::{Distribution, Tensor},
};
use mpm_core::weights::module_keys;
use mpm_diffusion::{
    DiffusionError, LatentDiffusion,
    unet::{KeyValue, PerLevel, UNet2DConditionModel, UNetConfig},
};
use serde_json::json;

type B = Flex;

/// Rows of a batch are computed by the same operations, which may sum in another order.
const ROUNDING: f32 = 1e-4;

fn small() -> UNetConfig {
    UNetConfig {
        block_out_channels: vec![16, 16, 16],
        norm_num_groups: 4,
        cross_attention_dim: 8,
        attention_head_dim: PerLevel::Same(2),
        down_block_types: UNetConfig::stable_diffusion_2_1().down_block_types[1..].to_vec(),
        up_block_types: UNetConfig::stable_diffusion_2_1().up_block_types[..3].to_vec(),
        layers_per_block: 1,
        ..UNetConfig::tiny()
    }
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    let normal = Distribution::Normal(0.0, 1.0);
    Tensor::random(shape, normal, &Default::default())
}

fn model() -> UNet2DConditionModel<B> {
    small().init(&Default::default()).unwrap()
}

fn difference(a: Tensor<B, 4>, b: Tensor<B, 4>) -> f32 {
    (a - b).abs().max().into_scalar()
}

#[test]
fn sizes_that_cannot_be_halved_come_out_whole() {
    let unet = model();
    let text = unet.read_text(random([1, 3, 8])).unwrap();
    for size in [[5, 7], [1, 1], [9, 4], [8, 8]] {
        let sample = random([1, 4, size[0], size[1]]);
        let output = unet.forward(sample, &[10.0], &text).unwrap();
        assert_eq!(output.dims(), [1, 4, size[0], size[1]]);
    }
}

#[test]
fn rows_of_a_batch_do_not_see_each_other() {
    let unet = model();
    let states = random([2, 3, 8]);
    let sample = random([2, 4, 8, 8]);
    let times = [900.0, 3.5];
    let text = unet.read_text(states.clone()).unwrap();
    let both = unet.forward(sample.clone(), &times, &text).unwrap();
    for row in 0..2 {
        let text = unet.read_text(states.clone().narrow(0, row, 1)).unwrap();
        let sample = sample.clone().narrow(0, row, 1);
        let alone = unet.forward(sample, &times[row..=row], &text).unwrap();
        assert!(difference(alone, both.clone().narrow(0, row, 1)) < ROUNDING);
    }
}

#[test]
fn a_text_is_repeated_for_each_of_its_pictures() {
    let unet = model();
    let states = random([2, 3, 8]);
    let sample = random([1, 4, 8, 8]).repeat_dim(0, 4);
    let text = unet.read_text(states).unwrap();
    assert_eq!(text.clone().repeat(2).batch(), 4);
    let output = unet.forward(sample, &[500.0], &text.repeat(2)).unwrap();
    let row = |i| output.clone().narrow(0, i, 1);
    assert!(difference(row(0), row(1)) < ROUNDING);
    assert!(difference(row(2), row(3)) < ROUNDING);
    assert!(difference(row(0), row(2)) > ROUNDING);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let unet = model();
    let text = unet.read_text(random([1, 3, 8])).unwrap();
    let refused = |result: Result<Tensor<B, 4>, DiffusionError>, what: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    };
    refused(unet.forward(random([1, 3, 8, 8]), &[1.0], &text), "sample");
    refused(unet.forward(random([1, 4, 0, 8]), &[1.0], &text), "sample");
    refused(unet.forward(random([2, 4, 8, 8]), &[1.0], &text), "text");
    refused(unet.forward(random([1, 4, 8, 8]), &[], &text), "timesteps");
    assert!(unet.read_text(random([1, 3, 9])).is_err());
    assert!(unet.read_text(random([1, 0, 8])).is_err());
    let diffusion = LatentDiffusion::<B>::new(&small(), 6, &Default::default()).unwrap();
    assert!(diffusion.read_text(random([1, 3, 7])).is_err());
}

#[test]
fn texts_of_other_models_are_refused() {
    let unet = model();
    let changes: [fn(&mut UNetConfig); 3] = [
        |c| c.layers_per_block = 2,
        |c| c.transformer_layers_per_block = 2,
        |c| c.attention_head_dim = PerLevel::Same(4),
    ];
    for change in changes {
        let mut config = small();
        change(&mut config);
        let other: UNet2DConditionModel<B> = config.init(&Default::default()).unwrap();
        for (unet, other) in [(&unet, &other), (&other, &unet)] {
            let text = other.read_text(random([1, 3, 8])).unwrap();
            let error = unet.forward(random([1, 4, 8, 8]), &[1.0], &text);
            let error = error.unwrap_err();
            assert!(matches!(error, DiffusionError::Shape { .. }), "{error}");
        }
    }

    let transformer = &unet.down_blocks[0].attentions[0];
    let text = transformer.read_text(&random([1, 3, 8]));
    let forward = |text: &[KeyValue<B>]| transformer.forward(random([1, 16, 4, 4]), text);
    forward(&text).unwrap();
    assert!(forward(&[]).is_err());
    assert!(forward(&[text.clone(), text].concat()).is_err());
}

#[test]
fn configurations_that_describe_no_model_are_refused() {
    let refused = |change: fn(&mut UNetConfig), what: &str| {
        let mut config = small();
        change(&mut config);
        let message = config
            .init::<B>(&Default::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains(what), "{message}");
    };
    refused(|c| c.block_out_channels = Vec::new(), "block_out_channels");
    refused(|c| c.block_out_channels[1] = 18, "norm_num_groups");
    refused(
        |c| c.attention_head_dim = PerLevel::Same(0),
        "attention heads",
    );
    refused(
        |c| c.attention_head_dim = PerLevel::Each(vec![2]),
        "attention heads",
    );
    refused(|c| c.layers_per_block = 0, "layers_per_block");
    refused(|c| c.act_fn = "gelu".into(), "act_fn");
    refused(|c| c.dual_cross_attention = true, "dual_cross_attention");
    refused(|c| c.freq_shift = 8, "freq_shift");
    refused(|c| c.up_block_types.clear(), "up_block_types");
    refused(|c| c.downsample_padding = 0, "downsample_padding");
    refused(|c| c.mid_block_scale_factor = 2.0, "mid_block_scale_factor");
    refused(
        |c| c.resnet_out_scale_factor = f64::NAN,
        "resnet_out_scale_factor",
    );
    refused(|c| c.resnet_skip_time_act = true, "resnet_skip_time_act");
    refused(
        |c| c.time_embedding_act_fn = Some("silu".into()),
        "time_embedding_act_fn",
    );
    refused(
        |c| c.timestep_post_act = Some("silu".into()),
        "timestep_post_act",
    );
}

#[test]
fn sizes_of_no_model_are_refused_and_nothing_overflows() {
    let refused = |json: serde_json::Value, field: &str| {
        let config: UNetConfig = serde_json::from_value(json).unwrap();
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
        assert!(config.downsampling() >= 1);
    };
    for field in [
        "sample_size",
        "in_channels",
        "out_channels",
        "layers_per_block",
        "norm_num_groups",
        "cross_attention_dim",
        "transformer_layers_per_block",
    ] {
        for value in [0, 1 << 25, u64::MAX] {
            refused(json!({field: value}), field);
        }
    }
    let wide = vec![u64::MAX / 32 * 32; 4];
    refused(json!({"block_out_channels": wide}), "block_out_channels[0]");
    for levels in [65, 1000] {
        refused(
            json!({
                "block_out_channels": vec![32; levels], "attention_head_dim": 1,
                "down_block_types": vec!["DownBlock2D"; levels],
                "up_block_types": vec!["UpBlock2D"; levels],
            }),
            "number of block_out_channels",
        );
    }
}

#[test]
fn keys_that_change_nothing_are_read_and_not_written() {
    let read = |json: &str| serde_json::from_str::<UNetConfig>(json).unwrap();
    let config = read(
        r#"{"downsample_padding": 1, "mid_block_scale_factor": 1, "resnet_out_scale_factor": 1.0,
            "resnet_skip_time_act": false, "time_embedding_act_fn": null,
            "timestep_post_act": null, "use_linear_projection": true}"#,
    );
    assert_eq!(config, UNetConfig::stable_diffusion_2_1());
    let written = serde_json::to_string(&config).unwrap();
    for key in ["padding", "scale_factor", "act_fn\":null", "post_act"] {
        assert!(!written.contains(key), "{written}");
    }
    let other = read(r#"{"mid_block_scale_factor": 1.4142}"#);
    assert!(other.validate().is_err());
    assert_eq!(read(&serde_json::to_string(&other).unwrap()), other);
}

/// As many as diffusers' own models have.
#[test]
fn presets_have_the_parameters_of_stable_diffusion() {
    let count = |config: UNetConfig| -> usize {
        let unet = config.init::<B>(&Default::default()).unwrap();
        let shapes = module_keys(&unet).into_values();
        shapes.map(|shape| shape.iter().product::<usize>()).sum()
    };
    assert_eq!(count(UNetConfig::stable_diffusion_2_1()), 865_910_724);
    assert_eq!(count(UNetConfig::stable_diffusion_1_5()), 859_520_964);
}

#[test]
fn half_precision_stays_close() {
    let device = Default::default();
    let unet = model();
    let (sample, states) = (random([1, 4, 8, 8]), random([1, 3, 8]));
    let text = unet.read_text(states.clone()).unwrap();
    let exact = unet.forward(sample.clone(), &[100.0], &text).unwrap();
    let half = burn::tensor::DType::F16;
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("unet.safetensors");
    let keys = mpm_core::weights::KeyMap::new();
    let precision = mpm_core::weights::Precision::Cast(half);
    mpm_core::weights::save(&unet, &path, &keys, precision).unwrap();
    let file = mpm_core::weights::WeightFile::open(&path).unwrap();
    let options = mpm_core::weights::LoadOptions::default();
    let unet: UNet2DConditionModel<B> =
        mpm_core::weights::load(small().init(&device).unwrap(), &file, &options).unwrap();
    let text = unet.read_text(states.cast(half)).unwrap();
    let output = unet.forward(sample.cast(half), &[100.0], &text).unwrap();
    assert_eq!(output.dtype(), half);
    let scale: f32 = exact.clone().abs().max().into_scalar();
    let error = difference(output.cast(burn::tensor::DType::F32), exact);
    // Weights and activations of 11 bits, through some twenty layers.
    assert!(error < 0.02 * scale, "{error} of {scale}");
}
