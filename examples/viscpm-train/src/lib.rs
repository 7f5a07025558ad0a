//! Training of VisCPM-Chat and VisCPM-Paint from a recipe.
//!
//! A [`Stage`] knows what a model is made of and what it learns from; [`TrainJob`] runs any of
//! them: on one device or several, from the beginning or from the newest checkpoint, or only as
//! far as it takes to show what would be done. `docs/training.md` is the guide.

pub mod alignment;
pub mod chat;
mod dry_run;
mod error;
mod evaluation;
mod job;
pub mod paint;
mod parts;
mod progress;
mod ready;
mod source;
mod stage;
mod workers;

pub use dry_run::DryRun;
pub use error::RunError;
pub use job::{ADAPTER_FOLDER, Finished, MODEL_FOLDER, TrainJob, TrainOptions};
pub use source::{BatchPosition, BatchSource, Collate, DataShare, Prepare};
pub use stage::{Preview, Stage};
