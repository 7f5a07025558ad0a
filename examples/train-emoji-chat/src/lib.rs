//! Training of small VisCPM-Chats on the emoji picture-text set.
//!
//! A [`Recipe`] has all settings; [`RunStage`] runs one of the stages, from its newest checkpoint
//! where there is one; [`Respondent`] asks the result about pictures. `docs/small-model.md`
//! explains the stages.

mod alignment;
mod imagined;
mod names;
mod objective;
mod pictures;
mod recipe;
mod respondent;
mod source;
mod stages;
mod vocabulary;

pub use names::{NameEmbeddings, Names};
pub use recipe::{LanguagePlan, Recipe};
pub use respondent::Respondent;
pub use stages::{RunStage, StageName};
