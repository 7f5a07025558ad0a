//! Training of multilingual multimodal models.
//!
//! The [`Trainer`] knows no model: an [`Objective`] turns a model and a batch
//! into a loss, a [`DataSource`] delivers the batches, [`Callback`]s watch and
//! may stop the run. Which parameters train is a property of the model itself,
//! set beforehand with [`freeze`](freeze::freeze) or
//! [`train_only`](freeze::train_only).
//!
//! A run interrupted at any step and resumed from its newest checkpoint gives
//! the parameters of the uninterrupted run, bit for bit on one backend, because
//! all that a step depends on is either stored (parameters, their average, moments of the
//! optimizer, scale of the loss, position in the data) or a function of the step's number
//! (learning rate, random numbers).

mod accumulate;
pub mod alignment;
mod average;
pub mod checkpoint;
mod clock;
pub mod data;
mod difference;
pub mod diffusion;
#[cfg(feature = "distributed")]
pub mod distributed;
pub mod error;
pub mod evaluate;
pub mod evaluator;
mod folder_lock;
pub mod freeze;
pub mod gradient;
pub mod language;
mod leaves;
mod left_out;
pub mod lora;
pub mod loss_scale;
pub mod memory;
pub mod metrics;
pub mod objective;
pub mod optimizer;
pub mod pattern;
pub mod peers;
pub mod picture_metrics;
pub mod precision;
pub mod prefetch;
pub mod recipe;
pub mod report;
pub mod schedule;
pub mod spike;
pub mod trainer;
pub mod workers;

pub use accumulate::MAX_UNCOUNTED_BATCHES;
pub use checkpoint::CheckpointStore;
pub use data::DataSource;
pub use error::{BoxError, TrainError};
pub use evaluator::{Better, Evaluator};
pub use lora::LoraTargets;
pub use loss_scale::LossScaling;
pub use memory::MemoryEstimate;
pub use objective::{CountedTargets, LossOutput, Objective, language_model_loss};
pub use optimizer::{Algorithm, OptimizerConfig, ParameterGroup};
pub use peers::Peers;
pub use precision::ComputePrecision;
pub use prefetch::Prefetch;
pub use report::{Callback, StepReport};
pub use schedule::{Decay, Schedule};
pub use spike::SpikeLimit;
pub use trainer::{Outcome, Trained, Trainer, TrainerConfig};
pub use workers::Workers;
