//! The emoji picture-text set: small open data to train and test multilingual
//! multimodal models with.
//!
//! 912 things (animals, food, vehicles, everyday objects, hearts, shapes) drawn
//! in up to seven styles at 64 pixels, and named in thirteen languages. The
//! packed set, its licences and the command that builds it are described in
//! `docs/emoji-set.md`; [`build`](fn@build) makes it from npm packages,
//! [`EmojiSet::open`] reads it.
//!
//! - [`Concept`]: one thing, with CLDR's words as published.
//! - [`Naming`]: clean names for "What is this?", checked by hand in English and
//!   Chinese.
//! - [`Split`]: which pictures may be trained on.
//! - [`Scene`]: one to four emoji on a ground, drawn by [`EmojiSet::compose`].
//! - [`Tasks`]: training samples for the three stages, and evaluation questions.
//!
//! ```no_run
//! use mpm_data::emoji::{EmojiSet, Language, Split, TaskOptions, Tasks};
//!
//! # fn main() -> Result<(), mpm_data::DataError> {
//! let set = EmojiSet::open("examples/build-emoji-set/emoji.tar.zst")?;
//! let tasks = Tasks::new(&set, &TaskOptions { names: 400, ..TaskOptions::default() })?;
//! let sample = tasks.instruction(0, 7, Language::Chinese)?;
//! let picture = set.compose(&sample.picture.expect("instructions have a picture"))?;
//! println!("{} {} ({} pixels)", sample.question, sample.answer, picture.width());
//! let questions = tasks.naming_questions(Split::HeldOutPair, Language::English)?;
//! # Ok(())
//! # }
//! ```

mod build;
mod category;
mod colour;
mod concept;
mod error;
mod language;
mod naming;
mod naming_cldr;
mod naming_table;
mod scene;
mod set;
mod split;
mod style;
mod tasks;
mod templates;

pub use build::{BuildReport, build};
pub use category::Category;
pub use colour::Colour;
pub use concept::{Concept, ConceptText};
pub use error::EmojiError;
pub use language::Language;
pub use naming::{NameClass, Naming};
pub use scene::{Placed, Scene};
pub use set::{EmojiSet, MAX_UNPACKED_BYTES};
pub use split::Split;
pub use style::{Style, StyleFamily};
pub use tasks::{EVALUATION_GROUND, NamingQuestion, Sample, TaskKind, TaskOptions, Tasks};
pub use templates::TASK_LANGUAGES;
