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
        DType, Int, Tensor, TensorData, activation,
        backend::{AutodiffBackend, Backend},
        module,
        ops::{AttentionModuleOptions, ConvOptions},
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

/// Attention of a UNet of Stable Diffusion: to its own pixels at the three resolutions and to a
/// text; and in the VAE. Batch, heads, queries, keys, width of a head.
const PICTURE_ATTENTION: [[usize; 5]; 5] = [
    [2, 5, 4096, 4096, 64],
    [2, 10, 1024, 1024, 64],
    [2, 20, 256, 256, 64],
    [2, 5, 4096, 77, 64],
    [1, 1, 4096, 4096, 512],
];

fn picture_attention(c: &mut Criterion) {
    for [batch, heads, len_q, len_k, width] in PICTURE_ATTENTION {
        let name = format!("attention-picture-{batch}x{heads}-{len_q}x{len_k}-d{width}");
        let mut group = c.benchmark_group(name);
        let scale = (width as f64).sqrt().recip();
        // as they come out of a projection
        let heads = |len| random::<Flex, 4>([batch, len, heads, width]).swap_dims(1, 2);
        let (query, key, value) = (heads(len_q), heads(len_k), heads(len_k));
        group.bench_function("fused", |b| {
            b.iter(|| {
                let query = black_box(query.clone());
                kernel::attention(query, key.clone(), value.clone(), None, None, scale)
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

/// Batch, channels and side of the pictures: in a UNet of Stable Diffusion, at its largest and
/// at a middle resolution, in its VAE, and in a UNet small enough to train on a CPU.
const PICTURES: [[usize; 3]; 4] = [[2, 320, 64], [2, 1280, 16], [1, 256, 256], [32, 64, 16]];

fn group_norm(c: &mut Criterion) {
    /// As many as Stable Diffusion has.
    const GROUPS: usize = 32;

    for [batch, channels, side] in PICTURES {
        let mut group = c.benchmark_group(format!("group-norm-silu-{batch}x{channels}x{side}"));
        let x = random::<Flex, 4>([batch, channels, side, side]);
        let weight = random::<Flex, 1>([channels]);
        let bias = random::<Flex, 1>([channels]);
        group.bench_function("fused", |b| {
            b.iter(|| {
                let (weight, bias) = (weight.clone(), bias.clone());
                kernel::group_norm_silu(black_box(x.clone()), weight, bias, GROUPS, 1e-5)
            });
        });
        group.bench_function("burn", |b| {
            b.iter(|| {
                let elements = channels / GROUPS * side * side;
                let x = black_box(x.clone()).reshape([batch, GROUPS, elements]);
                let centred = x.clone() - x.mean_dim(2);
                let variance = centred.clone().square().mean_dim(2);
                let normal = centred / variance.add_scalar(1e-5).sqrt();
                let normal = normal.reshape([batch, channels, side, side]);
                let weight = weight.clone().reshape([1, channels, 1, 1]);
                let bias = bias.clone().reshape([1, channels, 1, 1]);
                activation::silu(normal * weight + bias)
            });
        });
        group.finish();
    }

    let mut group = c.benchmark_group("silu-4096x4096");
    let x = random::<Flex, 2>([4096, 4096]);
    group.bench_function("fused", |b| b.iter(|| kernel::silu(black_box(x.clone()))));
    group.bench_function("burn", |b| {
        b.iter(|| activation::silu(black_box(x.clone())))
    });
    group.finish();
}

/// Batch, channels of the input and of the output, side of the input, kernel, stride: in the
/// same networks as [`PICTURES`].
const CONVOLUTIONS: [[usize; 6]; 10] = [
    [2, 320, 320, 64, 3, 1],
    [2, 960, 320, 64, 3, 1],
    [2, 640, 640, 32, 3, 1],
    [2, 1280, 1280, 16, 3, 1],
    [2, 1280, 1280, 8, 3, 1],
    [2, 320, 320, 64, 3, 2],
    [2, 960, 320, 64, 1, 1],
    [1, 512, 512, 64, 3, 1],
    [1, 256, 256, 256, 3, 1],
    [32, 64, 64, 16, 3, 1],
];

fn conv2d(c: &mut Criterion) {
    for [batch, c_in, c_out, side, kernel_size, stride] in CONVOLUTIONS {
        let name = format!("conv2d-{batch}x{c_in}x{side}-to-{c_out}-k{kernel_size}-s{stride}");
        let mut group = c.benchmark_group(name);
        let padding = kernel_size / 2;
        let x = random::<Flex, 4>([batch, c_in, side, side]);
        let weight = random::<Flex, 4>([c_out, c_in, kernel_size, kernel_size]);
        group.bench_function("fused", |b| {
            b.iter(|| {
                let x = black_box(x.clone());
                kernel::conv2d(x, weight.clone(), None, stride, padding)
            });
        });
        group.bench_function("burn", |b| {
            b.iter(|| {
                let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
                module::conv2d(black_box(x.clone()), weight.clone(), None, options)
            });
        });
        group.finish();
    }
}

/// The forward and the backward pass of a convolution of the small UNets: batch, channels,
/// side.
fn conv2d_training(c: &mut Criterion) {
    for [batch, channels, side] in [[32, 64, 16], [32, 128, 8]] {
        let mut group = c.benchmark_group(format!("conv2d-training-{batch}x{channels}x{side}"));
        let pictures = [batch, channels, side, side];
        let x = random::<Flex, 4>(pictures);
        let weight = random::<Flex, 4>([channels, channels, 3, 3]);
        let grad = random::<Flex, 4>(pictures);
        let leaf =
            |x: &Tensor<Flex, 4>| Tensor::<Training, 4>::from_inner(x.clone()).require_grad();
        let grad = Tensor::<Training, 4>::from_inner(grad);
        group.bench_function("fused", |b| {
            b.iter(|| {
                let output = kernel::conv2d(leaf(&x), leaf(&weight), None, 1, 1);
                (output * grad.clone()).sum().backward()
            });
        });
        group.bench_function("burn", |b| {
            b.iter(|| {
                let options = ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
                let output = module::conv2d(leaf(&x), leaf(&weight), None, options);
                (output * grad.clone()).sum().backward()
            });
        });
        group.finish();
    }
}

/// Heads before tokens, as attention wants them: batch, tokens, heads, width of a head.
fn swapped(c: &mut Criterion) {
    for shape @ [batch, tokens, heads, width] in [[64, 40, 4, 32], [1, 1024, 32, 128]] {
        let name = format!("swapped-{batch}x{tokens}x{heads}x{width}");
        let mut group = c.benchmark_group(name);
        let x = random::<Flex, 4>(shape);
        // What Burn only views in another order is copied by whoever needs it in a row.
        let rows = |x: Tensor<Flex, 4>| x.reshape([batch * heads, tokens * width]);
        group.bench_function("fused", |b| {
            b.iter(|| rows(kernel::swapped(black_box(x.clone()))));
        });
        group.bench_function("burn", |b| {
            b.iter(|| rows(black_box(x.clone()).swap_dims(1, 2)));
        });
        group.finish();
    }
}

/// The forward and the backward pass over answers' tokens and a vocabulary: of the small models,
/// and of CPM-Bee.
fn cross_entropy(c: &mut Criterion) {
    for shape @ [rows, vocab] in [[400, 8000], [64, 86_592]] {
        let mut group = c.benchmark_group(format!("cross-entropy-training-{rows}x{vocab}"));
        let logits = random::<Flex, 2>(shape);
        let leaf = || Tensor::<Training, 2>::from_inner(logits.clone()).require_grad();
        let classes = || {
            let classes = (0..rows as i64).map(|row| row * 17 % vocab as i64);
            let classes = TensorData::new(classes.collect::<Vec<_>>(), [rows]);
            Tensor::<Training, 1, Int>::from_data(classes, &Default::default())
        };
        group.bench_function("fused", |b| {
            b.iter(|| {
                let losses = kernel::cross_entropy(leaf(), classes());
                losses.mean().backward()
            });
        });
        group.bench_function("burn", |b| {
            b.iter(|| {
                let likelihoods = activation::log_softmax(leaf(), 1);
                let right = likelihoods.gather(1, classes().unsqueeze_dim(1));
                right.mean().neg().backward()
            });
        });
        group.finish();
    }
}

criterion_group!(
    benches,
    elementwise,
    group_norm,
    attention,
    picture_attention,
    training,
    linear,
    conv2d,
    conv2d_training,
    swapped,
    cross_entropy
);
criterion_main!(benches);
