//! Workers on several devices of this machine.

use std::thread;

use burn::{
    prelude::DeviceOps as _,
    tensor::backend::{Backend, DeviceId, DeviceOps as _},
};
use burn_collective::CollectiveConfig;
use mpm_train::{BoxError, TrainError, distributed::CollectivePeer};

use crate::RunError;

/// Runs some workers, each on a thread of its own: all of them `prepare`, and if that succeeds,
/// all of them `work`. Each gets its number; its device; and its way to the others, if there are
/// any. A worker that fails or panics ends the work of all, since it drops that way.
///
/// All devices are of this machine: between machines, Burn 0.21's collective operations wait for
/// ever at the second one (`SyncService::sync` in burn-collective empties a copy of its list).
///
/// # Errors
/// That of the worker that failed first of itself, not because of another one.
pub fn run_workers<B: Backend, P: Send, T: Send>(
    workers: usize,
    device: &B::Device,
    prepare: impl Fn(usize, B::Device) -> Result<P, BoxError> + Sync,
    work: impl Fn(usize, P, Option<CollectivePeer<B>>) -> Result<T, BoxError> + Sync,
) -> Result<T, BoxError> {
    if workers == 1 {
        return work(0, prepare(0, device.clone())?, None);
    }
    let id = device.id();
    let device = |rank: usize| B::Device::from_id(DeviceId::new(id.type_id, rank as u16));
    // A worker that fails by itself, before it has joined, would leave the others waiting.
    let prepared = on_threads(0..workers, |rank| prepare(rank, device(rank)))?;
    let config = CollectiveConfig::default().with_num_devices(workers);
    let results = on_threads(prepared.into_iter().enumerate(), |(rank, prepared)| {
        let peer = CollectivePeer::join(rank, workers, device(rank), config.clone())?;
        work(rank, prepared, Some(peer))
    })?;
    let first = results.into_iter().next();
    first.ok_or_else(|| RunError::Panic { rank: 0 }.into())
}

/// Does something with each item on a thread of its own.
///
/// # Errors
/// That of the first one that failed of itself.
fn on_threads<I: Send, T: Send>(
    items: impl Iterator<Item = I>,
    work: impl Fn(I) -> Result<T, BoxError> + Sync,
) -> Result<Vec<T>, BoxError> {
    let work = &work;
    let results: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let joined = handles.into_iter().enumerate().map(|(rank, handle)| {
            handle
                .join()
                .unwrap_or(Err(RunError::Panic { rank }.into()))
        });
        joined.collect()
    });
    let mut done = Vec::new();
    let mut failed: Option<BoxError> = None;
    for result in results {
        match result {
            Ok(value) => done.push(value),
            Err(error) if failed.as_ref().is_none_or(is_echo) => failed = Some(error),
            Err(_) => {}
        }
    }
    failed.map_or(Ok(done), Err)
}

/// Whether a worker stopped because another one failed.
fn is_echo(error: &BoxError) -> bool {
    matches!(
        error.downcast_ref(),
        Some(TrainError::PeerFailed | TrainError::Peers(_))
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::{sync::mpsc::channel, time::Duration};

    use burn::{backend::Flex, tensor::Tensor};
    use mpm_train::Peers;

    use super::*;

    /// Long enough for a busy machine, and never waited for where all goes well.
    const PATIENT: Duration = Duration::from_secs(120);

    fn sum(peer: &CollectivePeer<Flex>) -> Result<(), BoxError> {
        let tensor = Tensor::<Flex, 1>::zeros([1], &Default::default());
        let sum = peer.sum(tensor.into_primitive().tensor());
        sum.map_err(TrainError::Peers)?;
        Ok(())
    }

    /// How a run of two workers ends, of which the first one only sums and the second one leaves.
    fn ended(leave: fn() -> Result<(), BoxError>) -> BoxError {
        let (sender, result) = channel();
        // On a thread that is left behind, should the first one wait for ever.
        thread::spawn(move || {
            let device = Default::default();
            let result = run_workers::<Flex, (), ()>(
                2,
                &device,
                |_, _| Ok(()),
                |rank, (), peer| {
                    let peer = peer.unwrap();
                    match rank {
                        0 => loop {
                            sum(&peer)?;
                        },
                        _ => leave(),
                    }
                },
            );
            sender.send(result).unwrap();
        });
        result.recv_timeout(PATIENT).unwrap().unwrap_err()
    }

    #[test]
    fn a_worker_that_leaves_ends_the_work_of_all() {
        // One after the other: Burn has one collective for the whole process.
        let failed = ended(|| Err("the disk is full".into()));
        assert_eq!(failed.to_string(), "the disk is full");
        let panicked = ended(|| panic!("this worker is to panic"));
        let panicked = panicked.downcast_ref();
        assert!(matches!(panicked, Some(RunError::Panic { rank: 1 })));
    }
}
