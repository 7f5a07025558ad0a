//! Convolution.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor},
};

use super::{Ad, HALF, assert_close, compare_gradients, random, unwrap, views, wrap};
use crate::kernel::{Conv2dOptions, MpmBackend, composed, conv2d};

/// Outputs of order 1 by Winograd's method, or summed up in another order.
const SUMS: f32 = 2e-5;

/// batch, c_in, height, width, c_out, kernel, stride, padding. From 16 channels and tiles of
/// 4 × 4 pixels on, kernels of 3 × 3 with a stride of 1 go Winograd's way: some shapes are a
/// little more than a part of 128 tiles or of 64 channels. The rest are matrix products, with
/// as little more than a part of 256 pixels or of 512 KiB of columns.
const SHAPES: [[usize; 8]; 17] = [
    [1, 16, 16, 16, 16, 3, 1, 1],
    [2, 20, 33, 18, 7, 3, 1, 1],
    [3, 70, 21, 10, 67, 3, 1, 0],
    [11, 64, 16, 16, 64, 3, 1, 1],
    [2, 130, 36, 33, 80, 3, 1, 1],
    [1, 16, 7, 530, 18, 3, 1, 2],
    [1, 17, 20, 33, 5, 3, 1, 3],
    [1, 15, 20, 33, 5, 3, 1, 1],
    [1, 1, 1, 1, 1, 1, 1, 0],
    [1, 1, 2, 3, 1, 3, 1, 1],
    [2, 7, 5, 6, 9, 3, 1, 1],
    [3, 20, 17, 16, 6, 1, 1, 0],
    [2, 9, 8, 8, 12, 1, 2, 1],
    [2, 65, 17, 33, 7, 3, 2, 1],
    [5, 8, 9, 6, 11, 3, 2, 0],
    [1, 4, 30, 31, 3, 4, 3, 2],
    [2, 3, 14, 21, 10, 7, 7, 0],
];

/// Pictures, kernels of which outputs are of order 1, and biases.
fn inputs(shape: [usize; 8]) -> [Tensor<Flex, 4>; 3] {
    let [batch, c_in, height, width, c_out, kernel, ..] = shape;
    let terms = c_in * kernel * kernel;
    let weight = random::<Flex, 4>([c_out, c_in, kernel, kernel]).add_scalar(1.0);
    [
        random([batch, c_in, height, width]).add_scalar(0.7),
        weight.mul_scalar((terms as f32).sqrt().recip()),
        random([1, c_out, 1, 1]),
    ]
}

fn flat(bias: Tensor<Flex, 4>) -> Tensor<Flex, 1> {
    let [_, channels, _, _] = bias.dims();
    bias.reshape([channels])
}

#[test]
fn conv2d_agrees_with_composed() {
    for shape in SHAPES {
        let [.., stride, padding] = shape;
        let options = Conv2dOptions { stride, padding };
        let [x, weight, bias] = inputs(shape);
        for bias in [None, Some(flat(bias))] {
            let expected = |x: &Tensor<Flex, 4>, weight: &Tensor<Flex, 4>, dtype| {
                let bias: Option<Tensor<Flex, 1>> = bias.clone().map(|bias| bias.cast(dtype));
                let bias = bias.map(|bias| bias.cast(DType::F32));
                wrap(composed::conv2d::<Flex>(
                    unwrap(&x.clone().cast(DType::F32)),
                    unwrap(&weight.clone().cast(DType::F32)),
                    bias.as_ref().map(unwrap),
                    options,
                ))
            };
            for (x, weight) in views(x.clone()).into_iter().zip(views(weight.clone())) {
                let actual = conv2d(x.clone(), weight.clone(), bias.clone(), stride, padding);
                assert_close::<Flex, 4>(actual, expected(&x, &weight, DType::F32), SUMS);
            }
            for (dtype, tolerance) in HALF {
                let [x, weight] = [&x, &weight].map(|x| x.clone().cast(dtype));
                let expected: Tensor<Flex, 4> = expected(&x, &weight, dtype);
                let bias = bias.clone().map(|bias| bias.cast(dtype));
                let actual = conv2d(x, weight, bias, stride, padding);
                assert_close(actual, expected.cast(dtype), tolerance);
            }
        }
    }
}

