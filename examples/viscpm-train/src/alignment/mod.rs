//! Bringing the languages of a small language model together: what the paper presupposes.

mod pairs;
mod stage;

pub use pairs::PairSource;
pub use stage::AlignmentStage;
