//! A running average of the parameters.
//!
//! Diffusion models are judged by the exponential moving average of their weights: it
//! paints better than the weights of any single step ("Denoising Diffusion Probabilistic
//! Models", <https://arxiv.org/abs/2006.11239>, appendix B).

use std::collections::VecDeque;

use burn::module::{AutodiffModule, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorPrimitive, backend::AutodiffBackend, ops::FloatTensor};

/// The share of the average that a step keeps: at most `decay`, less in the first steps, in
/// which the parameters run away from where they started.
///
/// The warm-up, `(1 + step) / (10 + step)`, is that of TensorFlow's
/// `ExponentialMovingAverage`, which diffusers follows.
fn kept_share(decay: f64, step: usize) -> f64 {
    let step = step as f64;
    decay.min((1.0 + step) / (10.0 + step))
}

/// The average before the first step: the model as it is.
///
/// Burn draws parameters when they are first read, and a copy of one that was not would draw
/// others.
pub(crate) fn start<B, M>(model: &M) -> M
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    struct Draw;

    impl<B: AutodiffBackend> ModuleVisitor<B> for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            param.val();
        }
    }

    model.visit(&mut Draw);
    model.clone()
}

/// Moves the trainable parameters of `average` towards those of `model` after step `step`,
/// counted from 1. Both are the same model at different times.
pub(crate) fn follow<B, M>(average: M, model: &M, decay: f64, step: usize) -> M
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    let mut trainable = Trainable::<B> {
        tensors: VecDeque::new(),
    };
    model.visit(&mut trainable);
    average.map(&mut Follower {
        trainable,
        kept: kept_share(decay, step),
    })
}

/// All parameters in the order of the module tree, `None` where they are frozen. Not by
/// their ids, which loading changes.
struct Trainable<B: AutodiffBackend> {
    tensors: VecDeque<Option<FloatTensor<B::InnerBackend>>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Trainable<B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let trains = param.is_require_grad();
        let tensor = trains.then(|| param.val().inner().into_primitive().tensor());
        self.tensors.push_back(tensor);
    }
}

struct Follower<B: AutodiffBackend> {
    trainable: Trainable<B>,
    kept: f64,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Follower<B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let Some(target) = self.trainable.tensors.pop_front().flatten() else {
            return param;
        };
        let target: Tensor<B::InnerBackend, D> =
            Tensor::from_primitive(TensorPrimitive::Float(target));
        let kept = self.kept;
        param.map(|average| {
            let average = average.inner();
            let moved = average.clone() + (target - average) * (1.0 - kept);
            Tensor::from_inner(moved).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use burn::backend::{Autodiff, Flex};
    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};

    type B = Autodiff<Flex>;

    /// The layer one step further.
    fn moved_by_one(mut layer: Linear<B>) -> Linear<B> {
        layer.weight = layer
            .weight
            .map(|weight| Tensor::from_inner(weight.inner() + 1.0).require_grad());
        layer
    }

    fn weight(layer: &Linear<B>) -> Vec<f32> {
        layer.weight.val().into_data().to_vec().unwrap()
    }

    #[test]
    fn the_average_starts_as_the_model() {
        let model = LinearConfig::new(2, 3).init::<B>(&Default::default());
        let average = start::<B, _>(&model);
        assert_eq!(weight(&average), weight(&model));
    }

    #[test]
    fn the_average_moves_by_the_share_that_is_not_kept() {
        let average = LinearConfig::new(2, 3).init::<B>(&Default::default());
        let model = moved_by_one(start::<B, _>(&average));
        let start = weight(&average);
        let moved = follow(average, &model, 0.75, 1_000);
        for (moved, start) in weight(&moved).iter().zip(start) {
            assert!((moved - start - 0.25).abs() < 1e-6);
        }
        assert!(moved.weight.is_require_grad());
    }

    #[test]
    fn frozen_parameters_stay() {
        let average = LinearConfig::new(2, 3).init::<B>(&Default::default());
        let model = moved_by_one(start::<B, _>(&average)).no_grad();
        let start = weight(&average);
        assert_eq!(weight(&follow(average, &model, 0.5, 1_000)), start);
    }

    #[test]
    fn the_first_steps_keep_less() {
        assert!(kept_share(0.999, 1) < 0.2);
        assert!((kept_share(0.999, 1_000_000) - 0.999).abs() < 1e-12);
    }
}
