//! Attention masks of a case.

use burn::tensor::{Bool, Tensor, TensorData, backend::Backend};
use mpm_test_support::Case;

/// The tensor `key`, `[batch, len_q, len_k]`, which is true where a query sees a key, as the mask
/// of what is hidden: `[batch, 1, len_q, len_k]`.
pub fn hidden<B: Backend>(case: &Case, key: &str) -> Tensor<B, 4, Bool> {
    let &[batch, len_q, len_k] = case.shape(key) else {
        panic!("{}: {key} is {:?}", case.name, case.shape(key))
    };
    let hidden: Vec<bool> = case.bools(key).into_iter().map(|seen| !seen).collect();
    let data = TensorData::new(hidden, [batch, 1, len_q, len_k]);
    Tensor::from_data(data, &B::Device::default())
}

/// Compares a mask, which may be absent where nothing is hidden, with the tensor `key`.
pub fn assert_hidden<B: Backend>(case: &Case, key: &str, actual: Option<Tensor<B, 4, Bool>>) {
    let expected = hidden::<B>(case, key);
    match actual {
        Some(actual) => {
            let actual = actual.expand(expected.dims());
            assert_eq!(actual.into_data(), expected.into_data(), "{key}");
        }
        None => assert!(!case.bools(key).contains(&false), "{key}: no mask"),
    }
}
