//! Why there are no figures.

use std::{io, path::PathBuf};

use mpm_core::{pretrained::PretrainedError, weights::WeightsError};
use mpm_data::{DataError, translate::LineFileError};
use mpm_llm::LlmError;
use mpm_train::{
    BoxError,
    evaluate::{MetricError, llava::LlavaError},
    picture_metrics::PictureMetricError,
};
use mpm_vision::VisionError;
use viscpm_chat::ChatError;
use viscpm_paint::PaintError;

/// What keeps an evaluation from coming to its end. Answers that were written before stay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// A file cannot be opened; the reason names it.
    #[error("{0}; check the path")]
    Open(#[source] BoxError),

    /// A file or a folder cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// A file cannot be written.
    #[error("{}: the file cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// Something is wrong with a line of a file, or with what it names.
    #[error("{}, line {line}: {source}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        source: Box<LineError>,
    },

    /// Something is wrong with a question of LLaVA's, or with its picture.
    #[error("{}, question {id}: {source}", file.display())]
    Question {
        /// The file of questions.
        file: PathBuf,
        /// The question's `question_id`.
        id: u64,
        /// What is wrong.
        source: Box<LineError>,
    },

    /// A file or a folder has nothing to work with.
    #[error("{}: there are no {what} in it", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What is needed.
        what: &'static str,
    },

    /// The folder of a CLIP model does not say of which family it is.
    #[error(
        "{}: config.json has the `model_type` {found}; it has to be \"clip\" or \"chinese_clip\", \
         as in the published folders",
        folder.display()
    )]
    ClipFamily {
        /// The folder.
        folder: PathBuf,
        /// What it says.
        found: String,
    },

    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] DataError),

    /// The file of answers cannot be used.
    #[error(transparent)]
    Answers(#[from] LineFileError),

    /// A metric of texts has no value.
    #[error(transparent)]
    Metric(#[from] MetricError),

    /// A metric of pictures has no value.
    #[error(transparent)]
    PictureMetric(#[from] PictureMetricError),

    /// The chat model cannot be used.
    #[error(transparent)]
    Chat(#[from] ChatError),

    /// The paint model cannot be used.
    #[error(transparent)]
    Paint(#[from] PaintError),

    /// LLaVA's test cannot be made.
    #[error(transparent)]
    Llava(#[from] LlavaError),

    /// The folder of a CLIP model cannot be used.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),

    /// The file of the Inception network cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),

    /// Texts cannot be embedded.
    #[error(transparent)]
    Llm(#[from] LlmError),

    /// Pictures cannot be embedded.
    #[error(transparent)]
    Vision(#[from] VisionError),
}

/// What is wrong with a line, or with what it names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is not the JSON object that it should be.
    #[error("{reason}")]
    Syntax {
        /// What is wrong, and in which column.
        reason: String,
    },

    /// No language has this code.
    #[error(
        "`{code}` is no language code; give two small letters of ISO 639-1, such as `de` or `zh`"
    )]
    UnknownLanguage {
        /// What the line has.
        code: String,
    },

    /// A text that may not be empty.
    #[error("`{key}` is empty; write something there, or leave the line out")]
    EmptyText {
        /// Its key.
        key: &'static str,
    },

    /// There is nothing to compare with.
    #[error("`answers` has no text; give at least one that is right")]
    NoAnswers,

    /// Nothing can be looked for.
    #[error("the keyword `{name}` has neither letters nor digits; give it a name")]
    EmptyKeyword {
        /// The name.
        name: String,
    },

    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] DataError),

    /// The model did not answer.
    #[error(transparent)]
    Ask(#[from] ChatError),

    /// The likelihood of the reference answer cannot be computed.
    #[error("the likelihood of the first answer cannot be computed: {0}")]
    Likelihood(#[source] BoxError),

    /// The likelihood of the reference answer is no number.
    #[error(
        "the likelihood of the first answer is {value}, which is not finite; try --dtype f32 or \
         bf16, or look at the model's weights"
    )]
    NotFinite {
        /// The loss.
        value: f64,
    },

    /// The model did not paint.
    #[error(transparent)]
    Paint(#[from] PaintError),

    /// A picture cannot be written.
    #[error("{}: the picture cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// An answer to a question that there is not.
    #[error(
        "it answers question {key}, which the data does not have; the answers belong to other data, \
         name their own"
    )]
    NoQuestion {
        /// Which question it says that it answers: its line, or LLaVA's `question_id`.
        key: u64,
    },

    /// An answer to something else.
    #[error(
        "it answers question {key} as `{found}`, but the data asks `{expected}` there; the answers \
         belong to other data, name their own"
    )]
    OtherQuestion {
        /// Which question it says that it answers.
        key: u64,
        /// The question of the answer.
        found: String,
        /// The question of the data.
        expected: String,
    },

    /// Two answers to one question.
    #[error("question {key} is answered for the second time; delete one of the two lines")]
    Twice {
        /// The question.
        key: u64,
    },

    /// An answer that came about in another way than those that are to follow.
    #[error(
        "it was not answered by this model with these options; name another file for the answers \
         (`score` compares this one as it is)"
    )]
    OtherSettings,
}