#[test]
fn conv2d_gradients_agree_with_composed() {
    for shape in SHAPES {
        let [batch, .., height, width, _, _, stride, padding] = shape;
        let options = Conv2dOptions { stride, padding };
        let inputs = inputs(shape);
        // sums over as many pixels
        let pixels = batch * height * width;
        let tolerance = SUMS * (pixels as f32).sqrt();
        let flat = |bias: &Tensor<Ad, 4>| {
            let [_, channels, _, _] = bias.dims();
            bias.clone().reshape([channels])
        };
        for count in [2, 3] {
            compare_gradients(
                &inputs[..count],
                tolerance,
                |x| {
                    let bias = x.get(2).map(flat);
                    conv2d(x[0].clone(), x[1].clone(), bias, stride, padding)
                },
                |x| {
                    wrap(composed::conv2d::<Ad>(
                        unwrap(&x[0]),
                        unwrap(&x[1]),
                        x.get(2).map(flat).as_ref().map(unwrap),
                        options,
                    ))
                },
            );
        }
    }
}

#[test]
fn composed_backward_of_conv2d_agrees_with_fused() {
    for shape in [SHAPES[1], SHAPES[12]] {
        let [.., stride, padding] = shape;
        let options = Conv2dOptions { stride, padding };
        let [x, weight, _] = inputs(shape);
        let output = conv2d(x.clone(), weight.clone(), None, stride, padding);
        let grad = random::<Flex, 4>(output.dims());
        // sums over up to a thousand pixels
        let wide = (DType::F32, SUMS * 30.0);
        for (dtype, tolerance) in [wide].into_iter().chain(HALF) {
            let [x, weight, grad] = [&x, &weight, &grad].map(|x| x.clone().cast(dtype));
            let wide = |x: &Tensor<Flex, 4>| unwrap(&x.clone().cast(DType::F32));
            let (x_dims, weight_dims) = (x.dims(), weight.dims());
            let fused = Flex::conv2d_4d_x_backward(unwrap(&weight), unwrap(&grad), x_dims, options);
            let expected =
                composed::conv2d_x_backward::<Flex>(wide(&weight), wide(&grad), x_dims, options);
            let expected: Tensor<Flex, 4> = wrap(expected);
            assert_close::<Flex, 4>(wrap(fused), expected.cast(dtype), tolerance);
            let fused =
                Flex::conv2d_4d_weight_backward(unwrap(&x), unwrap(&grad), weight_dims, options);
            let expected = composed::conv2d_weight_backward::<Flex>(
                wide(&x),
                wide(&grad),
                weight_dims,
                options,
            );
            let expected: Tensor<Flex, 4> = wrap(expected);
            assert_close::<Flex, 4>(wrap(fused), expected.cast(dtype), tolerance);
            let fused = Flex::conv2d_4d_bias_backward(unwrap(&grad));
            let expected: Tensor<Flex, 1> =
                wrap(composed::conv2d_bias_backward::<Flex>(wide(&grad)));
            assert_close::<Flex, 1>(wrap(fused), expected.cast(dtype), tolerance);
        }
    }
}

#[test]
fn conv2d_of_no_pictures() {
    let x = Tensor::<Flex, 4>::zeros([0, 3, 9, 9], &Default::default());
    let output = conv2d(x, random([5, 3, 3, 3]), None, 2, 1);
    assert_eq!(output.dims(), [0, 5, 5, 5]);
}

#[test]
#[should_panic(expected = "pictures of 4 channels do not fit a convolution of 3")]
fn conv2d_refuses_other_channels() {
    conv2d(
        random::<Flex, 4>([1, 4, 9, 9]),
        random([5, 3, 3, 3]),
        None,
        1,
        1,
    );
}

#[test]
#[should_panic(expected = "a kernel of 3 x 3 does not fit into 2 x 9 with a padding of 0")]
fn conv2d_refuses_small_pictures() {
    conv2d(
        random::<Flex, 4>([1, 3, 2, 9]),
        random([5, 3, 3, 3]),
        None,
        1,
        0,
    );
}

#[test]
#[should_panic(expected = "5 channels cannot have 4 biases")]
fn conv2d_refuses_other_biases() {
    let bias = random([4]);
    conv2d(
        random::<Flex, 4>([1, 3, 9, 9]),
        random([5, 3, 3, 3]),
        Some(bias),
        1,
        0,
    );
}

#[test]
#[should_panic(expected = "a stride of 1 or more")]
fn conv2d_refuses_a_stride_of_zero() {
    conv2d(
        random::<Flex, 4>([1, 3, 9, 9]),
        random([5, 3, 3, 3]),
        None,
        0,
        0,
    );
}
