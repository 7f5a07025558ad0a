//! Models that are larger than their device: some layers wait in their file and come one by one,
//! the next one while the last one computes.
//!
//! The operating system keeps the file's pages in host memory as long as there is room, so that a
//! layer comes from there and not from the disk.
//!
//! Source: BMInf, "Low-Resource Inference for Big Models" (<https://github.com/OpenBMB/BMInf>),
//! which the reference uses to the same end.

use std::{
    sync::{
        Arc,
        mpsc::{RecvError, sync_channel},
    },
    thread,
};

use burn::{module::Module, tensor::backend::Backend};

use crate::weights::{StoredParameters, WeightsError};

/// The last layers of a model, which wait in their file; none by default.
#[derive(Clone, Debug, Default)]
pub struct WaitingLayers {
    stored: Arc<[StoredParameters]>,
}

impl WaitingLayers {
    /// Layers in their order.
    pub fn new(stored: Vec<StoredParameters>) -> Self {
        Self {
            stored: stored.into(),
        }
    }

    /// Number of layers that wait.
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Whether all layers are on the device.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Runs a state through all `layers`, of which those that wait are shells without values.
    ///
    /// Two layers at most are on the device beside those that stay there: one computes, and
    /// another thread reads the next.
    ///
    /// # Errors
    /// Those of `forward`, and [`WeightsError::Tensor`] when a layer cannot be read.
    ///
    /// # Panics
    /// When more layers wait than there are.
    pub fn fold<B, M, S, E>(
        &self,
        layers: &[M],
        state: S,
        mut forward: impl FnMut(S, usize, &M) -> Result<S, E>,
    ) -> Result<S, E>
    where
        B: Backend,
        M: Module<B> + Sync,
        E: From<WeightsError>,
    {
        let (resident, shells) = layers.split_at(layers.len() - self.len());
        let mut through = |state: Result<S, E>, (index, layer): (usize, &M)| {
            state.and_then(|state| forward(state, index, layer))
        };
        if shells.is_empty() {
            return resident.iter().enumerate().fold(Ok(state), through);
        }
        thread::scope(|scope| {
            // Without room in the channel, the reader waits with its layer until it is taken.
            let (sender, receiver) = sync_channel(0);
            scope.spawn(move || {
                let layers = self.stored.iter().zip(shells);
                let mut layers = layers.map(|(stored, shell)| stored.fill(shell.clone()));
                // Nobody receives after an error.
                while layers
                    .next()
                    .is_some_and(|layer| sender.send(layer).is_ok())
                {}
            });
            let mut state = resident.iter().enumerate().fold(Ok(state), &mut through);
            for index in resident.len()..layers.len() {
                let layer: M = match receiver.recv() {
                    Ok(layer) => layer?,
                    // The reader panicked, and so does the scope.
                    Err(RecvError) => break,
                };
                state = through(state, (index, &layer));
                if state.is_err() {
                    break;
                }
            }
            state
        })
    }
}

/// The layers of a model that may wait.
pub struct LayerList<'a> {
    /// The path of their list in the model.
    pub path: String,
    /// How many there are.
    pub count: usize,
    /// Those that wait.
    pub waiting: &'a mut WaitingLayers,
}

/// A model with a list of layers that may wait.
pub trait StreamedLayers {
    /// The list.
    fn layer_list(&mut self) -> LayerList<'_>;
}
