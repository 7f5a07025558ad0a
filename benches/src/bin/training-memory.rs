//! The memory and the time of training steps with activations kept and computed again:
//! `cargo run --bin training-memory`.
//!
//! Each is measured in a process of its own, whose peak Linux reports.
#![allow(clippy::print_stdout, reason = "it says what it has measured")]

use std::{env, error::Error, fs, process::Command, time::Instant};

use burn::{
    backend::{Autodiff, Flex},
    module::Module,
    tensor::Tensor,
};
use mpm_benches::random;
use mpm_diffusion::unet::{PerLevel, UNetConfig};
use mpm_llm::cpm_bee::{CpmBeeConfig, CpmBeeInput};
use mpm_vision::{Beit3Config, MuffinConfig, PictureEncoder};

type B = Autodiff<Flex>;

const STEPS: usize = 2;

/// Makes a step of a model whose activations are computed again, or not.
type MakeStep = fn(bool) -> Step;

/// The models that are measured.
const MODELS: [(&str, MakeStep); 3] = [("cpm-bee", cpm_bee), ("beit-3", beit3), ("unet", unet)];

type Output = Result<Tensor<B, 3>, Box<dyn Error>>;

/// A forward pass, whose mean square is minimised.
struct Step {
    parameters: usize,
    forward: Box<dyn Fn() -> Output>,
}

fn main() -> Result<(), Box<dyn Error>> {
    viscpm_common::keep_freed_memory();
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [model, how] = &arguments[..] {
        let (name, step) = MODELS
            .into_iter()
            .find(|(name, _)| name == model)
            .ok_or("there is no such model")?;
        return measure(name, step, how == "again");
    }
    for (name, _) in MODELS {
        for how in ["kept", "again"] {
            let program = env::current_exe()?;
            let status = Command::new(program).args([name, how]).status()?;
            if !status.success() {
                return Err(format!("{name}, {how}: {status}").into());
            }
        }
    }
    Ok(())
}

fn measure(name: &str, step: MakeStep, recompute: bool) -> Result<(), Box<dyn Error>> {
    let Step {
        parameters,
        forward,
    } = step(recompute);
    let before = peak()?;
    let start = Instant::now();
    for _ in 0..STEPS {
        let output = forward()?;
        drop((output.clone() * output).mean().backward());
    }
    println!(
        "{name}, {parameters} parameters, activations {}: {} MiB more at the peak, {:.2} s a step",
        if recompute { "computed again" } else { "kept" },
        (peak()? - before) / 1024,
        start.elapsed().as_secs_f64() / STEPS as f64,
    );
    Ok(())
}

/// 12 blocks on 16 rows of 128 tokens.
fn cpm_bee(recompute: bool) -> Step {
    const BATCH: usize = 16;
    const SEQ: usize = 128;
    let device = Default::default();
    let config = CpmBeeConfig {
        num_layers: 12,
        ..CpmBeeConfig::tiny()
    };
    let mut model = config.init::<B>(&device).expect("the sizes are sound");
    model.encoder.recompute = recompute;
    let count = BATCH * SEQ;
    let input = CpmBeeInput {
        batch: BATCH,
        seq_len: SEQ,
        ids: vec![9; count],
        sub_ids: vec![0; count],
        length: vec![SEQ as i32; BATCH],
        context: vec![false; count],
        sample_ids: vec![0; count],
        num_segments: vec![1; count],
        segment_ids: vec![0; count],
        segment_rel_offset: vec![0; count],
        segment_rel: vec![0; BATCH],
        span: vec![0; count],
        ext_table_ids: Vec::new(),
        ext_table_sub: Vec::new(),
    };
    let embeddings = random([BATCH, SEQ, config.dim_model], &device);
    Step {
        // Parameters are drawn when they are first read.
        parameters: read(&model),
        forward: Box::new(move || {
            Ok(model.hidden_states(embeddings.clone(), &input, |_, _| {})?)
        }),
    }
}

/// A visual module of 12 layers on 8 pictures of 224 x 224 pixels.
fn beit3(recompute: bool) -> Step {
    let device = Default::default();
    let encoder = Beit3Config::new(256, 1024, 8, 12);
    let size = encoder.image_size;
    let config = MuffinConfig::new(encoder, 256);
    let mut model = config.init::<B>(&device).expect("the sizes are sound");
    model.vpm.beit3.encoder.recompute = recompute;
    let pictures = random([8, 3, size, size], &device);
    Step {
        parameters: read(&model),
        forward: Box::new(move || Ok(model.encode(pictures.clone())?)),
    }
}

/// A UNet of 15 million parameters on 8 latents of 32 x 32 and texts of 16 tokens.
fn unet(recompute: bool) -> Step {
    const BATCH: usize = 8;
    let device = Default::default();
    let config = UNetConfig {
        block_out_channels: vec![64, 128, 128, 128],
        attention_head_dim: PerLevel::Same(4),
        norm_num_groups: 16,
        cross_attention_dim: 128,
        ..UNetConfig::stable_diffusion_2_1()
    };
    let mut model = config.init::<B>(&device).expect("the sizes are sound");
    model.recompute = recompute;
    let latents = random([BATCH, config.in_channels, 32, 32], &device);
    let text = random([BATCH, 16, config.cross_attention_dim], &device);
    Step {
        parameters: read(&model),
        forward: Box::new(move || {
            let text = model.read_text(text.clone())?;
            Ok(model
                .forward(latents.clone(), &[500.0], &text)?
                .flatten(2, 3))
        }),
    }
}

/// Reads all parameters, which draws them, and counts their values.
fn read<M: Module<B>>(model: &M) -> usize {
    model.num_params()
}

/// The most memory that this process has held, in KiB.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|line| {
        let value = line.strip_prefix("VmHWM:")?;
        value.split_whitespace().next()
    });
    Ok(value.ok_or("Linux reports no peak")?.parse()?)
}
