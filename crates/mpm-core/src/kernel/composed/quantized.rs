//! Linear layers with quantized weights.

use burn::tensor::{
    DType, ElementConversion, Int, Tensor, TensorData, TensorMetadata,
    backend::Backend,
    ops::{FloatTensor, IntTensor},
};

use super::{linear, linear_x_backward, primitive, tensor};
use crate::{kernel::quantized::layout, quantization::QuantizedBits};

pub(in crate::kernel) fn dequantized<B: Backend>(
    codes: IntTensor<B>,
    scales: FloatTensor<B>,
    d_in: usize,
) -> FloatTensor<B> {
    let codes = Tensor::<B, 2, Int>::from_primitive(codes);
    let scales: Tensor<B, 2> = tensor(scales);
    let layout = layout(codes.dims(), scales.dims(), d_in);
    let [d_out, words] = codes.dims();
    if d_out == 0 {
        // there is no broadcasting to nothing
        return primitive(Tensor::<B, 2>::zeros(
            [0, d_in],
            (&codes.device(), DType::F32),
        ));
    }
    let (bits, per_word) = (layout.bits.count(), layout.bits.per_word());
    let shifts: Vec<u32> = (0..per_word).map(|i| (i * bits) as u32).collect();
    let shifts = Tensor::<B, 3, Int>::from_data(
        TensorData::new(shifts, [1, 1, per_word]),
        (&codes.device(), DType::U32),
    );
    let shape = [d_out, words, per_word];
    let codes = codes
        .unsqueeze_dim::<3>(2)
        .expand(shape)
        .bitwise_right_shift(shifts.expand(shape))
        .bitwise_and_scalar(((1 << bits) - 1).elem());
    let (codes, zero) = match layout.bits {
        QuantizedBits::Int4 => (codes, 8.0),
        // off by half their range as well then; shifts do not extend signs
        QuantizedBits::Int8 => (codes.bitwise_xor_scalar(0x80.elem()), 128.0),
    };
    // below 256, codes are exact in every type of floating-point numbers
    let codes = codes.float().cast(DType::F32).sub_scalar(zero);
    let codes = codes.reshape([d_out, layout.blocks(), layout.block]);
    let scales = scales.cast(DType::F32).unsqueeze_dim::<3>(2);
    primitive::<B, 2>((codes * scales).reshape([d_out, d_in]))
}

pub(in crate::kernel) fn quantized_linear<B: Backend>(
    x: FloatTensor<B>,
    codes: IntTensor<B>,
    scales: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
) -> FloatTensor<B> {
    let [_, d_in] = x.shape().dims();
    let weight = weight::<B>(codes, scales, d_in, x.dtype());
    linear::<B>(x, weight, bias)
}

pub(in crate::kernel) fn quantized_linear_x_backward<B: Backend>(
    codes: IntTensor<B>,
    scales: FloatTensor<B>,
    grad: FloatTensor<B>,
    d_in: usize,
) -> FloatTensor<B> {
    let weight = weight::<B>(codes, scales, d_in, grad.dtype());
    linear_x_backward::<B>(weight, grad)
}

/// The dequantized weight in the type of what it is multiplied with.
fn weight<B: Backend>(
    codes: IntTensor<B>,
    scales: FloatTensor<B>,
    d_in: usize,
    dtype: DType,
) -> FloatTensor<B> {
    let weight: Tensor<B, 2> = tensor(dequantized::<B>(codes, scales, d_in));
    primitive(weight.cast(dtype))
}
