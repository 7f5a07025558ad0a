//! Training of small VisCPM-Paints on the emoji picture-text set.
//!
//! A [`Recipe`] has all settings; [`RunStage`] runs one of the stages, from its newest checkpoint
//! where there is one; [`Exam`] paints and judges. `docs/small-paint-model.md` explains the stages.

mod autoencoder;
mod exam;
mod folders;
mod judge;
mod latents;
mod painter;
mod recipe;
mod sheet;
mod stages;
mod states;
mod things;

pub use exam::Exam;
pub use folders::{Folders, StageName};
pub use judge::Judge;
pub use recipe::Recipe;
pub use sheet::write_sheet;
pub use stages::RunStage;
pub use states::agreement;
pub use things::Things;
