//! The memory and the time of training steps of a CPM-Bee of 12 blocks, with and without
//! activation checkpointing: `cargo run --release -p mpm-llm --example recompute-memory`.
//!
//! Each is measured in a process of its own, whose peak Linux reports.
#![allow(clippy::print_stdout, reason = "an example says what it has measured")]

use std::{env, error::Error, fs, process::Command, time::Instant};

use burn::{
    backend::{Autodiff, Flex},
    module::Module,
    tensor::{Distribution, Tensor},
};
use mpm_llm::cpm_bee::{CpmBee, CpmBeeConfig, CpmBeeInput};

type B = Autodiff<Flex>;

const BATCH: usize = 16;
const SEQ: usize = 128;
const STEPS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("keep") => measure(false),
        Some("recompute") => measure(true),
        _ => {
            for how in ["keep", "recompute"] {
                let status = Command::new(env::current_exe()?).arg(how).status()?;
                if !status.success() {
                    return Err(format!("`{how}` failed: {status}").into());
                }
            }
            Ok(())
        }
    }
}

fn measure(recompute: bool) -> Result<(), Box<dyn Error>> {
    let device = Default::default();
    let config = CpmBeeConfig {
        num_layers: 12,
        ..CpmBeeConfig::tiny()
    };
    let mut model: CpmBee<B> = config.init(&device)?;
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
    let embeddings = Tensor::random(
        [BATCH, SEQ, config.dim_model],
        Distribution::Default,
        &device,
    );
    // Parameters are drawn when they are first read.
    let parameters = model.num_params();
    let before = resident("VmHWM")?;
    let start = Instant::now();
    for _ in 0..STEPS {
        let states = model.hidden_states(embeddings.clone(), &input, |_, _| {})?;
        drop((states.clone() * states).mean().backward());
    }
    println!(
        "{parameters} parameters, activations {}: {} MiB more at the peak, {:.2} s a step",
        if recompute { "computed again" } else { "kept" },
        (resident("VmHWM")? - before) / 1024,
        start.elapsed().as_secs_f64() / STEPS as f64,
    );
    Ok(())
}

/// A line of Linux's report about this process, in KiB.
fn resident(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        value.split_whitespace().next()
    });
    Ok(value.ok_or("Linux reports no peak")?.parse()?)
}
