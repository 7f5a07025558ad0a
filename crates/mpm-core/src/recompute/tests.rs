//! Gradients with and without recomputation.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use burn::{
    backend::{Autodiff, Flex},
    module::Module,
    tensor::{Distribution, Tensor, TensorData},
};

use super::recompute;
use crate::{
    kernel::{attention, gated_gelu, gelu},
    nn::{GroupNorm, LayerNorm, TorchConv2d, TorchLinear},
};

type B = Autodiff<Flex>;

const WIDTH: usize = 8;

#[derive(Module, Debug)]
struct Block<B: burn::tensor::backend::Backend> {
    norm: LayerNorm<B>,
    first: TorchLinear<B>,
    second: TorchLinear<B>,
    picture_norm: GroupNorm<B>,
    convolution: TorchConv2d<B>,
}

impl Block<B> {
    fn new() -> Self {
        let device = Default::default();
        Self {
            norm: LayerNorm::new(WIDTH, 1e-5, &device),
            first: TorchLinear::new(WIDTH, WIDTH, &device),
            second: TorchLinear::new(WIDTH, WIDTH, &device).without_bias(),
            picture_norm: GroupNorm::new(2, 4, 1e-5, &device),
            convolution: TorchConv2d::new([4, 4], 3, 1, 1, &device),
        }
    }

    /// x: `[2, 4, WIDTH]`, bias: `[1, 2, 4, 4]`.
    fn forward(&self, (x, bias): (Tensor<B, 3>, Tensor<B, 4>)) -> Tensor<B, 3> {
        let normal = self.norm.forward(x.clone());
        let heads = self.first.forward(normal).reshape([2, 4, 2, WIDTH / 2]);
        let heads = heads.swap_dims(1, 2);
        let attended = attention(heads.clone(), heads.clone(), heads, Some(bias), None, 0.5);
        let attended = attended.swap_dims(1, 2).reshape([2, 4, WIDTH]);
        let x = x + gated_gelu(self.second.forward(attended.clone()), gelu(attended));
        let pictures = self
            .picture_norm
            .forward_silu(x.reshape([2, 4, 2, WIDTH / 2]));
        self.convolution.forward(pictures).reshape([2, 4, WIDTH])
    }
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Default::default())
}

type Run = fn(&Block<B>, (Tensor<B, 3>, Tensor<B, 4>)) -> Tensor<B, 3>;

fn plain(block: &Block<B>, inputs: (Tensor<B, 3>, Tensor<B, 4>)) -> Tensor<B, 3> {
    block.forward(inputs)
}

fn recomputed(block: &Block<B>, inputs: (Tensor<B, 3>, Tensor<B, 4>)) -> Tensor<B, 3> {
    recompute(block, inputs, Block::forward)
}

fn nested(block: &Block<B>, inputs: (Tensor<B, 3>, Tensor<B, 4>)) -> Tensor<B, 3> {
    recompute(block, inputs, |block, inputs| {
        gelu(recomputed(block, inputs))
    })
}

fn nested_plain(block: &Block<B>, inputs: (Tensor<B, 3>, Tensor<B, 4>)) -> Tensor<B, 3> {
    gelu(block.forward(inputs))
}

/// The gradients of inputs and parameters of two blocks in a row that share their bias.
fn gradients(
    run: Run,
    blocks: &[Block<B>; 2],
    x: &Tensor<B, 3>,
    bias: &Tensor<B, 4>,
) -> Vec<Option<TensorData>> {
    // not a leaf, and used by both blocks
    let shared = bias.clone().mul_scalar(2.0);
    let y = run(&blocks[0], (x.clone(), shared.clone()));
    let y = run(&blocks[1], (y + x.clone(), shared));
    let grads = (y.clone() * y).sum().backward();
    let mut found = vec![
        x.grad(&grads).map(|grad| grad.into_data()),
        bias.grad(&grads).map(|grad| grad.into_data()),
    ];
    for block in blocks {
        for linear in [&block.first, &block.second] {
            let weight = linear.weight.float().unwrap();
            found.push(weight.grad(&grads).map(|grad| grad.into_data()));
        }
        for vector in [
            &block.norm.weight,
            &block.norm.bias,
            &block.picture_norm.weight,
            &block.picture_norm.bias,
        ] {
            found.push(vector.grad(&grads).map(|grad| grad.into_data()));
        }
        let weight = &block.convolution.weight;
        found.push(weight.grad(&grads).map(|grad| grad.into_data()));
    }
    found
}

#[test]
fn gradients_are_the_same() {
    let blocks = [Block::new(), Block::new()];
    let [frozen_0, frozen_1] = blocks.clone().map(Module::no_grad);
    let halves = blocks.clone().map(|mut block| {
        block.first = block.first.no_grad();
        block.convolution = block.convolution.no_grad();
        block
    });
    let (x, bias) = (random([2, 4, WIDTH]), random([1, 2, 4, 4]));
    let trained = [
        (blocks.clone(), true, true, 2 + 2 * 7),
        (blocks, false, false, 2 * 7),
        (halves.clone(), true, false, 1 + 2 * 5),
        (halves, false, false, 2 * 5),
        ([frozen_0, frozen_1], true, true, 2),
    ];
    for (blocks, x_trains, bias_trains, count) in trained {
        let x = x.clone().set_require_grad(x_trains);
        let bias = bias.clone().set_require_grad(bias_trains);
        for (run, reference) in [(recomputed as Run, plain as Run), (nested, nested_plain)] {
            let expected = gradients(reference, &blocks, &x, &bias);
            let found = gradients(run, &blocks, &x, &bias);
            assert_eq!(expected.iter().flatten().count(), count);
            // The same operations on the same numbers: not a bit may differ.
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_block_runs_again_only_for_its_gradient_and_is_forgotten_then() {
    let block = Block::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let run = |x: Tensor<B, 3>, block: &Block<B>| {
        let calls = calls.clone();
        let bias = Tensor::zeros([1, 2, 4, 4], &Default::default());
        recompute(block, (x, bias), move |block: &Block<B>, inputs| {
            calls.fetch_add(1, Ordering::Relaxed);
            block.forward(inputs)
        })
    };
    let y = run(random([2, 4, WIDTH]), &block);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    drop(y.sum().backward());
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(Arc::strong_count(&calls), 1, "the block was not let go");

    let y = run(random([2, 4, WIDTH]), &block.no_grad());
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    assert_eq!(Arc::strong_count(&calls), 1, "nothing trains");
    drop(y);
}

#[test]
fn a_plain_backend_just_runs_the_block() {
    let device = Default::default();
    let layer = TorchLinear::<Flex>::new(WIDTH, WIDTH, &device);
    let x = Tensor::<Flex, 2>::ones([3, WIDTH], &device);
    let y = recompute(&layer, x.clone(), |layer, x| layer.forward(x));
    assert_eq!(y.into_data(), layer.forward(x).into_data());
}

#[test]
#[should_panic(expected = "did other operations")]
fn a_block_that_changes_its_mind_is_noticed() {
    let layer = TorchLinear::<B>::new(WIDTH, WIDTH, &Default::default());
    let calls = AtomicUsize::new(0);
    let y = recompute(&layer, random([3, WIDTH]), move |layer, x| {
        match calls.fetch_add(1, Ordering::Relaxed) {
            0 => layer.forward(x),
            _ => layer.forward(gelu(x)),
        }
    });
    drop(y.sum().backward());
}
