//! How long one layer of CPM-Bee 10B takes, at its full width and in f32: to read a
//! prompt of 128 tokens, and to read one token when 512 are in the cache. Batch 3 is
//! that of three beams.
//!
//! What is timed is the pass of a model of one such layer, from embeddings to the
//! hidden states after the last norm, with mask and position bias, which the 48 layers
//! of the whole model share.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::hint::black_box;
use std::ops::Range;

use burn::tensor::Tensor;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use mpm_benches::{Suite, finish, random, run};
use mpm_core::{MpmBackend, backend::BackendKind};
use mpm_llm::cpm_bee::{CpmBee, CpmBeeConfig, CpmBeeStep, InferenceState};

const PROMPT: usize = 128;
const CACHED: usize = 512;
const BATCHES: [usize; 2] = [1, 3];

/// The fewest that criterion takes: a prompt takes a second or so on a CPU.
const SAMPLES: usize = 10;

struct CpmBeeLayer;

impl Suite for CpmBeeLayer {
    fn bench<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
        let config = CpmBeeConfig {
            num_layers: 1,
            // Embedding and projection are not timed.
            vocab_size: 1,
            ..CpmBeeConfig::cpm_bee_10b()
        };
        let model: CpmBee<B> = config.init(device).expect("the sizes are valid");
        // Weights are drawn when they are first used: here.
        let mut cached = empty_state(&model, 1, CACHED + 1);
        let embeddings = random([1, CACHED, config.dim_model], device);
        read(&model, embeddings, 0..CACHED, &mut cached);

        prefill(criterion, backend, &model);
        decode(criterion, backend, &model, &cached);
    }
}

fn prefill<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, model: &CpmBee<B>) {
    let (device, width) = (model.device(), model.config().dim_model);
    let mut group = criterion.benchmark_group(format!("cpm-bee-layer-prefill-{PROMPT}"));
    group.sample_size(SAMPLES);
    for batch in BATCHES {
        let embeddings = random::<B, 3>([batch, PROMPT, width], &device);
        group.bench_function(BenchmarkId::new(backend.name(), batch), |b| {
            b.iter_batched(
                || finish::<B, _>(&device, || empty_state(model, batch, PROMPT)),
                |mut state| {
                    let embeddings = black_box(embeddings.clone());
                    (read(model, embeddings, 0..PROMPT, &mut state), state)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// `cached` holds one row, which all rows of a batch continue.
fn decode<B: MpmBackend>(
    criterion: &mut Criterion,
    backend: BackendKind,
    model: &CpmBee<B>,
    cached: &InferenceState<B>,
) {
    let (device, width) = (model.device(), model.config().dim_model);
    // Into new buffers: a shared one would be copied when the token is written, which
    // is not what happens while an answer is generated.
    let continued = |batch: usize| {
        let mut state = cached.clone();
        state.select_rows(&vec![0; batch]);
        state
    };
    let mut group = criterion.benchmark_group(format!("cpm-bee-layer-decode-{CACHED}"));
    for batch in BATCHES {
        let embeddings = random::<B, 3>([batch, 1, width], &device);
        group.bench_function(BenchmarkId::new(backend.name(), batch), |b| {
            b.iter_batched(
                || finish::<B, _>(&device, || continued(batch)),
                |mut state| {
                    let embeddings = black_box(embeddings.clone());
                    let hidden = read(model, embeddings, CACHED..CACHED + 1, &mut state);
                    (hidden, state)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Rows of one segment.
fn empty_state<B: MpmBackend>(
    model: &CpmBee<B>,
    batch: usize,
    capacity: usize,
) -> InferenceState<B> {
    model
        .inference_state(batch, capacity, vec![0; batch])
        .expect("one relation a row")
}

/// Reads the tokens at `positions`, the same in each row.
fn read<B: MpmBackend>(
    model: &CpmBee<B>,
    embeddings: Tensor<B, 3>,
    positions: Range<usize>,
    state: &mut InferenceState<B>,
) -> Tensor<B, 3> {
    let (batch, len) = (state.batch(), positions.len());
    let count = batch * len;
    let step = CpmBeeStep {
        batch,
        len,
        position: (0..batch)
            .flat_map(|_| positions.clone())
            .map(|position| position as i32)
            .collect(),
        context: vec![true; count],
        sample_ids: vec![0; count],
        num_segments: vec![1; count],
        segment_ids: vec![0; count],
        segment_rel_offset: vec![0; count],
    };
    finish::<B, _>(&model.device(), || {
        model
            .infer(embeddings, &step, state)
            .expect("the step fits the state")
    })
}

criterion_group!(benches, run::<CpmBeeLayer>);
criterion_main!(benches);
