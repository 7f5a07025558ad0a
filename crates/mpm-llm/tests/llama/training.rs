//! Gradients, and half precision.

use std::collections::BTreeMap;

use burn::{
    backend::Autodiff,
    module::{Module, ModuleMapper, Param},
    tensor::{DType, Distribution, Tensor},
};
use mpm_llm::{
    llama::{Llama, LlamaConfig, LlamaInput},
    splice::splice_features,
};
use mpm_test_support::{TensorData, TestBackend, Tolerance, assert_data_close, gradients};

type Train = Autodiff<TestBackend>;

/// The same sums twice, in another order at most.
const SAME: Tolerance = Tolerance {
    of_largest: 1e-6,
    ..Tolerance::EXACT
};
/// f16 has 11 significant bits, whose rounding two layers and a norm add up.
const F16: Tolerance = Tolerance {
    of_largest: 1e-2,
    ..Tolerance::EXACT
};
/// bf16 has 8 of them.
const BF16: Tolerance = Tolerance {
    of_largest: 8e-2,
    ..Tolerance::EXACT
};

fn config() -> LlamaConfig {
    LlamaConfig {
        qkv_bias: true,
        qk_norm: true,
        ..LlamaConfig::tiny()
    }
}

/// The gradients of all parameters and of features in the place of two tokens.
fn backward(
    model: &Llama<Train>,
    features: &Tensor<Train, 3>,
) -> (BTreeMap<String, TensorData>, TensorData) {
    let features = features.clone().require_grad();
    let embeddings = model.embed(&[1, 9, 9, 5, 6, 7], [1, 6]).unwrap();
    let slots = [std::iter::once(1..3).collect()];
    let embeddings = splice_features(embeddings, features.clone(), &slots).unwrap();
    let output = model
        .forward(embeddings, &LlamaInput::unpadded(1, 0..6))
        .unwrap();
    let grads = output.logits.powi_scalar(2).mean().backward();
    let of_features = features.grad(&grads).unwrap().into_data();
    (gradients(model, &grads), of_features)
}

#[test]
fn gradients_reach_all_parameters_and_pictures_with_and_without_recomputing() {
    let device = Default::default();
    let mut model: Llama<Train> = config().init(&device).unwrap();
    let features = Tensor::random([1, 2, 32], Distribution::Default, &device);
    let (kept, of_features) = backward(&model, &features);
    let parameters = mpm_core::weights::module_keys(&model);
    assert!(kept.keys().eq(parameters.keys()), "{:?}", kept.keys());
    let is_used = |data: &TensorData| data.iter::<f32>().any(|value| value != 0.0);
    assert!(is_used(&of_features));
    for (name, gradient) in &kept {
        // A bias that all keys share changes no softmax.
        assert!(is_used(gradient) || name.ends_with("k_proj.bias"), "{name}");
    }

    model.model.recompute = true;
    let (again, of_features_again) = backward(&model, &features);
    assert_data_close("features", &of_features_again, &of_features, SAME);
    for (name, gradient) in &kept {
        assert_data_close(name, &again[name], gradient, SAME);
    }
}

struct Cast(DType);

impl ModuleMapper<TestBackend> for Cast {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<TestBackend, D>>,
    ) -> Param<Tensor<TestBackend, D>> {
        param.map(|tensor| tensor.cast(self.0))
    }
}

#[test]
fn half_precision_stays_and_gives_the_same_logits_up_to_rounding() {
    let model: Llama<TestBackend> = config().init(&Default::default()).unwrap();
    // Far into a text, where positions themselves are beyond what f16 can tell apart.
    let input = LlamaInput::unpadded(1, 3001..3007);
    let logits = |model: &Llama<TestBackend>| {
        let embeddings = model.embed(&[1, 9, 8, 5, 6, 7], [1, 6]).unwrap();
        let mut state = model.inference_state(1, 6).unwrap();
        let hidden = model.infer(embeddings, &input, &mut state).unwrap();
        assert_eq!(state.cache().layers()[0].key().dtype(), model.dtype());
        model.logits(hidden)
    };
    // Before the clone, because weights are drawn when they are first used.
    let full = logits(&model);
    let full = full.into_data();
    for (dtype, tolerance) in [(DType::F16, F16), (DType::BF16, BF16)] {
        let half = model.clone().map(&mut Cast(dtype));
        assert_eq!(half.dtype(), dtype);
        let half = logits(&half);
        assert_eq!(half.dtype(), dtype);
        let half = half.cast(DType::F32).into_data();
        assert_data_close("logits", &half, &full, tolerance);
    }
}
