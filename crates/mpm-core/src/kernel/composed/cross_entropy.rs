//! Cross entropy.

use burn::tensor::{
    IndexingUpdateOp, Int, Tensor,
    activation::{log_softmax, softmax},
    backend::Backend,
    ops::{FloatTensor, IntTensor},
};

use super::{primitive, tensor, widened};

pub(in crate::kernel) fn cross_entropy<B: Backend>(
    logits: FloatTensor<B>,
    classes: IntTensor<B>,
) -> FloatTensor<B> {
    let logits = widened(tensor::<B, 2>(logits));
    let likelihood = log_softmax(logits, 1).gather(1, column(classes));
    primitive(likelihood.neg().squeeze_dim::<1>(1))
}

pub(in crate::kernel) fn cross_entropy_backward<B: Backend>(
    logits: FloatTensor<B>,
    classes: IntTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let logits: Tensor<B, 2> = tensor(logits);
    let dtype = logits.dtype();
    let grad: Tensor<B, 2> = tensor::<B, 1>(grad).unsqueeze_dim(1);
    let shares = softmax(widened(logits), 1) * grad.clone();
    let grads = shares.scatter(1, column(classes), grad.neg(), IndexingUpdateOp::Add);
    primitive(grads.cast(dtype))
}

fn column<B: Backend>(classes: IntTensor<B>) -> Tensor<B, 2, Int> {
    Tensor::<B, 1, Int>::from_primitive(classes).unsqueeze_dim(1)
}
