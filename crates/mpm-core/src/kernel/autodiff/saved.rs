//! The operands that gradients need.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            ops::{OpsPrep, Tracked},
        },
    },
    tensor::{backend::Backend, ops::FloatTensor},
};

use crate::recompute::{self, Place};

/// Where an operand's values will come from.
#[derive(Clone, Debug)]
pub(super) enum Saved {
    /// The graph keeps them.
    Kept(NodeId),
    /// The block that the operation belongs to is run again.
    Recomputed(Place),
}

/// An operand of an operation that is about to run.
pub(super) struct Operand<'a, B: Backend, C: CheckpointStrategy> {
    tensor: &'a FloatTensor<Autodiff<B, C>>,
    place: Option<Place>,
}

impl<'a, B: Backend, C: CheckpointStrategy> Operand<'a, B, C> {
    /// Operations make this of all their operands, in a fixed order and whether or not
    /// `is_needed` for a gradient: blocks that run again count them.
    pub fn new(tensor: &'a FloatTensor<Autodiff<B, C>>, is_needed: bool) -> Self {
        Self {
            tensor,
            place: recompute::offer(&tensor.primitive, is_needed),
        }
    }

    /// Remembers a needed operand.
    pub fn save<BO, S, const N: usize>(self, prep: &mut OpsPrep<BO, B, S, C, N, Tracked>) -> Saved
    where
        S: Clone + Send + std::fmt::Debug + 'static,
        BO: burn::backend::autodiff::ops::Backward<B, N, State = S>,
    {
        match self.place {
            Some(place) => Saved::Recomputed(place),
            None => Saved::Kept(prep.checkpoint(self.tensor)),
        }
    }
}

/// The operands of an operation all of whose gradients need all of them.
pub(super) fn operands<'a, B: Backend, C: CheckpointStrategy, const N: usize>(
    tensors: [&'a FloatTensor<Autodiff<B, C>>; N],
) -> [Operand<'a, B, C>; N] {
    let is_needed = tensors.iter().any(|tensor| tensor.is_tracked());
    tensors.map(|tensor| Operand::new(tensor, is_needed))
}

impl Saved {
    /// The operand.
    pub fn get<B: Backend>(self, checkpointer: &mut Checkpointer) -> FloatTensor<B> {
        match self {
            Self::Kept(node) => checkpointer.retrieve_node_output(node),
            Self::Recomputed(place) => place.take(),
        }
    }
}
