//! What a recipe's assembly has to offer for a run.

use std::path::Path;

use burn::{backend::Autodiff, module::AutodiffModule};
use mpm_core::{MpmBackend, nn::LinearLayers, weights::KeyMap};
use mpm_data::picture::Picture;
use mpm_train::{BoxError, DataSource, Objective, recipe::Recipe};

use crate::DataShare;

/// What a stage learns from, and how, on one device.
pub trait Stage<B: MpmBackend>: Sized + Send + 'static {
    /// What trains, and what is frozen beside it.
    type Model: AutodiffModule<Autodiff<B>> + LinearLayers<Autodiff<B>> + 'static;
    /// What one forward pass takes.
    type Batch: Send + 'static;
    /// What is minimised.
    type Objective: Objective<Autodiff<B>, Model = Self::Model, Batch = Self::Batch>
        + Clone
        + Send
        + 'static;
    /// Where batches come from.
    type Source: DataSource<Batch = Self::Batch, Position: Send> + Send + 'static;

    /// Loads the model that the recipe starts from.
    ///
    /// # Errors
    /// When the recipe does not suit the model, or it cannot be read.
    fn open(recipe: &Recipe, device: &B::Device) -> Result<Self, BoxError>;

    /// The model, before anything is frozen.
    fn model(&self) -> Self::Model;

    /// What is minimised.
    fn objective(&self) -> Self::Objective;

    /// A part of the data.
    ///
    /// # Errors
    /// When its files are not there or not in their format.
    fn source(&self, share: &DataShare) -> Result<Self::Source, BoxError>;

    /// About how many bytes a forward pass keeps for its gradients.
    fn activations(&self, recipe: &Recipe) -> u64;

    /// What a batch shows, for people.
    fn preview(&self, batch: &Self::Batch) -> Preview;

    /// How the names of the official checkpoint lead to the model's parameters.
    fn checkpoint_keys() -> KeyMap;

    /// Writes the trained model as a folder that the programs read.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save(&self, model: Self::Model, folder: &Path) -> Result<(), BoxError>;
}

/// What a batch shows, for people.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The pictures as the model sees them.
    pub pictures: Vec<Picture>,
    /// What is read and what is learnt, a text for each row.
    pub texts: Vec<String>,
}
