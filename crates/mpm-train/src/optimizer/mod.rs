//! Adam and AdamW in groups of parameters.

mod config;
mod groups;

pub use config::{Algorithm, OptimizerConfig, ParameterGroup};
pub(crate) use groups::{GroupedOptimizer, ParameterIds, optimizer};
