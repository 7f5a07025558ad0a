//! Products of a few rows with weights in full: while tokens are generated, all that matters is how
//! fast the weights are read, each of them once.

use burn_cubecl::{
    CubeRuntime, kernel::into_contiguous, ops::numeric, ops::reshape, tensor::CubeTensor,
};
use cubecl::prelude::*;

use super::launch::{PLANES, address_type, cube_of_planes, cubes, empty, plane_size, vector_size};

/// The most rows that are multiplied so: the sums of more would not fit in registers.
pub(super) const FEW_ROWS: usize = 8;

/// Outputs of a plane: for each, a part of the weight is on its way at the same time.
pub(super) const OUTPUTS: usize = 4;

/// `output[r, o] = Σ x[r, i] · weight[o, i]`: a plane for [`OUTPUTS`] of the outputs.
#[cube(launch_unchecked, address_type = "dynamic")]
fn few_rows<X: Float, N: Size>(
    x: &Tensor<Vector<X, N>>,
    weight: &Tensor<Vector<X, N>>,
    output: &mut Tensor<X>,
    #[comptime] rows: usize,
    #[define(X)] _dtype: StorageType,
) {
    let (d_out, size) = (weight.shape(0), x.vector_size());
    let (vectors, stride) = (weight.shape(1) / size, weight.stride(0) / size);
    let first = first_output();

    let mut sums = Array::<f32>::new(comptime!(rows * OUTPUTS));
    #[unroll]
    for i in 0..rows * OUTPUTS {
        sums[i] = f32::new(0.0);
    }
    let mut v = UNIT_POS_X as usize;
    while v < vectors {
        let mut values = Array::<Vector<f32, N>>::new(rows);
        #[unroll]
        for row in 0..rows {
            values[row] = Vector::cast_from(x[row * vectors + v]);
        }
        #[unroll]
        for o in 0..OUTPUTS {
            let weights =
                Vector::<f32, N>::cast_from(weight[output_or_last(first + o, d_out) * stride + v]);
            #[unroll]
            for row in 0..rows {
                let products = values[row] * weights;
                #[unroll]
                for i in 0..size {
                    sums[o * rows + row] += products[i];
                }
            }
        }
        v += CUBE_DIM_X as usize;
    }
    write_sums::<X>(&sums, output, first, d_out, rows);
}

/// The first of the outputs of a plane.
#[cube]
pub(super) fn first_output() -> usize {
    (CUBE_POS * PLANES as usize + UNIT_POS_Y as usize) * OUTPUTS
}

/// Planes beyond the last output repeat it, and write nothing.
#[cube]
pub(super) fn output_or_last(output: usize, d_out: usize) -> usize {
    if output < d_out { output } else { d_out - 1 }
}

/// Adds up the sums of all lanes, `[OUTPUTS, rows]`, and writes them.
#[cube]
pub(super) fn write_sums<X: Float>(
    sums: &Array<f32>,
    output: &mut Tensor<X>,
    first: usize,
    d_out: usize,
    #[comptime] rows: usize,
) {
    #[unroll]
    for o in 0..OUTPUTS {
        #[unroll]
        for row in 0..rows {
            let sum = plane_sum(sums[o * rows + row]);
            if UNIT_POS_X == 0 && first + o < d_out {
                output[row * d_out + first + o] = X::cast_from(sum);
            }
        }
    }
}

/// `x · weightᵀ + bias`, if the device can and the rows are few enough.
pub(super) fn linear<R: CubeRuntime>(
    x: &CubeTensor<R>,
    weight: &CubeTensor<R>,
    bias: Option<&CubeTensor<R>>,
) -> Option<CubeTensor<R>> {
    let lanes = plane_size(&x.client)?;
    let [rows, d_in] = x.meta.shape().dims();
    let d_out = weight.meta.shape()[0];
    let (row, step) = (weight.meta.strides()[0], weight.meta.strides()[1]);
    let fits = (1..=FEW_ROWS).contains(&rows) && d_out > 0 && step == 1;
    if !fits || weight.dtype != x.dtype {
        return None;
    }
    let x = into_contiguous(x.clone());
    let output = empty(&x, [rows, d_out], x.dtype);
    let planes = d_out.div_ceil(OUTPUTS);
    // SAFETY: `x` is dense and as wide as the weight, whose values lie side by side, and planes
    // beyond the outputs write nothing
    unsafe {
        few_rows::launch_unchecked::<R>(
            &x.client,
            cubes(&x.client, planes.div_ceil(PLANES as usize)),
            cube_of_planes(lanes),
            address_type(&[&x, weight, &output]),
            // of both the width and the step from row to row
            vector_size(&x, d_in).min(vector_size(weight, row)),
            x.clone().into_tensor_arg(),
            weight.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            rows,
            x.dtype.into(),
        );
    }
    Some(add_bias(output, bias.cloned()))
}

/// Adds a bias `[d_out]` to `[rows, d_out]`.
pub(super) fn add_bias<R: CubeRuntime>(
    output: CubeTensor<R>,
    bias: Option<CubeTensor<R>>,
) -> CubeTensor<R> {
    match bias {
        None => output,
        Some(bias) => {
            let d_out = output.meta.shape()[1];
            numeric::add(output, reshape(bias, [1, d_out].into()))
        }
    }
}
