//! Gradients of all operations, alone and in a chain.

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, TensorData, ops::ModuleOps},
};

use super::{
    Ad, DIFFERENCES, ORDER, assert_close, compare_gradients, gradients, hidden, random, unwrap,
    wrap,
};
use crate::kernel::{
    MpmBackend, attention, composed, gated_gelu, gelu, group_norm_silu, layer_norm, linear,
    rms_norm, silu,
};

#[test]
fn gradients_agree_with_composed() {
    for shape in [[1, 1], [3, 19], [150, 64], [2, 1025]] {
        let inputs = [random(shape), random::<Flex, 2>(shape).sub_scalar(0.5)];
        compare_gradients(
            &inputs[..1],
            ORDER,
            |x| gelu(x[0].clone()),
            |x| wrap(composed::gelu::<Ad>(unwrap(&x[0]))),
        );
        compare_gradients(
            &inputs[..1],
            ORDER,
            |x| silu(x[0].clone()),
            |x| wrap(composed::silu::<Ad>(unwrap(&x[0]))),
        );
        compare_gradients(
            &inputs,
            ORDER,
            |x| gated_gelu(x[0].clone(), x[1].clone()),
            |x| wrap(composed::gated_gelu::<Ad>(unwrap(&x[0]), unwrap(&x[1]))),
        );
        let inputs = [random(shape), random::<Flex, 2>([1, shape[1]])];
        compare_gradients(
            &inputs,
            ORDER * (shape[0] as f32).sqrt(),
            |x| rms_norm(x[0].clone(), x[1].clone().squeeze_dim(0), 1e-6),
            |x| {
                let weight: Tensor<Ad, 1> = x[1].clone().squeeze_dim(0);
                wrap(composed::rms_norm::<Ad>(
                    unwrap(&x[0]),
                    unwrap(&weight),
                    1e-6,
                ))
            },
        );
        let inputs = [
            random(shape),
            random::<Flex, 2>([1, shape[1]]),
            random::<Flex, 2>([1, shape[1]]).neg(),
        ];
        compare_gradients(
            &inputs,
            ORDER * 10.0 * (shape[0] as f32).sqrt(),
            |x| {
                let [weight, bias] = [1, 2].map(|i| x[i].clone().squeeze_dim(0));
                layer_norm(x[0].clone(), weight, bias, 1e-2)
            },
            |x| {
                let [weight, bias] = [1, 2].map(|i| unwrap(&x[i].clone().squeeze_dim::<1>(0)));
                // differentiated by Burn, step by step
                wrap(Ad::layer_norm(unwrap(&x[0]), weight, Some(bias), 1e-2))
            },
        );
        let inputs = [random(shape), random::<Flex, 2>([6, shape[1]])];
        compare_gradients(
            &inputs,
            ORDER * 10.0,
            |x| linear(x[0].clone(), x[1].clone(), None),
            |x| wrap(composed::linear::<Ad>(unwrap(&x[0]), unwrap(&x[1]), None)),
        );
        let [x, weight] = inputs;
        compare_gradients(
            &[x, weight, random([1, 6])],
            ORDER * 10.0,
            |x| {
                let bias = x[2].clone().squeeze_dim(0);
                linear(x[0].clone(), x[1].clone(), Some(bias))
            },
            |x| {
                let product = composed::linear::<Ad>(unwrap(&x[0]), unwrap(&x[1]), None);
                wrap::<Ad, 2>(product) + x[2].clone()
            },
        );
    }
}

