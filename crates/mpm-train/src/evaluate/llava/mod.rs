//! The test of LLaVA (Liu et al., "Visual Instruction Tuning", NeurIPS 2023, section 5.1): 90
//! questions on 30 pictures of COCO, answered by a model and judged by a stronger language model.
//!
//! The judge sees no picture: it reads captions and boxes instead, the question, a reference
//! answer and the model's answer, and gives each answer a score from 1 to 10. The result is what
//! part of the reference's score the model reaches, `100 · Σ model / Σ reference`, over the
//! questions of each category (`conv`, `detail`, `complex`) and over all; above 100 the judge
//! likes the model better.
//!
//! [`read_cases`] reads LLaVA's published files, or such in the same layout, and puts together
//! what belongs together; [`judge_cases`] asks an [`AnswerJudge`], keeps its replies in a
//! [`JudgeCache`] and writes a [`LlavaReport`]. Judges are [`ChatEndpoint`], a model behind an
//! HTTP endpoint in OpenAI's layout, and [`CommandJudge`], a command.
//!
//! Figures depend on the judge and on the wording of the [prompt](judge_prompt), which is not
//! LLaVA's: compare models by the same judge only, not with published tables.

mod cache;
mod case;
mod chat;
mod command;
mod error;
mod files;
mod judge;
mod prompt;
mod report;
mod run;
mod scores;

pub use cache::JudgeCache;
pub use case::{Case, cases, read_cases};
pub use chat::{ChatEndpoint, ChatOptions};
pub use command::CommandJudge;
pub use error::LlavaError;
pub use files::{Answer, Context, Instance, Question, read_lines};
pub use judge::{AnswerJudge, JudgeError};
pub use prompt::{JudgeLanguage, judge_prompt};
pub use report::{CategoryScore, JudgeFailure, Judgement, LlavaReport};
pub use run::{JudgeOptions, JudgeProgress, judge_cases};
pub use scores::{ScoreError, Scores};
