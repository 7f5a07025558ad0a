//! A blocked matrix product by all threads. Burn's would write the output three times: zeros,
//! products, bias.

use super::super::{
    gemm::{Matrix, product},
    number::Rows,
};

/// `x · weightsᵀ + bias`
pub(super) fn linear(x: &[f32], weights: &[f32], bias: Option<&[f32]>, d_in: usize) -> Vec<f32> {
    let [x, weights] = [x, weights].map(|data| {
        let stride = d_in;
        Matrix::new(Rows { data, stride }, data.len() / d_in, d_in)
    });
    product(x, weights.transposed(), bias)
}
