//! Cross entropy.

use burn::tensor::{Int, Tensor};

use super::{MpmBackend, from_primitive};

/// Cross entropy of each row, `ln Σ exp(logits) - logits[class]`, in f32 or wider.
///
/// A gradient takes the memory of the logits once; composed of Burn's operations, three times.
///
/// # Shapes
/// - logits: `[rows, classes]`
/// - classes: `[rows]`, each below the number of classes
/// - output: `[rows]`
///
/// # Panics
/// When `classes` has another length than `logits` has rows. On the CPU, when a class is out of
/// range, too; what GPUs do then is undefined.
pub fn cross_entropy<B: MpmBackend>(
    logits: Tensor<B, 2>,
    classes: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let ([rows, _], [picked]) = (logits.dims(), classes.dims());
    assert!(
        picked == rows,
        "{rows} rows of logits do not fit {picked} classes"
    );
    from_primitive(B::cross_entropy_2d(
        logits.into_primitive().tensor(),
        classes.into_primitive(),
    ))
}
