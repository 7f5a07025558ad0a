//! Workers on several devices, through Burn's own collective operations.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn_collective::{CollectiveConfig, PeerId, ReduceOperation};

use crate::peers::Peers;
use crate::{BoxError, TrainError};

/// One of several workers, each on a thread of its own with a device of its own.
///
/// Dropped, it leaves the others, who cannot go on without it: the sums that they wait for or ask
/// for later fail.
#[derive(Debug)]
pub struct CollectivePeer<B: Backend> {
    rank: usize,
    count: usize,
    backend: std::marker::PhantomData<B>,
}

impl<B: Backend> CollectivePeer<B> {
    /// Joins the others. `config` holds the number of devices, `count` is the number of workers.
    ///
    /// # Errors
    /// [`TrainError::Peers`] when the configuration is unsound or the others cannot be reached.
    pub fn join(
        rank: usize,
        count: usize,
        device: B::Device,
        config: CollectiveConfig,
    ) -> Result<Self, TrainError> {
        burn_collective::register::<B>(id(rank), device, config)
            .map_err(|error| TrainError::Peers(describe(&error)))?;
        Ok(Self {
            rank,
            count,
            backend: std::marker::PhantomData,
        })
    }
}

fn id(rank: usize) -> PeerId {
    PeerId(rank as u32)
}

fn describe(error: &burn_collective::CollectiveError) -> BoxError {
    format!("collective operation: {error:?}").into()
}

impl<B: Backend> Peers<B> for CollectivePeer<B> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn sum(&self, tensor: FloatTensor<B>) -> Result<FloatTensor<B>, BoxError> {
        burn_collective::all_reduce::<B>(id(self.rank), tensor, ReduceOperation::Sum)
            .map_err(|error| describe(&error))
    }
}

impl<B: Backend> Drop for CollectivePeer<B> {
    fn drop(&mut self) {
        // Every sum is one of all workers, so those that this one did not come to will never be.
        // Burn's `finish_collective` leaves who waits for one waiting for ever, and lets the others
        // go on with sums of their own; a worker that panics or fails early would do that to them.
        burn_collective::reset_collective::<B>();
    }
}
