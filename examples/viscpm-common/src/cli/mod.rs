//! What the programs do alike.

pub mod failure;
mod hub;
mod interrupt;
pub mod lines;
mod load;
mod output;

use std::error::Error;

pub use hub::{hub_config, resolve, resolve_model};
pub use interrupt::Interrupt;
pub use load::{DtypeArg, find_model, note_waiting, with_progress};
pub use output::{note, show};

/// Whatever ends a program.
pub type BoxError = Box<dyn Error + Send + Sync>;
