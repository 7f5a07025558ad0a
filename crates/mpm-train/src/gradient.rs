//! Operations on all gradients of a model at once.
//!
//! Burn's `GradientClipping` bounds each parameter's gradient on its own, which
//! changes the direction of the step. Here the norm is that of all gradients
//! together, as in Pascanu et al. 2013 and PyTorch's `clip_grad_norm_`.

use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor, backend::AutodiffBackend};

/// Euclidean norm of all gradients taken together, accumulated in f32.
pub fn global_norm<B, M>(model: &M, gradients: &GradientsParams) -> f64
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    struct SquareSums<'a, B: AutodiffBackend> {
        gradients: &'a GradientsParams,
        sums: Vec<Tensor<B::InnerBackend, 1>>,
    }

    impl<B: AutodiffBackend> ModuleVisitor<B> for SquareSums<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(param.id) {
                let gradient = match gradient.dtype() {
                    DType::F32 => gradient,
                    _ => gradient.cast(DType::F32),
                };
                self.sums.push(gradient.square().sum());
            }
        }
    }

    let mut visitor = SquareSums::<B> {
        gradients,
        sums: Vec::new(),
    };
    model.visit(&mut visitor);
    if visitor.sums.is_empty() {
        return 0.0;
    }
    // One read for all parameters: each would wait for the device.
    let sums = Tensor::cat(visitor.sums, 0).into_data();
    sums.iter::<f64>().sum::<f64>().sqrt()
}

/// Multiplies all gradients by a factor.
pub fn scale<B, M>(model: &M, gradients: &mut GradientsParams, factor: f64)
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    struct Scaler<'a> {
        gradients: &'a mut GradientsParams,
        factor: f64,
    }

    impl<B: AutodiffBackend> ModuleVisitor<B> for Scaler<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
                let scaled = gradient.mul_scalar(self.factor);
                self.gradients.register(param.id, scaled);
            }
        }
    }

    if factor != 1.0 {
        model.visit(&mut Scaler { gradients, factor });
    }
}

/// Divides all gradients by the loss's scale and takes them to f32, in which they can be added
/// up.
pub(crate) fn unscale<B, M>(model: &M, gradients: &mut GradientsParams, scale: f64)
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    struct Unscaler<'a> {
        gradients: &'a mut GradientsParams,
        factor: f64,
    }

    impl<B: AutodiffBackend> ModuleVisitor<B> for Unscaler<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
                let unscaled = gradient.cast(DType::F32).mul_scalar(self.factor);
                self.gradients.register(param.id, unscaled);
            }
        }
    }

    let factor = scale.recip();
    model.visit(&mut Unscaler { gradients, factor });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use burn::backend::{Autodiff, Flex};
    use burn::nn::{Linear, LinearConfig};

    type B = Autodiff<Flex>;

    fn gradients_of_one_layer() -> (Linear<B>, GradientsParams) {
        let device = Default::default();
        let model = LinearConfig::new(2, 2).init::<B>(&device);
        let input = Tensor::<B, 2>::from_floats([[3.0, 4.0]], &device);
        let gradients = model.forward(input).sum().backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        (model, gradients)
    }

    #[test]
    fn the_norm_is_that_of_all_parameters_together() {
        let (model, gradients) = gradients_of_one_layer();
        // Weight gradients 3, 3, 4, 4 and bias gradients 1, 1.
        let expected = 52.0f64.sqrt();
        assert!((global_norm::<B, _>(&model, &gradients) - expected).abs() < 1e-5);
    }

    #[test]
    fn scaling_keeps_the_direction() {
        let (model, mut gradients) = gradients_of_one_layer();
        scale::<B, _>(&model, &mut gradients, 0.5);
        let weight = gradients.get::<Flex, 2>(model.weight.id).unwrap();
        let bias = gradients
            .get::<Flex, 1>(model.bias.as_ref().unwrap().id)
            .unwrap();
        assert_eq!(
            weight.to_data().to_vec::<f32>().unwrap(),
            [1.5, 1.5, 2.0, 2.0]
        );
        assert_eq!(bias.to_data().to_vec::<f32>().unwrap(), [0.5, 0.5]);
    }

    #[test]
    fn no_gradient_has_norm_zero() {
        let (model, _) = gradients_of_one_layer();
        assert!(global_norm::<B, _>(&model, &GradientsParams::new()) == 0.0);
    }
}
