//! Workers on several devices of this machine, and of others.

use std::{net::SocketAddr, thread};

use burn::{
    prelude::DeviceOps as _,
    tensor::backend::{Backend, DeviceId, DeviceOps as _},
};
use burn_collective::CollectiveConfig;
use mpm_train::{BoxError, TrainError, distributed::CollectivePeer};

use crate::RunError;

/// The devices that train together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Devices of this machine.
    pub devices: usize,
    /// The other machines, if there are any.
    pub nodes: Option<Nodes>,
}

/// Machines that train together, each with the same number of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Number of machines.
    pub count: usize,
    /// The number of this one, from 0.
    pub rank: usize,
    /// Where the orchestrator listens: `viscpm-train orchestrate` runs it on one of them.
    pub orchestrator: SocketAddr,
    /// Where this machine can be reached by the others.
    pub address: SocketAddr,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            devices: 1,
            nodes: None,
        }
    }
}

impl Cluster {
    /// The number of workers on all machines.
    pub fn workers(&self) -> usize {
        self.devices * self.nodes.as_ref().map_or(1, |nodes| nodes.count)
    }

    /// The number of this machine's first worker.
    pub fn first_rank(&self) -> usize {
        self.devices * self.nodes.as_ref().map_or(0, |nodes| nodes.rank)
    }

    fn config(&self) -> Result<CollectiveConfig, BoxError> {
        let config = CollectiveConfig::default().with_num_devices(self.devices);
        let Some(nodes) = &self.nodes else {
            return Ok(config);
        };
        let url = |address: SocketAddr| {
            let parsed = format!("ws://{address}").parse();
            parsed.map_err(|reason: String| BoxError::from(reason))
        };
        Ok(config
            .with_num_nodes(nodes.count as u32)
            .with_global_address(url(nodes.orchestrator)?)
            .with_node_address(url(nodes.address)?)
            .with_data_service_port(nodes.address.port()))
    }

    /// Runs `work` for each worker of this machine, on a thread of its own; it gets the
    /// worker's number, its device and its way to the others, if there are any.
    ///
    /// # Errors
    /// That of the worker that failed first of itself, not because of another one.
    pub fn run<B: Backend, T: Send>(
        &self,
        device: &B::Device,
        work: impl Fn(usize, B::Device, Option<CollectivePeer<B>>) -> Result<T, BoxError> + Sync,
    ) -> Result<T, BoxError> {
        let workers = self.workers();
        if workers == 1 {
            return work(0, device.clone(), None);
        }
        let work = &work;
        let first = self.first_rank();
        let config = self.config()?;
        let results = thread::scope(|scope| {
            let spawn = |local: usize| {
                let id = device.id();
                let device = B::Device::from_id(DeviceId::new(id.type_id, local as u16));
                let config = config.clone();
                scope.spawn(move || {
                    let rank = first + local;
                    let peer = CollectivePeer::join(rank, workers, device.clone(), config)?;
                    work(rank, device, Some(peer))
                })
            };
            let handles: Vec<_> = (0..self.devices).map(spawn).collect();
            let joined = handles.into_iter().enumerate().map(|(local, handle)| {
                let rank = first + local;
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
            (None, None) => Err(RunError::Panic { rank: first }.into()),
        }
    }
}

/// Brings machines together until the program is ended.
///
/// # Errors
/// Those of the operating system.
pub fn orchestrate(port: u16) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(burn_collective::start_global_orchestrator(port));
    Ok(())
}

/// Whether a worker stopped because another one failed.
fn is_echo(error: &BoxError) -> bool {
    matches!(
        error.downcast_ref(),
        Some(TrainError::PeerFailed | TrainError::Peers(_))
    )
}
