//! Norms: a cube for each row, whose lanes add up together.

use burn_cubecl::{CubeRuntime, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::prelude::*;

use super::{
    Activation, GroupNormOptions,
    launch::{PLANES, address_type, cube_of_planes, cubes, empty, plane_size},
};

/// The sum over all lanes of a cube.
#[cube]
fn cube_sum(value: f32) -> f32 {
    let mut of_planes = SharedMemory::<f32>::new(PLANES as usize);
    let of_plane = plane_sum(value);
    if UNIT_POS_X == 0 {
        of_planes[UNIT_POS_Y as usize] = of_plane;
    }
    sync_cube();
    let mut sum = f32::new(0.0);
    #[unroll]
    for plane in 0..PLANES {
        sum += of_planes[plane as usize];
    }
    sum
}

#[cube(launch_unchecked, address_type = "dynamic")]
fn rms_kernel<X: Float, W: Float>(
    x: &Tensor<X>,
    weight: &Tensor<W>,
    output: &mut Tensor<X>,
    epsilon: f32,
    #[define(X, W)] _dtypes: [StorageType; 2],
) {
    let width = x.shape(1);
    if CUBE_POS < x.shape(0) {
        let first = CUBE_POS * width;
        let mut squares = f32::new(0.0);
        let mut i = UNIT_POS as usize;
        while i < width {
            let value = f32::cast_from(x[first + i]);
            squares += value * value;
            i += CUBE_DIM as usize;
        }
        let mean = cube_sum(squares) / f32::cast_from(width);
        let scale = 1.0 / f32::sqrt(mean + epsilon);
        let mut i = UNIT_POS as usize;
        while i < width {
            let value = f32::cast_from(x[first + i]) * scale;
            output[first + i] = X::cast_from(value * f32::cast_from(weight[i]));
            i += CUBE_DIM as usize;
        }
    }
}

/// Layer norm of rows and group norm of pictures: of `width` values that lie side by side, each
/// `run` of which shares a weight and a bias.
#[cube(launch_unchecked, address_type = "dynamic")]
fn affine_kernel<X: Float, W: Float>(
    x: &Tensor<X>,
    weight: &Tensor<W>,
    bias: &Tensor<W>,
    output: &mut Tensor<X>,
    width: usize,
    run: usize,
    epsilon: f32,
    #[comptime] silu: bool,
    #[define(X, W)] _dtypes: [StorageType; 2],
) {
    let first = CUBE_POS * width;
    if first < x.len() {
        let mut sum = f32::new(0.0);
        let mut i = UNIT_POS as usize;
        while i < width {
            sum += f32::cast_from(x[first + i]);
            i += CUBE_DIM as usize;
        }
        let mean = cube_sum(sum) / f32::cast_from(width);
        let mut squares = f32::new(0.0);
        let mut i = UNIT_POS as usize;
        while i < width {
            let value = f32::cast_from(x[first + i]) - mean;
            squares += value * value;
            i += CUBE_DIM as usize;
        }
        let variance = cube_sum(squares) / f32::cast_from(width);
        let scale = 1.0 / f32::sqrt(variance + epsilon);
        let mut i = UNIT_POS as usize;
        while i < width {
            let channel = (first + i) / run % weight.len();
            let value = (f32::cast_from(x[first + i]) - mean) * scale;
            let value = value * f32::cast_from(weight[channel]) + f32::cast_from(bias[channel]);
            let value = if comptime!(silu) {
                value / (1.0 + f32::exp(-value))
            } else {
                value
            };
            output[first + i] = X::cast_from(value);
            i += CUBE_DIM as usize;
        }
    }
}

/// RMS norm of `[rows, width]`, if the device can.
pub(super) fn rms_norm<R: CubeRuntime>(
    x: &CubeTensor<R>,
    weight: &CubeTensor<R>,
    epsilon: f64,
) -> Option<CubeTensor<R>> {
    let lanes = plane_size(&x.client)?;
    let (x, weight) = (into_contiguous(x.clone()), into_contiguous(weight.clone()));
    let rows = x.meta.shape()[0];
    let output = empty(&x, x.meta.shape().clone(), x.dtype);
    if output.meta.num_elements() == 0 {
        return Some(output);
    }
    // SAFETY: all are dense, the weight is as wide as `x`, and cubes beyond the rows do nothing
    unsafe {
        rms_kernel::launch_unchecked::<R>(
            &x.client,
            cubes(&x.client, rows),
            cube_of_planes(lanes),
            address_type(&[&x, &output]),
            x.clone().into_tensor_arg(),
            weight.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            epsilon as f32,
            [x.dtype.into(), weight.dtype.into()],
        );
    }
    Some(output)
}

/// Layer norm of `[rows, width]`, if the device can.
pub(super) fn layer_norm<R: CubeRuntime>(
    x: &CubeTensor<R>,
    weight: &CubeTensor<R>,
    bias: &CubeTensor<R>,
    epsilon: f64,
) -> Option<CubeTensor<R>> {
    let width = x.meta.shape()[1];
    affine(x, weight, bias, width, 1, epsilon, Activation::Identity)
}

/// Group norm of `[batch, channels, height, width]`, if the device can.
pub(super) fn group_norm<R: CubeRuntime>(
    x: &CubeTensor<R>,
    weight: &CubeTensor<R>,
    bias: &CubeTensor<R>,
    options: GroupNormOptions,
) -> Option<CubeTensor<R>> {
    let [_, channels, height, width] = x.meta.shape().dims();
    let pixels = height * width;
    let group = channels / options.groups * pixels;
    let activation = options.activation;
    affine(x, weight, bias, group, pixels, options.epsilon, activation)
}

fn affine<R: CubeRuntime>(
    x: &CubeTensor<R>,
    weight: &CubeTensor<R>,
    bias: &CubeTensor<R>,
    width: usize,
    run: usize,
    epsilon: f64,
    activation: Activation,
) -> Option<CubeTensor<R>> {
    let lanes = plane_size(&x.client)?;
    if bias.dtype != weight.dtype {
        return None;
    }
    let [x, weight, bias] = [x, weight, bias].map(|tensor| into_contiguous(tensor.clone()));
    let output = empty(&x, x.meta.shape().clone(), x.dtype);
    if output.meta.num_elements() == 0 {
        return Some(output);
    }
    let rows = output.meta.num_elements() / width;
    // SAFETY: all are dense, there are as many weights and biases as runs, over and over, and
    // cubes beyond the rows do nothing
    unsafe {
        affine_kernel::launch_unchecked::<R>(
            &x.client,
            cubes(&x.client, rows),
            cube_of_planes(lanes),
            address_type(&[&x, &output]),
            x.clone().into_tensor_arg(),
            weight.clone().into_tensor_arg(),
            bias.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            width,
            run,
            epsilon as f32,
            activation == Activation::Silu,
            [x.dtype.into(), weight.dtype.into()],
        );
    }
    Some(output)
}
