//! Layer norm.

use burn::backend::Flex;

use super::random;
use crate::kernel::layer_norm;

#[test]
#[should_panic(expected = "a norm with 4 weights and 8 biases does not fit a width of 8")]
fn layer_norm_refuses_a_weight_of_another_width() {
    layer_norm(random::<Flex, 2>([2, 8]), random([4]), random([8]), 1e-6);
}

#[test]
#[should_panic(expected = "a norm with 8 weights and 4 biases does not fit a width of 8")]
fn layer_norm_refuses_a_bias_of_another_width() {
    layer_norm(random::<Flex, 2>([2, 8]), random([8]), random([4]), 1e-6);
}
