//! Products with quantized weights.
//!
//! A few rows (decoding) are multiplied while the codes are unpacked in registers: each plane
//! takes a few outputs, and each of its lanes a word of codes at a time. For many rows, the weight
//! is dequantized to the type of the rows, as their product takes longer than that.

use burn::tensor::{DType, f16};
use burn_cubecl::{
    BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement, kernel::into_contiguous,
    tensor::CubeTensor,
};
use cubecl::{calculate_cube_count_elemwise, prelude::*};

use super::{
    super::{composed, quantized::layout},
    launch::{PLANES, address_type, cube_of_planes, cubes, empty, plane_size, vector_size},
    linear::{FEW_ROWS, OUTPUTS, add_bias, first_output, output_or_last, write_sums},
};
use crate::quantization::Layout;

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Format {
    bits: u32,
    per_word: usize,
    block: usize,
}

impl From<Layout> for Format {
    fn from(layout: Layout) -> Self {
        Self {
            bits: layout.bits.count() as u32,
            per_word: layout.bits.per_word(),
            block: layout.block,
        }
    }
}

impl Format {
    /// The bits of 2²³, as a float whose last bits are whole numbers, and what turns a code into
    /// one that is off by [`zero`](Self::zero).
    fn pattern(self) -> u32 {
        const EXPONENT: u32 = 0x4b00_0000;
        match self.bits {
            4 => EXPONENT,
            // two's complement, which this makes an offset of half the range
            _ => EXPONENT | 0x80,
        }
    }

    fn zero(self) -> f32 {
        const WHOLE: f32 = 8_388_608.0;
        WHOLE + (1 << (self.bits - 1)) as f32
    }
}

/// One weight of a word, without its scale: bits are moved into a float, which is cheaper than
/// to convert them.
#[cube]
fn weight(word: u32, #[comptime] index: u32, #[comptime] format: Format) -> f32 {
    let shift = comptime!(index * format.bits);
    let mask = comptime!((1u32 << format.bits) - 1);
    let pattern = comptime!(format.pattern());
    let zero = comptime!(format.zero());
    f32::reinterpret(((word >> shift) & mask) ^ pattern) - zero
}

/// `output[r, o] = Σ x[r, i] · weight[o, i]`: a plane for [`OUTPUTS`] of the outputs.
#[cube(launch_unchecked, address_type = "dynamic")]
fn few_rows<X: Float, N: Size>(
    x: &Tensor<Vector<X, N>>,
    codes: &Tensor<u32>,
    scales: &Tensor<f16>,
    output: &mut Tensor<X>,
    #[comptime] rows: usize,
    #[comptime] format: Format,
    #[define(X)] _dtype: StorageType,
) {
    let (d_out, words) = (codes.shape(0), codes.shape(1));
    let (per_word, size) = (comptime!(format.per_word), x.vector_size());
    let vectors = comptime!(per_word / size);
    let first = first_output();

    let mut sums = Array::<f32>::new(comptime!(rows * OUTPUTS));
    #[unroll]
    for i in 0..rows * OUTPUTS {
        sums[i] = f32::new(0.0);
    }
    let mut values = Array::<f32>::new(comptime!(rows * per_word));

    let mut word = UNIT_POS_X as usize;
    while word < words {
        #[unroll]
        for row in 0..rows {
            #[unroll]
            for v in 0..vectors {
                let vector = x[(row * words + word) * vectors + v];
                #[unroll]
                for i in 0..size {
                    values[row * per_word + v * size + i] = f32::cast_from(vector[i]);
                }
            }
        }
        #[unroll]
        for o in 0..OUTPUTS {
            let out = output_or_last(first + o, d_out);
            let code = codes[out * codes.stride(0) + word];
            let block = word * per_word / format.block;
            let scale = f32::cast_from(scales[out * scales.stride(0) + block]);
            #[unroll]
            for row in 0..rows {
                let mut sum = f32::new(0.0);
                #[unroll]
                for i in 0..per_word {
                    sum += values[row * per_word + i] * weight(code, i as u32, format);
                }
                sums[o * rows + row] += sum * scale;
            }
        }
        word += CUBE_DIM_X as usize;
    }

    write_sums::<X>(&sums, output, first, d_out, rows);
}

