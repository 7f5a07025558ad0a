//! How long painting takes: a guided step of Stable Diffusion 2.1's UNet at 512 x 512 pixels,
//! the autoencoder's decoding of such a picture, and a whole picture of the shipped model.
//!
//! The full-size models are in f32 with random weights. Without the shipped model's folder its
//! picture is not timed.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]
#![allow(
    clippy::print_stderr,
    reason = "who runs the suite must see why there are no figures"
)]

use std::{hint::black_box, ops::ControlFlow, path::Path};

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use mpm_benches::{Suite, finish, peak_memory, random, run};
use mpm_core::{MpmBackend, backend::BackendKind, model_folder::CONFIG_FILE, weights::LoadOptions};
use mpm_diffusion::{unet::UNetConfig, vae::VaeConfig};
use viscpm_paint::PaintModel;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/viscpm-paint-emoji");

/// A picture and its unconditional half.
const BATCH: usize = 2;

/// Tokens of the text, as many as CLIP's for Stable Diffusion.
const TEXT: usize = 77;

/// The side of the latents of 512 pixels.
const SIDE: usize = 64;

/// The fewest that criterion takes: a pass takes many seconds on a CPU.
const SAMPLES: usize = 10;

struct Paint;

impl Suite for Paint {
    fn bench<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
        unet::<B>(criterion, backend, device);
        autoencoder::<B>(criterion, backend, device);
        picture::<B>(criterion, backend, device);
    }
}

fn unet<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
    let config = UNetConfig::stable_diffusion_2_1();
    let model = config.init::<B>(device).expect("the preset is valid");
    let sample = random::<B, 4>([BATCH, config.in_channels, SIDE, SIDE], device);
    let states = random::<B, 3>([BATCH, TEXT, config.cross_attention_dim], device);
    let mut text = None;
    let mut group = criterion.benchmark_group("sd21-unet-64x64-b2");
    group.sample_size(SAMPLES).sampling_mode(SamplingMode::Flat);
    group.bench_function(backend.name(), |b| {
        // Once per picture, not per step; here, so that a filtered run draws no weights.
        let text = text.get_or_insert_with(|| {
            let read = model.read_text(states.clone());
            read.expect("the text has the model's width")
        });
        b.iter(|| {
            finish::<B, _>(device, || {
                model
                    .forward(black_box(sample.clone()), &[500.0], text)
                    .expect("the sample has the model's shape")
            })
        });
    });
    group.finish();
    if text.is_some() {
        peak_memory("sd21-unet-64x64-b2");
    }
}

fn autoencoder<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
    let config = VaeConfig::stable_diffusion();
    let model = config.init::<B>(device).expect("the preset is valid");
    let latents = random::<B, 4>([1, config.latent_channels, SIDE, SIDE], device);
    let mut ran = false;
    let mut group = criterion.benchmark_group("sd-vae-decode-512");
    group.sample_size(SAMPLES).sampling_mode(SamplingMode::Flat);
    group.bench_function(backend.name(), |b| {
        ran = true;
        b.iter(|| {
            finish::<B, _>(device, || {
                model
                    .decode(black_box(latents.clone()))
                    .expect("the latents have the model's shape")
            })
        });
    });
    group.finish();
    if ran {
        peak_memory("sd-vae-decode-512");
    }
}

fn picture<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
    if !Path::new(MODEL).join(CONFIG_FILE).is_file() {
        eprintln!("paint: skipped the shipped model, there is none in {MODEL}");
        return;
    }
    let model = PaintModel::<B>::open(MODEL, device, &LoadOptions::default())
        .expect("the shipped model is valid");
    let request = model.config.default_request(1);
    let mut group = criterion.benchmark_group("paint-picture");
    group.sample_size(SAMPLES);
    for prompt in ["strawberry", "草莓"] {
        let name = if prompt.is_ascii() {
            "english"
        } else {
            "chinese"
        };
        group.bench_function(BenchmarkId::new(backend.name(), name), |b| {
            b.iter(|| {
                let states = model.text_encoder.encode_pair(prompt, "");
                let states = states.expect("the prompt is short");
                model
                    .painter
                    .paint(&states, &request, None, 0..1, |_| ControlFlow::Continue(()))
                    .expect("the request is the model's own")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, run::<Paint>);
criterion_main!(benches);
