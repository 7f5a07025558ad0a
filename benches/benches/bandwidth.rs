//! How near decoding comes to what the memory allows: products of one row and of three with
//! weights in every format, beside only reading as many bytes.
//!
//! A token of an answer reads all weights of a language model once, and does little else. What
//! `read` gives, divided by the size of a model, is the most tokens a second that there can be.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::hint::black_box;

use burn::tensor::{DType, Tensor};
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use mpm_benches::{Suite, finish, random, run};
use mpm_core::{
    MpmBackend,
    backend::BackendKind,
    kernel::linear,
    quantization::{QuantizationScheme, QuantizedMatrix, quantize},
};
use rayon::prelude::*;

/// Width of CPM-Bee 10B, and of the square projections of its attention.
const WIDTH: usize = 4096;

/// More than a processor's caches hold.
const BYTES: usize = 512 << 20;

/// A bench takes a tenth of a second or so.
const SAMPLES: usize = 20;

/// One sequence, and as many as the reference's beam search has.
const ROWS: [usize; 2] = [1, 3];

const FLOATS: [(DType, &str); 2] = [(DType::F32, "f32"), (DType::F16, "f16")];

const SCHEMES: [(QuantizationScheme, &str); 2] = [
    (QuantizationScheme::INT8, "int8"),
    (QuantizationScheme::INT4, "int4"),
];

struct Bandwidth;

impl Suite for Bandwidth {
    fn bench<B: MpmBackend>(criterion: &mut Criterion, backend: BackendKind, device: &B::Device) {
        let mut group = criterion.benchmark_group(format!("bandwidth-{backend}"));
        group.sample_size(SAMPLES);
        read::<B>(&mut group, backend, device);
        let weight = random::<B, 2>([WIDTH, WIDTH], device);
        for (dtype, name) in FLOATS {
            let weight = weight.clone().cast(dtype);
            let bytes = WIDTH * WIDTH * dtype.size();
            let weights = copies(bytes, || weight.clone().mul_scalar(1.0));
            products::<B, _>(&mut group, name, bytes, &weights, device, |x, weight| {
                linear(x.cast(dtype), weight.clone(), None)
            });
        }
        let weight = weight.into_data();
        for (scheme, name) in SCHEMES {
            let quantized = quantize(&weight, scheme).expect("the width is one of blocks");
            let bytes = quantized.codes.bytes.len() + quantized.scales.bytes.len();
            let weights = copies(bytes, || {
                QuantizedMatrix::<B>::from_quantized(quantized.clone(), device)
            });
            products::<B, _>(&mut group, name, bytes, &weights, device, |x, weight| {
                weight.linear(x, None)
            });
        }
        group.finish();
    }
}

/// As many weights as take [`BYTES`].
fn copies<T>(bytes: usize, make: impl FnMut() -> T) -> Vec<T> {
    let mut weights = Vec::new();
    weights.resize_with(BYTES.div_ceil(bytes), make);
    weights
}

/// What the memory gives when nothing else is done.
fn read<B: MpmBackend>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    backend: BackendKind,
    device: &B::Device,
) {
    group.throughput(Throughput::Bytes(BYTES as u64));
    if backend == BackendKind::Flex {
        /// Bytes that a thread reads at a time.
        const PART: usize = 1 << 20;

        let words: Vec<u64> = (0..BYTES / size_of::<u64>()).map(|i| i as u64).collect();
        group.bench_function("read", |b| {
            b.iter(|| -> u64 {
                let parts = black_box(&words).par_chunks(PART / size_of::<u64>());
                parts
                    .map(|part| part.iter().fold(0, |all, word| all ^ word))
                    .sum()
            });
        });
        return;
    }
    let values = random::<B, 1>([BYTES / DType::F32.size()], device);
    group.bench_function("read", |b| {
        b.iter(|| finish::<B, _>(device, || black_box(values.clone()).sum()));
    });
}

/// Multiplies rows with all of the weights.
fn products<B: MpmBackend, W>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    bytes: usize,
    weights: &[W],
    device: &B::Device,
    multiply: impl Fn(Tensor<B, 2>, &W) -> Tensor<B, 2>,
) {
    group.throughput(Throughput::Bytes((bytes * weights.len()) as u64));
    for rows in ROWS {
        let x = random::<B, 2>([rows, WIDTH], device);
        group.bench_function(format!("{name}-{rows}"), |b| {
            b.iter(|| {
                finish::<B, _>(device, || {
                    let outputs = weights.iter().map(|weight| multiply(x.clone(), weight));
                    outputs.for_each(|output| drop(black_box(output)));
                })
            });
        });
    }
}

criterion_group!(benches, run::<Bandwidth>);
criterion_main!(benches);
