//! What can go wrong in training.

use std::path::{Path, PathBuf};

use mpm_core::{lora::LoraError, weights::WeightsError};
use mpm_llm::LlmError;

/// An error of a caller's own [`Objective`](crate::Objective),
/// [`DataSource`](crate::DataSource) or [`Callback`](crate::Callback).
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is out of range.
    #[error("setting `{name}` is {value}, but must be {expected}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// The range of sound values.
        expected: &'static str,
    },

    /// Logits and targets do not describe the same positions.
    #[error("logits of shape {logits:?} do not fit targets of shape {targets:?}")]
    TargetShape {
        /// Shape of the logits, vocabulary last.
        logits: Vec<usize>,
        /// Shape of the targets.
        targets: [usize; 2],
    },

    /// A target is negative, but not the ignored value.
    #[error("target {target} is negative: only -100 marks a position that does not count")]
    TargetNegative {
        /// The target.
        target: i64,
    },

    /// A target is larger than the vocabulary.
    #[error("target {target} is not a class: the logits have only {classes}")]
    TargetRange {
        /// The target.
        target: i64,
        /// Number of classes.
        classes: usize,
    },

    /// A pattern of module paths selects nothing.
    #[error("pattern `{pattern}` matches no {what}; the model's first {what}s are {examples}")]
    PatternUnused {
        /// The pattern.
        pattern: String,
        /// What was to be matched.
        what: &'static str,
        /// A few paths of the model.
        examples: String,
    },

    /// All parameters of the model are frozen.
    #[error("the model has no trainable parameter: unfreeze at least one module")]
    NothingTrains,

    /// The loss or the gradient is infinite or not a number.
    #[error(
        "{quantity} is {value} at step {step}: the parameters were not updated and the last \
         checkpoint is intact; lower the learning rate, clip the gradient or look at the batch"
    )]
    NonFinite {
        /// `loss` or `gradient norm`.
        quantity: &'static str,
        /// Its value.
        value: f64,
        /// The step, counted from 1.
        step: usize,
    },

    /// The loss stayed far above what it was.
    #[error(
        "the loss is {loss} at step {step}, far above its running mean of {mean}: the parameters \
         were not updated and the last checkpoint is intact; resume from it with a lower learning \
         rate, or look at the batches before this step"
    )]
    LossSpike {
        /// The loss.
        loss: f64,
        /// The running mean of the losses before.
        mean: f64,
        /// The step, counted from 1.
        step: usize,
    },

    /// Gradients overflow however little the loss is scaled.
    #[error(
        "the gradient overflows in f16 at step {step}, even with the loss scaled by {scale}: the \
         last checkpoint is intact; train in bf16 or f32, or lower the learning rate"
    )]
    Overflow {
        /// The factor of the loss.
        scale: f64,
        /// The step, counted from 1.
        step: usize,
    },

    /// A parameter that trains shall not be in the checkpoints.
    #[error(
        "pattern `{pattern}` leaves the trainable parameter `{parameter}` out of the checkpoints: \
         only frozen ones can be left out"
    )]
    LeavesOutTrainable {
        /// The pattern.
        pattern: String,
        /// A parameter that it matches.
        parameter: String,
    },

    /// The evaluation failed.
    #[error("the evaluation after step {step} failed")]
    Evaluation {
        /// The step, counted from 1.
        step: usize,
        /// The evaluator's error.
        source: BoxError,
    },

    /// The loss cannot be differentiated with respect to any trainable parameter.
    #[error(
        "no gradient reached a trainable parameter at step {step}: the loss does not depend on \
         what trains"
    )]
    NoGradient {
        /// The step, counted from 1.
        step: usize,
    },

    /// Batch after batch had nothing that counts towards the loss.
    #[error(
        "{batches} batches in a row before step {step} had no target that counts; are all \
         targets ignored?"
    )]
    NothingCounts {
        /// Number of batches.
        batches: usize,
        /// The step, counted from 1.
        step: usize,
    },

    /// The states of two languages cannot be compared.
    #[error(
        "states of shapes {first:?} and {second:?} cannot be compared: both must be \
         [sentences, width], the same and of at least 2 sentences"
    )]
    StatesShape {
        /// Shape of the first language's states.
        first: [usize; 2],
        /// Shape of the second language's.
        second: [usize; 2],
    },

    /// States that two languages are compared by are no numbers.
    #[error(
        "a state is infinite or not a number: look at the model's weights, or compute in a wider \
         precision"
    )]
    StatesNotFinite,

    /// There are too few parallel sentences to measure how close two languages are.
    #[error("`{first}` and `{second}` share {found} sentences; give at least 2 that have both")]
    FewSentences {
        /// Code of the first language.
        first: String,
        /// Code of the second language.
        second: String,
        /// Sentences that have both.
        found: usize,
    },

    /// The template of sentences is unsound, or one for other language models.
    #[error("the prompt for sentences: {source}")]
    Template {
        /// What is wrong with it.
        #[from]
        source: LlmError,
    },

    /// The model gave no states of sentences.
    #[error("the model could not read the sentences")]
    States(#[source] BoxError),

    /// The objective failed.
    #[error("the objective failed at step {step}")]
    Objective {
        /// The step, counted from 1.
        step: usize,
        /// The objective's error.
        source: BoxError,
    },

    /// The data source failed.
    #[error("the data source failed")]
    Data(#[source] BoxError),

    /// A callback failed.
    #[error("a callback failed after step {step}")]
    Callback {
        /// The step, counted from 1.
        step: usize,
        /// The callback's error.
        source: BoxError,
    },

    /// The threads of the passes that run at the same time cannot be started.
    #[error("threads cannot be started: {0}; let fewer passes run at the same time")]
    Threads(#[from] rayon::ThreadPoolBuildError),

    /// The other workers cannot be reached.
    #[error("the other workers cannot be reached; resume all of them from the last checkpoint")]
    Peers(#[source] BoxError),

    /// Another worker has met an error.
    #[error("another worker failed, see its report; the last checkpoint is intact")]
    PeerFailed,

    /// A file is no recipe.
    #[error("{}{reason}", file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default())]
    Recipe {
        /// The file, if it comes from one.
        file: Option<PathBuf>,
        /// What is wrong where.
        reason: String,
    },

    /// A recipe was written for another version.
    #[error(
        "the recipe is of version {found}, but this program reads {expected}; {}",
        if found > expected { "update the program" } else { "write it anew, see docs/recipes.md" }
    )]
    RecipeVersion {
        /// The version in the file.
        found: u32,
        /// The version that is read.
        expected: u32,
    },

    /// The thread that prepares batches is gone.
    #[error("the thread that prepares batches stopped: {0}")]
    Worker(String),

    /// Something must be resumed, but there is no folder of checkpoints.
    #[error("there is no folder of checkpoints to resume from: give the trainer one")]
    NoCheckpoints,

    /// A new run would mix its checkpoints with those of another.
    #[error(
        "{} already holds the checkpoint of step {step}: resume from it or choose another folder",
        folder.display()
    )]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// Step of the newest checkpoint.
        step: usize,
    },

    /// Another process writes its checkpoints to the folder.
    #[error(
        "another process trains in {}: wait for its end, or choose another folder",
        folder.display()
    )]
    FolderLocked {
        /// The folder.
        folder: PathBuf,
    },

    /// The checkpoint was written by a run with other settings.
    #[error(
        "checkpoint {} was written with other settings ({difference}); use the same settings, \
         or start a new run from its parameters in another folder",
        folder.display()
    )]
    OtherSettings {
        /// The checkpoint.
        folder: PathBuf,
        /// The names of the settings that differ.
        difference: String,
    },

    /// The parameters of a checkpoint could not be written, read or fitted to the model.
    #[error(transparent)]
    Weights(#[from] WeightsError),

    /// Adapters could not be attached, written or read.
    #[error(transparent)]
    Lora(#[from] LoraError),

    /// All adapters are frozen, so that they would change nothing.
    #[error(
        "`lora` gives the model adapters, but none of them trains: add \"**.lora\" to `trainable`, \
         or leave `lora` out"
    )]
    AdaptersFrozen,

    /// The files of a checkpoint do not fit the run or the program.
    #[error("checkpoint {} does not fit: {reason}", folder.display())]
    CheckpointMismatch {
        /// The checkpoint.
        folder: PathBuf,
        /// What does not fit.
        reason: String,
    },

    /// A checkpoint was not written to its end, or has lost a part of a file since.
    #[error(
        "checkpoint {} is incomplete: {reason}; delete it, and use an earlier one",
        folder.display()
    )]
    CheckpointIncomplete {
        /// The checkpoint.
        folder: PathBuf,
        /// What lacks.
        reason: String,
    },

    /// A parameter could not be read from its device.
    #[error("parameter `{path}` cannot be read: {reason}")]
    Parameter {
        /// Its path in the model.
        path: String,
        /// What the library says.
        reason: String,
    },

    /// The optimizer's moments could not be written or read.
    #[error("file {}: {reason}", file.display())]
    Record {
        /// The file.
        file: PathBuf,
        /// What the library says.
        reason: String,
    },

    /// A file is not the JSON that it should be.
    #[error("file {}: not valid", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },

    /// A file could not be read or written.
    #[error("cannot {action} {}", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl TrainError {
    /// Wraps a system error with the action and the file; made for `map_err`.
    pub(crate) fn io(action: &'static str, file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io {
            action,
            file,
            source,
        }
    }

    /// Wraps a JSON error with the file; made for `map_err`.
    pub(crate) fn json(file: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Json { file, source }
    }
}
