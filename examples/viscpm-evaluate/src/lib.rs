//! Figures of answers and of pictures, for models and data of one's own.
//!
//! The metrics are those of `mpm_train`; this crate reads files, asks models and puts the figures
//! into tables. Which figure says what, is told in `docs/evaluation.md` and
//! `docs/picture-metrics.md`.
//!
//! - [`QuestionSet`]: questions with the answers that are right. [`examine`](chat::examine) asks a
//!   chat model and keeps each answer at once in an [`AnswerFile`]; [`score`](score::score) compares
//!   the answers of any system.
//! - [`LlavaAnswer`]: the same for LLaVA's test.
//! - [`PictureSet`](paint::PictureSet): pictures with their prompts.
//!   [`measure_fit`](paint::measure_fit) compares them by CLIP,
//!   [`picture_statistics`](paint::picture_statistics) with other pictures.
//!
//! ```
//! use viscpm_evaluate::{AnswerLine, EvaluateError, QuestionSet, read_answers, score::score};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (questions, answers) = (folder.path().join("q.jsonl"), folder.path().join("a.jsonl"));
//! std::fs::write(&questions, r#"{"question": "What is this?", "answers": ["cat", "kitten"]}"#)?;
//! std::fs::write(&answers, r#"{"line": 1, "question": "What is this?", "answer": "Kitten."}"#)?;
//! let set = QuestionSet::open(&questions)?;
//! let answers = read_answers(&answers, |answer: &AnswerLine| answer.of(&set).map(drop))?;
//! let report = score(&set, set.first(None), &answers)?;
//! assert_eq!(report.rows[0].exact_match.accuracy(), Some(1.0));
//! # Ok(())
//! # }
//! ```

mod answers;
pub mod chat;
mod error;
mod json_lines;
mod language_code;
mod llava;
pub mod paint;
mod question;
pub mod score;
mod table;

pub use answers::{AnswerFile, AnswerLine, KeptAnswer, ReferenceLoss, read_answers};
pub use error::{EvaluateError, LineError};
pub use llava::{LlavaAnswer, check_llava_pictures};
pub use question::{Question, QuestionSet, Task};
