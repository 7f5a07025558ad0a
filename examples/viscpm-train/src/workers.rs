//! Workers on several devices of this machine.

use std::thread;

use burn::{
    prelude::DeviceOps as _,
    tensor::backend::{Backend, DeviceId, DeviceOps as _},
};
use burn_collective::CollectiveConfig;
use mpm_train::{BoxError, TrainError, distributed::CollectivePeer};

use crate::RunError;

/// Runs `work` for each of some workers, on a thread of its own; it gets the worker's number, its
/// device and its way to the others, if there are any.
///
/// All devices are of this machine: between machines, Burn 0.21's collective operations wait for
/// ever at the second one (`SyncService::sync` in burn-collective empties a copy of its list).
///
/// # Errors
/// That of the worker that failed first of itself, not because of another one.
pub fn run_workers<B: Backend, T: Send>(
    workers: usize,
    device: &B::Device,
    work: impl Fn(usize, B::Device, Option<CollectivePeer<B>>) -> Result<T, BoxError> + Sync,
) -> Result<T, BoxError> {
    if workers == 1 {
        return work(0, device.clone(), None);
    }
    let work = &work;
    let config = CollectiveConfig::default().with_num_devices(workers);
    let results = thread::scope(|scope| {
        let spawn = |rank: usize| {
            let id = device.id();
            let device = B::Device::from_id(DeviceId::new(id.type_id, rank as u16));
            let config = config.clone();
            scope.spawn(move || {
                let peer = CollectivePeer::join(rank, workers, device.clone(), config)?;
                work(rank, device, Some(peer))
            })
        };
        let handles: Vec<_> = (0..workers).map(spawn).collect();
        let joined = handles.into_iter().enumerate().map(|(rank, handle)| {
            handle
                .join()
                .unwrap_or(Err(RunError::Panic { rank }.into()))
        });
        joined.collect::<Vec<_>>()
    });
    let mut done = None;
    let mut failed: Option<BoxError> = None;
    for result in results {
        match result {
            Ok(value) => done = done.or(Some(value)),
            Err(error) if failed.is_none() || !is_echo(&error) => failed = Some(error),
            Err(_) => {}
        }
    }
    match (failed, done) {
        (Some(error), _) => Err(error),
        (None, Some(value)) => Ok(value),
        (None, None) => Err(RunError::Panic { rank: 0 }.into()),
    }
}

/// Whether a worker stopped because another one failed.
fn is_echo(error: &BoxError) -> bool {
    matches!(
        error.downcast_ref(),
        Some(TrainError::PeerFailed | TrainError::Peers(_))
    )
}
