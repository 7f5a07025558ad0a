//! The losses of VisCPM-Paint's training.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(missing_docs, reason = "these are tests")]

use burn::backend::{Autodiff, Flex};
use burn::tensor::{Distribution, Tensor};
use mpm_diffusion::LatentDiffusion;
use mpm_diffusion::schedule::{NoiseSchedule, NoiseScheduleConfig, PredictionType};
use mpm_diffusion::unet::UNetConfig;
use mpm_diffusion::vae::VaeConfig;
use mpm_train::BoxError;
use mpm_train::diffusion::{
    AutoencoderLossConfig, DiffusionLoss, DiffusionLossConfig, DiffusionNoise, DiffusionParts,
};
use mpm_train::freeze::{ParameterTable, train_only};

type B = Flex;

const KINDS: [PredictionType; 3] = [
    PredictionType::Epsilon,
    PredictionType::VPrediction,
    PredictionType::Sample,
];

fn random<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Default::default())
}

fn schedule(prediction_type: PredictionType) -> NoiseSchedule {
    NoiseSchedule::new(NoiseScheduleConfig {
        prediction_type,
        ..NoiseScheduleConfig::stable_diffusion()
    })
    .unwrap()
}

fn scalar(loss: Tensor<B, 1>) -> f64 {
    f64::from(loss.into_scalar())
}

/// The loss of a prediction that is off by `error` everywhere.
fn loss_of(
    kind: PredictionType,
    config: DiffusionLossConfig,
    timesteps: &[usize],
    error: f64,
) -> f64 {
    let schedule = schedule(kind);
    let latents = random([timesteps.len(), 4, 3, 3]);
    let noise = random([timesteps.len(), 4, 3, 3]);
    let right = match kind {
        PredictionType::Epsilon => noise.clone(),
        PredictionType::Sample => latents.clone(),
        PredictionType::VPrediction => schedule
            .velocity(latents.clone(), noise.clone(), timesteps)
            .unwrap(),
    };
    let drawn = DiffusionNoise {
        noise,
        offset: None,
        timesteps: timesteps.to_vec(),
    };
    let loss = DiffusionLoss::new(schedule, config).unwrap();
    let (output, _) = loss
        .loss(latents, drawn, |_, _| Ok::<_, BoxError>(right + error))
        .unwrap();
    assert_eq!(output.counted, timesteps.len());
    scalar(output.loss)
}

#[test]
fn the_loss_is_the_mean_squared_error_of_what_is_predicted() {
    for kind in KINDS {
        let plain = DiffusionLossConfig::default();
        assert!(loss_of(kind, plain, &[0, 500, 999], 0.0) < 1e-10);
        let off = loss_of(kind, plain, &[0, 500, 999], 0.5);
        assert!((off - 0.25).abs() < 1e-5, "{kind:?}: {off}");
    }
}

#[test]
fn easy_timesteps_count_as_the_paper_says() {
    let gamma = 5.0;
    let config = DiffusionLossConfig {
        min_snr_gamma: Some(gamma),
        ..DiffusionLossConfig::default()
    };
    for kind in KINDS {
        for timestep in [3, 400, 990] {
            let ratio = schedule(kind).signal_to_noise(timestep).unwrap();
            // Table 1 of https://arxiv.org/abs/2303.09556.
            let expected = match kind {
                PredictionType::Epsilon => ratio.min(gamma) / ratio,
                PredictionType::VPrediction => ratio.min(gamma) / (ratio + 1.0),
                PredictionType::Sample => ratio.min(gamma),
            };
            let found = loss_of(kind, config, &[timestep], 1.0);
            let error = (found - expected).abs();
            assert!(
                error < 1e-4 * expected.max(1.0),
                "{kind:?} {timestep}: {found}"
            );
        }
    }
}

#[test]
fn the_offset_shifts_whole_channels() {
    let config = DiffusionLossConfig {
        noise_offset: 0.5,
        ..DiffusionLossConfig::default()
    };
    let loss = DiffusionLoss::new(schedule(PredictionType::Epsilon), config).unwrap();
    let noise = random([2, 4, 3, 3]);
    let drawn = DiffusionNoise {
        noise: noise.clone(),
        offset: Some(Tensor::ones([2, 4, 1, 1], &Default::default())),
        timesteps: vec![100, 900],
    };
    // The model is asked for the noise with its offset.
    let (output, _) = loss
        .loss(random([2, 4, 3, 3]), drawn, |_, _| {
            Ok::<_, BoxError>(noise + 0.5)
        })
        .unwrap();
    assert!(scalar(output.loss) < 1e-10);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |config: DiffusionLossConfig, name: &str| {
        let made = DiffusionLoss::new(schedule(PredictionType::Epsilon), config);
        let message = made.unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
    };
    for gamma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let min_snr_gamma = Some(gamma);
        let config = DiffusionLossConfig {
            min_snr_gamma,
            ..DiffusionLossConfig::default()
        };
        refused(config, "min_snr_gamma");
    }
    for noise_offset in [-0.1, f64::NAN, f64::INFINITY] {
        let config = DiffusionLossConfig {
            noise_offset,
            ..DiffusionLossConfig::default()
        };
        refused(config, "noise_offset");
    }
}

#[test]
fn a_pretrained_unet_trains_its_attention_to_the_text_alone() {
    type Ad = Autodiff<Flex>;
    let model = LatentDiffusion::<Ad>::new(&UNetConfig::tiny(), 16, &Default::default()).unwrap();
    let trainable = |parts: DiffusionParts| {
        let model = train_only::<Ad, _>(model.clone(), &parts.patterns()).unwrap();
        let table = ParameterTable::new::<Ad, _>(&model);
        let names = table.trainable().map(|parameter| parameter.path.clone());
        names.collect::<Vec<_>>()
    };
    let all = trainable(DiffusionParts::All);
    assert_eq!(all.len(), ParameterTable::new::<Ad, _>(&model).rows.len());
    let some = trainable(DiffusionParts::default());
    let expected: Vec<_> = all
        .into_iter()
        .filter(|name| name.starts_with("trans_block.") || name.contains(".attn2."))
        .collect();
    assert_eq!(some, expected);
    // to_q, to_k, to_v and to_out with its bias, of 7 transformers; a weight and a norm.
    assert_eq!(some.len(), 7 * 5 + 3);
}

#[test]
fn the_autoencoder_is_asked_for_pixels_edges_and_a_normal_distribution() {
    let config = VaeConfig {
        block_out_channels: vec![8, 8],
        norm_num_groups: 2,
        ..VaeConfig::tiny()
    };
    let vae = config.init::<B>(&Default::default()).unwrap();
    let pixels = random([2, 3, 8, 8]);
    let noise = random([2, 4, 4, 4]);
    let loss = |kl_weight, edge_weight| {
        let config = AutoencoderLossConfig {
            kl_weight,
            edge_weight,
        };
        let output = config.loss(&vae, pixels.clone(), noise.clone()).unwrap();
        scalar(output.loss)
    };
    let encoded = vae.encode(pixels.clone()).unwrap();
    let decoded = vae.decode(encoded.sample(noise.clone())).unwrap();
    let error = scalar((decoded - pixels.clone()).abs().mean());
    assert!((loss(0.0, 0.0) - error).abs() < 1e-5);
    let divergence = scalar(encoded.kl_divergence().mean()) / 64.0;
    assert!((loss(2.0, 0.0) - error - 2.0 * divergence).abs() < 1e-4);
    assert!(loss(0.0, 1.0) > loss(0.0, 0.0));
}
