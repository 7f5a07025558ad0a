//! Training with blocks that are computed again for their gradients.

use std::collections::BTreeMap;

use burn::{
    backend::{Autodiff, Flex},
    module::Module,
    tensor::{Distribution, Tensor, TensorData},
};
use mpm_llm::{
    LlmError,
    cpm_bee::{CpmBee, CpmBeeConfig, CpmBeeInput},
};
use mpm_test_support::gradients;

type B = Autodiff<Flex>;

const BATCH: usize = 2;
const SEQ: usize = 7;

fn config() -> CpmBeeConfig {
    CpmBeeConfig {
        vocab_size: 50,
        dim_model: 16,
        num_heads: 2,
        dim_head: 8,
        dim_ff: 24,
        num_layers: 3,
        ..CpmBeeConfig::tiny()
    }
}

/// Rows of one segment each, whose last three tokens are an answer.
fn input() -> CpmBeeInput {
    let count = BATCH * SEQ;
    CpmBeeInput {
        batch: BATCH,
        seq_len: SEQ,
        ids: (0..count as i32).collect(),
        sub_ids: vec![0; count],
        length: vec![SEQ as i32; BATCH],
        context: (0..count).map(|token| token % SEQ < SEQ - 3).collect(),
        sample_ids: vec![0; count],
        num_segments: vec![1; count],
        segment_ids: vec![0; count],
        segment_rel_offset: vec![0; count],
        segment_rel: vec![0; BATCH],
        span: vec![0; count],
        ext_table_ids: Vec::new(),
        ext_table_sub: Vec::new(),
    }
}

type Found = (Option<TensorData>, BTreeMap<String, TensorData>);

/// The gradients of the embeddings, if they are leaves, and of the parameters.
fn step(model: &CpmBee<B>, embeddings: &Tensor<B, 3>) -> Result<Found, LlmError> {
    let logits = model
        .forward_embeddings(embeddings.clone(), &input())?
        .logits;
    let found = (logits.clone() * logits).mean().backward();
    let embeddings = embeddings.grad(&found).map(|grad| grad.into_data());
    Ok((embeddings, gradients(model, &found)))
}

#[test]
fn gradients_are_the_same_whatever_trains() -> Result<(), LlmError> {
    let device = Default::default();
    let model: CpmBee<B> = config().init(&device)?;
    let embeddings = Tensor::random([BATCH, SEQ, 16], Distribution::Default, &device);
    let mut partly = model.clone();
    partly.position_bias = partly.position_bias.no_grad();
    partly.encoder.layers[1] = partly.encoder.layers[1].clone().no_grad();
    let frozen = model.clone().no_grad();
    let cases = [
        (model.clone(), true),
        (model, false),
        (partly, false),
        // a frozen language model between a picture encoder and the loss
        (frozen, true),
    ];
    for (mut model, is_leaf) in cases {
        let embeddings = embeddings.clone().set_require_grad(is_leaf);
        let expected = step(&model, &embeddings)?;
        model.encoder.recompute = true;
        let found = step(&model, &embeddings)?;
        assert_eq!(expected.0.is_some(), is_leaf);
        // The same operations on the same numbers: not a bit may differ.
        assert_eq!(found, expected);
    }
    Ok(())
}

/// What the allocator and the other tests may add in the meantime; 200 steps that left
/// their blocks behind would add ten times as much.
#[cfg(target_os = "linux")]
const SLACK: usize = 8 << 20;

#[cfg(target_os = "linux")]
#[test]
fn steps_leave_nothing_behind() -> Result<(), Box<dyn std::error::Error>> {
    let device = Default::default();
    let mut model: CpmBee<B> = config().init(&device)?;
    model.encoder.recompute = true;
    let shape = [BATCH, SEQ, 16];
    let run = |steps: usize| -> Result<(), LlmError> {
        for _ in 0..steps {
            step(
                &model,
                &Tensor::random(shape, Distribution::Default, &device),
            )?;
        }
        Ok(())
    };
    let pages = || -> Result<usize, Box<dyn std::error::Error>> {
        let sizes = std::fs::read_to_string("/proc/self/statm")?;
        let resident = sizes.split(' ').nth(1).ok_or("no resident size")?;
        Ok(resident.parse::<usize>()? * 4096)
    };
    run(20)?;
    let before = pages()?;
    run(200)?;
    let after = pages()?;
    assert!(after < before + SLACK, "{before} bytes became {after}");
    Ok(())
}