/// A word of codes for each unit.
#[cube(launch_unchecked, address_type = "dynamic")]
fn dequantize<X: Float, N: Size>(
    codes: &Tensor<u32>,
    scales: &Tensor<f16>,
    output: &mut Tensor<Vector<X, N>>,
    #[comptime] format: Format,
    #[define(X)] _dtype: StorageType,
) {
    let (d_out, words) = (codes.shape(0), codes.shape(1));
    let (per_word, size) = (comptime!(format.per_word), output.vector_size());
    let vectors = comptime!(per_word / size);
    if ABSOLUTE_POS < d_out * words {
        let (row, word) = (ABSOLUTE_POS / words, ABSOLUTE_POS % words);
        let code = codes[row * codes.stride(0) + word];
        let block = word * per_word / format.block;
        let scale = f32::cast_from(scales[row * scales.stride(0) + block]);
        #[unroll]
        for v in 0..vectors {
            let mut vector = Vector::<X, N>::empty();
            #[unroll]
            for i in 0..size {
                let index = comptime!((v * size + i) as u32);
                vector[i] = X::cast_from(weight(code, index, format) * scale);
            }
            output[ABSOLUTE_POS * vectors + v] = vector;
        }
    }
}

/// `x · weightᵀ + bias` of a quantized `[d_out, d_in]` weight.
pub(super) fn linear<R, F, I, B>(
    x: CubeTensor<R>,
    codes: CubeTensor<R>,
    scales: CubeTensor<R>,
    bias: Option<CubeTensor<R>>,
) -> CubeTensor<R>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    B: BoolElement,
{
    let [rows, d_in] = x.meta.shape().dims();
    let format = format(&codes, &scales, d_in);
    match plane_size(&x.client) {
        Some(lanes) if (1..=FEW_ROWS).contains(&rows) => {
            let product = product(
                x,
                rows_side_by_side(codes),
                rows_side_by_side(scales),
                format,
                lanes,
            );
            add_bias(product, bias)
        }
        _ => {
            let weight = dequantized(codes, scales, d_in, x.dtype);
            composed::linear::<CubeBackend<R, F, I, B>>(x, weight, bias)
        }
    }
}

fn product<R: CubeRuntime>(
    x: CubeTensor<R>,
    codes: CubeTensor<R>,
    scales: CubeTensor<R>,
    format: Format,
    lanes: u32,
) -> CubeTensor<R> {
    let x = into_contiguous(x);
    let (rows, d_out) = (x.meta.shape()[0], codes.meta.shape()[0]);
    let output = empty(&x, [rows, d_out], x.dtype);
    if d_out == 0 {
        return output;
    }
    let planes = d_out.div_ceil(OUTPUTS);
    // SAFETY: codes and scales fit the width of `x`, the rows of which lie side by side, and
    // planes beyond the outputs write nothing
    unsafe {
        few_rows::launch_unchecked::<R>(
            &x.client,
            cubes(&x.client, planes.div_ceil(PLANES as usize)),
            cube_of_planes(lanes),
            address_type(&[&x, &codes, &scales, &output]),
            vector_size(&x, format.per_word),
            x.clone().into_tensor_arg(),
            codes.into_tensor_arg(),
            scales.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            rows,
            format,
            x.dtype.into(),
        );
    }
    output
}

/// The weights `[d_out, d_in]` in full, as a dense tensor.
pub(super) fn dequantized<R: CubeRuntime>(
    codes: CubeTensor<R>,
    scales: CubeTensor<R>,
    d_in: usize,
    dtype: DType,
) -> CubeTensor<R> {
    let format = format(&codes, &scales, d_in);
    let (codes, scales) = (rows_side_by_side(codes), rows_side_by_side(scales));
    let [d_out, words] = codes.meta.shape().dims();
    let output = empty(&codes, [d_out, d_in], dtype);
    if d_out == 0 {
        return output;
    }
    let client = codes.client.clone();
    let dim = CubeDim::new(&client, d_out * words);
    // SAFETY: codes and scales fit the output, and units beyond the codes do nothing
    unsafe {
        dequantize::launch_unchecked::<R>(
            &client,
            calculate_cube_count_elemwise(&client, d_out * words, dim),
            dim,
            address_type(&[&codes, &scales, &output]),
            vector_size(&output, format.per_word),
            codes.into_tensor_arg(),
            scales.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            format,
            dtype.into(),
        );
    }
    output
}

fn format<R: CubeRuntime>(codes: &CubeTensor<R>, scales: &CubeTensor<R>, d_in: usize) -> Format {
    let [codes, scales] = [codes, scales].map(|tensor| tensor.meta.shape().dims());
    layout(codes, scales, d_in).into()
}

/// The same values, where those of a row lie side by side. Rows may have gaps between them, which
/// the device's allocator leaves so that they begin at aligned addresses.
fn rows_side_by_side<R: CubeRuntime>(matrix: CubeTensor<R>) -> CubeTensor<R> {
    match matrix.meta.strides()[1] {
        1 => matrix,
        _ => into_contiguous(matrix),
    }
}
