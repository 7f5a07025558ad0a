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
/// any.
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
