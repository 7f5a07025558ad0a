//! What the autoencoder does beyond the reference's cases: tiles, wrong input, its scale.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::{
    backend::Flex,
    tensor::{Distribution, Tensor},
};
use mpm_core::weights::{KeyMap, LoadOptions, Precision, WeightFile, load, save};
use mpm_diffusion::vae::{AutoencoderKl, Tiling, VaeConfig, checkpoint_keys};
use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::json;

type B = Flex;

fn small() -> VaeConfig {
    VaeConfig {
        block_out_channels: vec![8, 8],
        norm_num_groups: 2,
        layers_per_block: 1,
        ..VaeConfig::tiny()
    }
}

fn model() -> AutoencoderKl<B> {
    small().init(&Default::default()).unwrap()
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    let normal = Distribution::Normal(0.0, 1.0);
    Tensor::random(shape, normal, &Default::default())
}

fn largest(x: Tensor<B, 4>) -> f32 {
    x.abs().max().into_scalar()
}

#[test]
fn what_fits_into_a_tile_is_decoded_whole() {
    let vae = model();
    let latents = random([1, 4, 8, 6]);
    let whole = vae.decode(latents.clone()).unwrap();
    let tiling = Tiling {
        tile: 8,
        overlap: 2,
    };
    let tiled = vae.decode_tiled(latents, tiling).unwrap();
    assert_eq!(largest(tiled - whole), 0.0);
}

#[test]
fn tiles_of_equal_content_join_without_seams() {
    let vae = model();
    // Latents without any structure look the same in every tile, away from the borders.
    let latents = random([1, 4, 1, 1]).expand([1, 4, 40, 28]);
    let tiling = Tiling {
        tile: 16,
        overlap: 8,
    };
    let tiled = vae.decode_tiled(latents.clone(), tiling).unwrap();
    let whole = vae.decode(latents).unwrap();
    assert_eq!(tiled.dims(), [1, 3, 80, 56]);
    assert_eq!(tiled.dims(), whole.dims());
    // Blending hides what the borders of the tiles change: no step between neighbours is
    // larger than those of the whole picture.
    let steps = |x: Tensor<B, 4>| {
        let [_, _, height, width] = x.dims();
        let down = x.clone().narrow(2, 1, height - 1) - x.clone().narrow(2, 0, height - 1);
        let across = x.clone().narrow(3, 1, width - 1) - x.narrow(3, 0, width - 1);
        largest(down).max(largest(across))
    };
    assert!(steps(tiled) <= 1.5 * steps(whole));
}

#[test]
fn every_size_has_its_tiles() {
    let vae = model();
    let tiling = Tiling {
        tile: 8,
        overlap: 4,
    };
    for (height, width) in [(9, 8), (8, 9), (12, 13), (25, 3)] {
        let tiled = vae.decode_tiled(random([1, 4, height, width]), tiling);
        assert_eq!(tiled.unwrap().dims(), [1, 3, 2 * height, 2 * width]);
    }
    let without_overlap = Tiling {
        tile: 8,
        overlap: 0,
    };
    let tiled = vae.decode_tiled(random([2, 4, 17, 8]), without_overlap);
    assert_eq!(tiled.unwrap().dims(), [2, 3, 34, 16]);
    for overlap in [5, 8] {
        let tiling = Tiling { tile: 8, overlap };
        assert!(vae.decode_tiled(random([1, 4, 9, 9]), tiling).is_err());
    }
}

#[test]
fn scaling_goes_there_and_back() {
    let config = VaeConfig {
        scaling_factor: 0.25,
        shift_factor: Some(0.5),
        ..small()
    };
    let vae = config.init::<B>(&Default::default()).unwrap();
    let latents = random([1, 4, 3, 3]);
    let scaled = vae.scale_latents(latents.clone());
    let expected = (latents.clone() - 0.5) * 0.25;
    assert!(largest(scaled.clone() - expected) < 1e-6);
    assert!(largest(vae.unscale_latents(scaled) - latents) < 1e-5);
}

