//! Files of answers, which outlive a run that was broken off.

mod answer;
mod file;

pub use answer::{AnswerLine, ReferenceLoss};
pub use file::{AnswerFile, KeptAnswer, read_answers};
