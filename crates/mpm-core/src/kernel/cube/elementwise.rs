//! Activations.

use burn_cubecl::{
    CubeRuntime,
    kernel::{cast, into_contiguous},
    tensor::CubeTensor,
};
use cubecl::{calculate_cube_count_elemwise, prelude::*};
use std::f32::consts::FRAC_1_SQRT_2;

use super::launch::{address_type, empty, vector_size};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Function {
    Gelu,
    Silu,
}

#[cube]
fn apply<N: Size>(x: Vector<f32, N>, #[comptime] function: Function) -> Vector<f32, N> {
    let one = Vector::<f32, N>::new(1.0);
    match function {
        Function::Gelu => {
            let edge = Vector::erf(x * Vector::new(FRAC_1_SQRT_2));
            x * Vector::new(0.5) * (one + edge)
        }
        Function::Silu => x / (one + Vector::exp(-x)),
    }
}

#[cube(launch_unchecked, address_type = "dynamic")]
fn unary<X: Float, N: Size>(
    x: &Tensor<Vector<X, N>>,
    output: &mut Tensor<Vector<X, N>>,
    #[comptime] function: Function,
    #[define(X)] _dtype: StorageType,
) {
    if ABSOLUTE_POS < output.len() {
        let value = apply::<N>(Vector::cast_from(x[ABSOLUTE_POS]), function);
        output[ABSOLUTE_POS] = Vector::cast_from(value);
    }
}

#[cube(launch_unchecked, address_type = "dynamic")]
fn gated<X: Float, N: Size>(
    gate: &Tensor<Vector<X, N>>,
    value: &Tensor<Vector<X, N>>,
    output: &mut Tensor<Vector<X, N>>,
    #[comptime] function: Function,
    #[define(X)] _dtype: StorageType,
) {
    if ABSOLUTE_POS < output.len() {
        let gate = apply::<N>(Vector::cast_from(gate[ABSOLUTE_POS]), function);
        output[ABSOLUTE_POS] = Vector::cast_from(gate * Vector::cast_from(value[ABSOLUTE_POS]));
    }
}

pub(super) fn gelu<R: CubeRuntime>(x: CubeTensor<R>) -> CubeTensor<R> {
    launch_unary(x, Function::Gelu)
}

pub(super) fn silu<R: CubeRuntime>(x: CubeTensor<R>) -> CubeTensor<R> {
    launch_unary(x, Function::Silu)
}

fn launch_unary<R: CubeRuntime>(x: CubeTensor<R>, function: Function) -> CubeTensor<R> {
    let x = into_contiguous(x);
    let output = empty(&x, x.meta.shape().clone(), x.dtype);
    let vector = vector_size(&x, x.meta.num_elements());
    let units = x.meta.num_elements() / vector;
    let client = x.client.clone();
    let dim = CubeDim::new(&client, units);
    // SAFETY: `x` and `output` are dense and of one shape, and units beyond them do nothing
    unsafe {
        unary::launch_unchecked::<R>(
            &client,
            calculate_cube_count_elemwise(&client, units, dim),
            dim,
            address_type(&[&x, &output]),
            vector,
            x.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            function,
            x.dtype.into(),
        );
    }
    output
}

/// `gelu(gate) * value`, in the gate's dtype.
pub(super) fn gated_gelu<R: CubeRuntime>(
    gate: CubeTensor<R>,
    value: CubeTensor<R>,
) -> CubeTensor<R> {
    let value = match value.dtype == gate.dtype {
        true => value,
        false => cast(value, gate.dtype),
    };
    let (gate, value) = (into_contiguous(gate), into_contiguous(value));
    let output = empty(&gate, gate.meta.shape().clone(), gate.dtype);
    let vector = vector_size(&gate, gate.meta.num_elements());
    let units = gate.meta.num_elements() / vector;
    let client = gate.client.clone();
    let dim = CubeDim::new(&client, units);
    // SAFETY: all three are dense, of one shape and of one dtype, and units beyond them do nothing
    unsafe {
        gated::launch_unchecked::<R>(
            &client,
            calculate_cube_count_elemwise(&client, units, dim),
            dim,
            address_type(&[&gate, &value, &output]),
            vector,
            gate.clone().into_tensor_arg(),
            value.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            Function::Gelu,
            gate.dtype.into(),
        );
    }
    output
}
