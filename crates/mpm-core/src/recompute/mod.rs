//! Activation checkpointing: a block keeps its inputs only, and is run again when its
//! gradients are computed.
//!
//! "Training Deep Nets with Sublinear Memory Cost", <https://arxiv.org/abs/1604.06174>. Burn's
//! own gradient checkpointing saves operations that are cheap to repeat; this saves
//! everything between two blocks. The price is one more forward pass, about a third of a
//! step.
//!
//! The graph that Burn's autodiff builds stays as it is. While [`recompute`] runs a block,
//! the operations of [`kernel`](crate::kernel) do not store the operands of their gradients
//! but the places of these operands in the order of the run. The backward pass runs the
//! block a second time, on the same inputs and parameters but without a graph, as soon as it
//! comes to the first of these places, and finds the operands in the same order. Parameters
//! that train, frozen ones and inputs with or without gradients need no special care: all
//! gradients are computed by the operations themselves, bit for bit as without it.
//! `torch.utils.checkpoint` with `use_reentrant=False` works alike. (Starting a backward pass
//! from within another one, as its older form does, would wait for itself in Burn's graphs.)

mod detach;
mod segment;

use std::sync::Arc;

use burn::module::Module;

pub use detach::Detach;
pub(crate) use segment::{Place, offer};

use crate::MpmBackend;
use segment::Segment;

/// Runs `forward`, without keeping what its gradients need: it is computed again when they
/// are asked for.
///
/// Without autodiff it is only a call. What `forward` computes by operations of Burn, and not
/// of [`kernel`](crate::kernel), has the right gradients but keeps its operands as ever.
/// Inside of another block it has the inner block's effect only.
///
/// `forward` must do the same whenever it is called, so a block must not draw random numbers
/// (dropout). The blocks of MPM's models draw none.
///
/// What a block does is recorded by thread. Where several passes run at the same time, forward
/// or backward, each needs a pool of threads (`rayon`) of its own: in one that they share, a
/// thread that waits within a block may take up the work of another pass and record that, too.
///
/// # Panics
/// The backward pass, when `forward` did other operations the second time, or when passes that
/// share a pool confused the recording.
///
/// # Examples
/// ```
/// use burn::{backend::{Autodiff, Flex}, tensor::Tensor};
/// use mpm_core::{kernel::gelu, nn::TorchLinear, recompute::recompute};
///
/// type B = Autodiff<Flex>;
/// let device = Default::default();
/// let layer = TorchLinear::<B>::new(8, 8, &device);
/// let x = Tensor::<B, 2>::ones([4, 8], &device);
/// let y = recompute(&layer, x, |layer, x| gelu(layer.forward(x)));
/// let gradients = y.sum().backward();
/// let weight = layer.weight.float().expect("it is not quantized");
/// assert!(weight.grad(&gradients).is_some());
/// ```
pub fn recompute<B, M, I, O>(
    module: &M,
    inputs: I,
    forward: impl Fn(&M, I) -> O + Send + 'static,
) -> O
where
    B: MpmBackend,
    M: Module<B> + 'static,
    I: Detach + Clone + Send + 'static,
{
    if !B::ad_enabled(&B::Device::default()) {
        return forward(module, inputs);
    }
    let detached = inputs.detached();
    let (segment, output) = Segment::record(|| forward(module, inputs));
    // Without a gradient to compute, nobody holds a place of it.
    if Arc::strong_count(&segment) > 1 {
        // Only now: parameters that nobody has read before draw their values at the first
        // reading, and copies of them would draw others.
        let module = module.clone().no_grad();
        segment.complete(move || drop(forward(&module, detached.clone())));
    }
    output
}

#[cfg(all(test, feature = "flex"))]
mod tests;
