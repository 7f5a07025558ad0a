//! What the fused operations of the CPU backend gain over Burn's own.
//!
//! Each shape is timed as `fused` (`mpm_core::kernel`) and as `burn` (the same
//! mathematics by Burn's operations, or Burn's function where it has one).
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use burn::{
    backend::{Autodiff, Flex},
    tensor::{
        DType, Tensor, activation,
        backend::{AutodiffBackend, Backend},
        module,
        ops::AttentionModuleOptions,
    },
};
use criterion::{Criterion, criterion_group, criterion_main};
use mpm_core::kernel;
use std::hint::black_box;

type Training = Autodiff<Flex>;

fn random<B: Backend, const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    mpm_benches::random(shape, &B::Device::default())
}

fn elementwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("gelu-4096x4096");
    let x = random::<Flex, 2>([4096, 4096]);
    let gate = random::<Flex, 2>([4096, 4096]);
    group.bench_function("fused", |b| b.iter(|| kernel::gelu(black_box(x.clone()))));
    group.bench_function("burn", |b| {
        b.iter(|| activation::gelu(black_box(x.clone())))
    });
    group.bench_function("gated-fused", |b| {
        b.iter(|| kernel::gated_gelu(black_box(x.clone()), gate.clone()));
    });
    group.bench_function("gated-burn", |b| {
        b.iter(|| activation::gelu(black_box(x.clone())) * gate.clone());
    });
    group.finish();

    let mut group = c.benchmark_group("rms-norm-512x4096");
    let x = random::<Flex, 2>([512, 4096]);
    let weight = random::<Flex, 1>([4096]);
    group.bench_function("fused", |b| {
        b.iter(|| kernel::rms_norm(black_box(x.clone()), weight.clone(), 1e-6));
    });
    group.bench_function("burn", |b| {
        b.iter(|| {
            let x = black_box(x.clone());
            let rms = x.clone().square().mean_dim(1).add_scalar(1e-6).sqrt();
            x / rms * weight.clone().unsqueeze()
        });
    });
    group.finish();
}

fn attention(c: &mut Criterion) {
    for (name, len_q, len_k) in [
        ("attention-prefill-h32-128x128", 128, 128),
        ("attention-prefill-h32-1024x1024", 1024, 1024),
        ("attention-decode-h32-1x640", 1, 640),
    ] {
        let mut group = c.benchmark_group(name);
        let query = random::<Flex, 4>([1, 32, len_q, 128]);
        let key = random::<Flex, 4>([1, 32, len_k, 128]);
        let value = random::<Flex, 4>([1, 32, len_k, 128]);
        let bias = random::<Flex, 4>([1, 32, len_q, len_k]);
        let scale = 128_f64.sqrt().recip();
        group.bench_function("fused", |b| {
            b.iter(|| {
                let query = black_box(query.clone());
                kernel::attention(
                    query,
                    key.clone(),
                    value.clone(),
                    Some(bias.clone()),
                    None,
                    scale,
                )
            });
        });
        group.bench_function("burn-attention", |b| {
            b.iter(|| {
                let options = AttentionModuleOptions {
                    scale: Some(scale),
                    ..Default::default()
                };
                let query = black_box(query.clone());
                module::attention(
                    query,
                    key.clone(),
                    value.clone(),
                    None,
                    Some(bias.clone()),
                    options,
                )
            });
        });
        group.bench_function("burn-composed", |b| {
            b.iter(|| {
                composed(
                    black_box(query.clone()),
                    key.clone(),
                    value.clone(),
                    bias.clone(),
                    scale,
                )
            });
        });
        group.finish();
    }
}

fn composed<B: Backend>(
    query: Tensor<B, 4>,
    key: Tensor<B, 4>,
    value: Tensor<B, 4>,
    bias: Tensor<B, 4>,
    scale: f64,
) -> Tensor<B, 4> {
    let scores = query.matmul(key.transpose()).mul_scalar(scale) + bias;
    activation::softmax(scores, 3).matmul(value)
}

fn training(c: &mut Criterion) {
    let mut group = c.benchmark_group("attention-training-b64-h4-40x40-d32");
    let inputs = [(); 3].map(|()| random::<Flex, 4>([64, 4, 40, 32]));
    let bias = random::<Flex, 4>([1, 4, 40, 40]);
    let scale = 32_f64.sqrt().recip();
    group.bench_function("fused", |b| {
        b.iter(|| {
            step(&inputs, &bias, |query, key, value, bias| {
                kernel::attention(query, key, value, Some(bias), None, scale)
            })
        });
    });
    group.bench_function("burn-composed", |b| {
        b.iter(|| {
            step(&inputs, &bias, |query, key, value, bias| {
                composed(query, key, value, bias, scale)
            })
        });
    });
    group.finish();
}

/// The forward and the backward pass.
fn step(
    inputs: &[Tensor<Flex, 4>; 3],
    bias: &Tensor<Flex, 4>,
    attention: impl Fn(
        Tensor<Training, 4>,
        Tensor<Training, 4>,
        Tensor<Training, 4>,
        Tensor<Training, 4>,
    ) -> Tensor<Training, 4>,
) -> <Training as AutodiffBackend>::Gradients {
    let leaf = |x: &Tensor<Flex, 4>| Tensor::<Training, 4>::from_inner(x.clone()).require_grad();
    let [query, key, value] = inputs.each_ref().map(leaf);
    attention(query, key, value, leaf(bias)).sum().backward()
}

/// Rows, width of the input, width of the output: one and three sequences decoded by CPM-Bee,
/// the queries and the picture's tokens in BEiT-3 large.
const LINEAR: [[usize; 3]; 4] = [
    [1, 4096, 10240],
    [3, 4096, 10240],
    [64, 1024, 4096],
    [197, 1024, 4096],
];

fn linear(c: &mut Criterion) {
    for (dtype, name) in [(DType::F32, "f32"), (DType::F16, "f16")] {
        for [rows, d_in, d_out] in LINEAR {
            let weight = random::<Flex, 2>([d_out, d_in]).cast(dtype);
            let mut group = c.benchmark_group(format!("linear-{name}-{rows}x{d_in}x{d_out}"));
            let x = random::<Flex, 2>([rows, d_in]).cast(dtype);
            group.bench_function("fused", |b| {
                b.iter(|| kernel::linear(black_box(x.clone()), weight.clone(), None));
            });
            group.bench_function("burn", |b| {
                b.iter(|| black_box(x.clone()).matmul(weight.clone().transpose()));
            });
            group.finish();
        }
    }
}

criterion_group!(benches, elementwise, attention, training, linear);
criterion_main!(benches);