#[test]
fn composed_backward_agrees_with_fused() {
    let shape = [2, 3, 5, 5];
    let [query, key, value, grad] =
        [0.0, 0.3, 0.6, 0.9].map(|shift| random::<Flex, 4>(shape).sub_scalar(shift));
    let bias = random::<Flex, 4>([1, 3, 5, 5]);
    let mask = hidden([2, 1, 5, 5]).into_primitive();
    let arguments = || {
        (
            unwrap(&query),
            unwrap(&key),
            unwrap(&value),
            Some(unwrap(&bias)),
            Some(mask.clone()),
        )
    };
    let (q, k, v, b, m) = arguments();
    let fused = Flex::biased_attention_backward(q, k, v, b, m, 0.4, unwrap(&grad));
    let (q, k, v, b, m) = arguments();
    let expected = composed::attention_backward::<Flex>(q, k, v, b, m, 0.4, unwrap(&grad));
    for (fused, expected) in [
        (fused.query, expected.query),
        (fused.key, expected.key),
        (fused.value, expected.value),
        (fused.bias.unwrap(), expected.bias.unwrap()),
    ] {
        assert_close::<Flex, 4>(wrap(fused), wrap(expected), ORDER);
    }

    let [x, gate, grad] = [0.1, 0.4, 0.8].map(|shift| random::<Flex, 2>([7, 35]).sub_scalar(shift));
    let weight = random::<Flex, 1>([35]);
    let fused = Flex::rms_norm_2d_backward(unwrap(&x), unwrap(&weight), 1e-5, unwrap(&grad));
    let expected =
        composed::rms_norm_backward::<Flex>(unwrap(&x), unwrap(&weight), 1e-5, unwrap(&grad));
    assert_close::<Flex, 2>(wrap(fused.0), wrap(expected.0), ORDER);
    assert_close::<Flex, 1>(wrap(fused.1), wrap(expected.1), ORDER);
    let fused = Flex::gated_gelu_2d_backward(unwrap(&gate), unwrap(&x), unwrap(&grad));
    let expected = composed::gated_gelu_backward::<Flex>(unwrap(&gate), unwrap(&x), unwrap(&grad));
    assert_close::<Flex, 2>(wrap(fused.0), wrap(expected.0), ORDER);
    assert_close::<Flex, 2>(wrap(fused.1), wrap(expected.1), ORDER);
}

#[test]
fn gradients_agree_with_finite_differences() {
    const STEP: f32 = 1e-2;
    let shape = [1, 2, 3, 4];
    let inputs = [0.0, 0.4, 0.9].map(|shift| random::<Flex, 4>(shape).sub_scalar(shift));
    let run = |inputs: &[Tensor<Ad, 4>]| {
        let [query, key, value] = [0, 1, 2].map(|i| inputs[i].clone());
        let x = attention(query, key, value.clone(), None, None, 0.5);
        let x = gated_gelu(x, gelu(value));
        let ones = Tensor::ones([2], &Default::default());
        let x = silu(group_norm_silu(x, ones.clone(), ones, 1, 1e-2));
        rms_norm(x, Tensor::ones([4], &Default::default()), 1e-2)
    };
    let loss = |inputs: &[Tensor<Flex, 4>]| -> f32 {
        let inputs: Vec<_> = inputs.iter().cloned().map(Tensor::from_inner).collect();
        let output = run(&inputs);
        (output.clone() * random(output.dims())).sum().into_scalar()
    };
    for (which, gradient) in gradients(&inputs, run).into_iter().enumerate() {
        let gradient: Vec<f32> = gradient.into_data().to_vec().unwrap();
        for (place, expected) in gradient.into_iter().enumerate() {
            let moved = |step: f32| {
                let mut inputs = inputs.clone();
                let mut values: Vec<f32> = inputs[which].to_data().to_vec().unwrap();
                values[place] += step;
                inputs[which] =
                    Tensor::from_data(TensorData::new(values, shape), &Default::default());
                loss(&inputs)
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            assert!(
                (slope - expected).abs() < DIFFERENCES * (1.0 + expected.abs()),
                "{slope} {expected}"
            );
        }
    }
}

#[test]
fn gradient_checkpointing_gives_the_same_gradients() {
    use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
    type Checkpointed = Autodiff<Flex, BalancedCheckpointing>;

    fn grads<B: MpmBackend + burn::tensor::backend::AutodiffBackend<InnerBackend = Flex>>()
    -> Vec<TensorData> {
        let x = random::<B, 2>([6, 20]).require_grad();
        let weight = random::<B, 1>([20]).require_grad();
        let normal = rms_norm(x.clone(), weight.clone(), 1e-6);
        let pictures = silu(normal).reshape([2, 20, 3, 1]);
        let normal = group_norm_silu(pictures, weight.clone(), weight.clone(), 4, 1e-6);
        let normal = normal.reshape([6, 20]);
        let output = gelu(gated_gelu(normal.clone(), gelu(normal)));
        let grads = (output.clone() * output).sum().backward();
        vec![
            x.grad(&grads).unwrap().into_data(),
            weight.grad(&grads).unwrap().into_data(),
        ]
    }
    for (plain, checkpointed) in grads::<Ad>().into_iter().zip(grads::<Checkpointed>()) {
        plain.assert_eq(&checkpointed, true);
    }
}

#[test]
fn frozen_inputs_stay_untracked() {
    let x = random::<Ad, 2>([2, 8]).require_grad();
    let frozen = random::<Ad, 2>([8, 8]);
    let loss = gelu(linear(x.clone(), frozen.clone(), None)).sum();
    let grads = loss.backward();
    assert!(x.grad(&grads).is_some());
    assert!(frozen.grad(&grads).is_none());
}
