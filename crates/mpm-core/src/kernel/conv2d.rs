//! Convolution of pictures.

use burn::tensor::Tensor;

use super::{MpmBackend, from_primitive};

/// How [`MpmBackend::conv2d_4d`] moves over the pictures, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Distance of neighbouring outputs in the input.
    pub stride: usize,
    /// Rows and columns of zeros around the input.
    pub padding: usize,
}

impl Conv2dOptions {
    /// Height and width of the output for those of the input and of the kernel.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|i| (input[i] + 2 * self.padding - kernel[i]) / self.stride + 1)
    }
}

/// Convolution (cross-correlation) of pictures, as PyTorch's `conv2d` with one group and
/// without dilation.
///
/// On the CPU, sums are accumulated in f32. Wide layers with kernels of 3 × 3 and a stride
/// of 1 are computed by Winograd's method, whose rounding errors are some five times those
/// of the plain sums: a few millionths of the output's usual size.
///
/// # Shapes
/// - x: `[batch, c_in, height, width]`
/// - weight: `[c_out, c_in, kernel_height, kernel_width]`
/// - bias: `[c_out]`
/// - output: `[batch, c_out, (height + 2 padding - kernel_height) / stride + 1, …]`
///
/// # Panics
/// When the channels do not agree, the kernel is empty or larger than the padded picture, or
/// the stride is zero.
pub fn conv2d<B: MpmBackend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    stride: usize,
    padding: usize,
) -> Tensor<B, 4> {
    let [_, c_in, height, width] = x.dims();
    let [c_out, weight_in, kernel_height, kernel_width] = weight.dims();
    assert!(
        c_in == weight_in,
        "pictures of {c_in} channels do not fit a convolution of {weight_in}"
    );
    let biases = bias.as_ref().map_or(c_out, |bias| bias.dims()[0]);
    assert!(
        biases == c_out,
        "a convolution to {c_out} channels cannot have {biases} biases"
    );
    assert!(
        kernel_height > 0
            && kernel_width > 0
            && kernel_height <= height + 2 * padding
            && kernel_width <= width + 2 * padding,
        "a kernel of {kernel_height} x {kernel_width} does not fit into {height} x {width} \
         with a padding of {padding}"
    );
    assert!(stride > 0, "a convolution needs a stride of 1 or more");
    from_primitive(B::conv2d_4d(
        x.into_primitive().tensor(),
        weight.into_primitive().tensor(),
        bias.map(|bias| bias.into_primitive().tensor()),
        Conv2dOptions { stride, padding },
    ))
}
