//! What can go wrong between a model folder and an answer.

use std::path::PathBuf;

use mpm_core::{
    lora::LoraError, model_folder::FolderError, pretrained::PretrainedError, weights::WeightsError,
};
use mpm_data::DataError;
use mpm_llm::LlmError;
use mpm_vision::{VisionError, clip::SafetyReport};

/// Why a model could not be loaded or a question not be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The model folder or its configuration.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// The configuration contradicts itself or its files.
    #[error("{reason}")]
    Config {
        /// What contradicts what, and how to mend it.
        reason: String,
    },

    /// The checkpoint belongs to VisCPM-Paint.
    #[error(
        "{}: this is a VisCPM-Paint checkpoint (it has `unet.*`); VisCPM-Chat needs the chat \
         checkpoint, with `llm.*`, `vpm.*`, `query` and `mapping.*`",
        path.display()
    )]
    PaintCheckpoint {
        /// The file.
        path: PathBuf,
    },

    /// The weights could not be read, or they belong to another model.
    #[error(transparent)]
    Weights(#[from] WeightsError),

    /// The adapters could not be read, or they belong to another model.
    #[error(transparent)]
    Lora(#[from] LoraError),

    /// A picture could not be read.
    #[error(transparent)]
    Picture(#[from] DataError),

    /// There is nothing to answer.
    #[error("the question is empty; say what you want to know")]
    EmptyQuestion,

    /// The safety checker flagged a picture, which is not shown to the model.
    #[error("the picture is refused: {report}; show another one")]
    PictureRefused {
        /// What was found.
        report: SafetyReport,
    },

    /// The folder of the safety checker, or the tokenizer of the model.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),

    /// The picture encoder refused its input.
    #[error(transparent)]
    Vision(#[from] VisionError),

    /// The tokenizer, the language model or decoding failed.
    #[error(transparent)]
    Llm(#[from] LlmError),
}