#[test]
fn the_divergence_of_the_standard_normal_is_zero() {
    let vae = model();
    let encoded = vae.encode(random([2, 3, 8, 8])).unwrap();
    assert_eq!(encoded.kl_divergence().dims(), [2]);
    let standard = mpm_diffusion::vae::LatentDistribution {
        mean: encoded.mean.zeros_like(),
        logvar: encoded.mean.zeros_like(),
    };
    let divergence: Vec<f32> = standard.kl_divergence().into_data().iter().collect();
    assert_eq!(divergence, [0.0, 0.0]);
    let moved = mpm_diffusion::vae::LatentDistribution {
        mean: encoded.mean.ones_like(),
        logvar: encoded.mean.zeros_like(),
    };
    // Half a nat for each of the 4 · 4 · 4 values.
    let divergence: Vec<f32> = moved.kl_divergence().into_data().iter().collect();
    assert_eq!(divergence, [32.0, 32.0]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let vae = model();
    assert!(vae.encode(random([1, 3, 9, 8])).is_err());
    assert!(vae.encode(random([1, 4, 8, 8])).is_err());
    assert!(vae.encode(random([1, 3, 0, 8])).is_err());
    assert!(vae.decode(random([1, 3, 8, 8])).is_err());
    assert!(vae.decode(random([1, 4, 0, 8])).is_err());
    let refused = |change: fn(&mut VaeConfig), what: &str| {
        let mut config = small();
        change(&mut config);
        let message = config
            .init::<B>(&Default::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains(what), "{message}");
    };
    refused(|c| c.block_out_channels.clear(), "block_out_channels");
    refused(|c| c.block_out_channels[0] = 9, "norm_num_groups");
    refused(|c| c.scaling_factor = 0.0, "scaling_factor");
    refused(|c| c.act_fn = "relu".into(), "act_fn");
    refused(
        |c| c.down_block_types = vec!["DownBlock2D".into(); 2],
        "DownEncoderBlock2D",
    );
    refused(
        |c| c.up_block_types = vec!["UpDecoderBlock2D".into()],
        "up_block_types",
    );
}

#[test]
fn sizes_of_no_model_are_refused_and_nothing_overflows() {
    let refused = |json: serde_json::Value, field: &str| {
        let config: VaeConfig = serde_json::from_value(json).unwrap();
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
        assert!(config.downsampling() >= 1);
    };
    for field in [
        "in_channels",
        "out_channels",
        "latent_channels",
        "layers_per_block",
        "norm_num_groups",
    ] {
        for value in [0, 1 << 25, u64::MAX] {
            refused(json!({field: value}), field);
        }
    }
    let wide = vec![u64::MAX / 32 * 32; 4];
    refused(json!({"block_out_channels": wide}), "block_out_channels[0]");
    let deep = vec![32; 65];
    refused(
        json!({"block_out_channels": deep}),
        "number of block_out_channels",
    );
}

/// The name that latent diffusion's authors give a parameter, by the table of
/// `checkpoint_keys` read backwards, for a decoder of two levels.
fn original_name(name: &str) -> String {
    let replaced = [
        ("encoder.down_blocks.", "encoder.down."),
        ("decoder.up_blocks.0.", "decoder.up.1."),
        ("decoder.up_blocks.1.", "decoder.up.0."),
        (".downsamplers.0.", ".downsample."),
        (".upsamplers.0.", ".upsample."),
        ("mid_block.resnets.0.", "mid.block_1."),
        ("mid_block.resnets.1.", "mid.block_2."),
        (".resnets.", ".block."),
        ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
        ("mid_block.attentions.0.to_q", "mid.attn_1.q"),
        ("mid_block.attentions.0.to_k", "mid.attn_1.k"),
        ("mid_block.attentions.0.to_v", "mid.attn_1.v"),
        ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
        ("conv_shortcut", "nin_shortcut"),
        ("conv_norm_out", "norm_out"),
    ];
    replaced
        .iter()
        .fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// A whole checkpoint of Stable Diffusion: the autoencoder is one branch, and its attention
/// consists of 1 x 1 convolutions.
#[test]
fn the_names_of_latent_diffusion_are_read() {
    let config = VaeConfig {
        block_out_channels: vec![8, 16],
        ..small()
    };
    let vae: AutoencoderKl<B> = config.init(&Default::default()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let (plain, whole) = (
        scratch.path().join("plain.safetensors"),
        scratch.path().join("whole.safetensors"),
    );
    save(&vae, &plain, &KeyMap::new(), Precision::AsStored).unwrap();
    let bytes = std::fs::read(&plain).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = stored
        .tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let mut shape = tensor.shape().to_vec();
            if name.contains("attentions") && shape.len() == 2 {
                shape.extend([1, 1]);
            }
            let view = TensorView::new(tensor.dtype(), shape, tensor.data()).unwrap();
            (format!("first_stage_model.{}", original_name(&name)), view)
        })
        .collect();
    let other = TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    tensors.push(("model.diffusion_model.out.0.bias".to_owned(), other.clone()));
    tensors.push(("betas".to_owned(), other));
    safetensors::serialize_to_file(tensors, None, &whole).unwrap();

    let file = WeightFile::open(&whole).unwrap();
    let options = LoadOptions {
        keys: checkpoint_keys(&file),
        ..LoadOptions::default()
    };
    let loaded = load(
        config.init::<B>(&Default::default()).unwrap(),
        &file,
        &options,
    );
    let pixels = random([1, 3, 8, 8]);
    let moments = |vae: &AutoencoderKl<B>| vae.encode(pixels.clone()).unwrap().mean;
    let (found, expected) = (moments(&loaded.unwrap()), moments(&vae));
    assert_eq!(largest(found - expected), 0.0);
}
