//! Figures of answers, by task and language.

mod captions;
mod keywords;
mod language;
mod report;
mod row;

pub use captions::CaptionFigures;
pub use report::{AnswerReport, score};
pub use row::Row;
