//! placeholder
mod build;
mod category;
mod concept;
mod error;
mod language;
mod naming;
mod naming_table;
mod scene;
mod set;
mod split;
mod style;

pub use build::{BuildReport, build};
pub use category::Category;
pub use concept::{Concept, ConceptText};
pub use error::EmojiError;
pub use language::Language;
pub use naming::{NameClass, Naming};
pub use scene::{Placed, Scene};
pub use set::{EmojiSet, MAX_UNPACKED_BYTES};
pub use split::Split;
pub use style::{Style, StyleFamily};
