//! What can go wrong between a model folder and a picture.

use std::path::PathBuf;

use mpm_core::{
    lora::LoraError, model_folder::FolderError, pretrained::PretrainedError, weights::WeightsError,
};
use mpm_data::picture::PictureError;
use mpm_diffusion::{DiffusionError, schedule::ScheduleError};
use mpm_llm::LlmError;
use mpm_vision::VisionError;

/// Why a model could not be loaded or a picture not be painted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PaintError {
    /// The model folder or its configuration.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// The configuration contradicts itself or its files.
    #[error("{reason}")]
    Config {
        /// What contradicts what, and how to mend it.
        reason: String,
    },

    /// The checkpoint belongs to VisCPM-Chat.
    #[error(
        "{}: this is a VisCPM-Chat checkpoint (it has `vpm.*`); VisCPM-Paint needs the paint \
         checkpoint, with `llm.*`, `unet.*` and `trans_block.*`",
        path.display()
    )]
    ChatCheckpoint {
        /// The file.
        path: PathBuf,
    },

    /// A single file that is not Stable Diffusion 1 or 2.
    #[error(
        "{}: this is no single file of Stable Diffusion 1 or 2: it has neither \
         `cond_stage_model.transformer.text_model.*` nor `cond_stage_model.model.*`; name one that \
         has, a folder of diffusers, or a model folder",
        path.display()
    )]
    NotStableDiffusion {
        /// The file.
        path: PathBuf,
    },

    /// There is no folder with a tokenizer.
    #[error(
        "{}: there is no such folder; name one with vocab.json and merges.txt, or with \
         tokenizer.json",
        path.display()
    )]
    NoTokenizer {
        /// What was named.
        path: PathBuf,
    },

    /// The weights could not be read, or they belong to another model.
    #[error(transparent)]
    Weights(#[from] WeightsError),

    /// The adapters could not be read, or they belong to another model.
    #[error(transparent)]
    Lora(#[from] LoraError),

    /// There is nothing to paint.
    #[error("the prompt is empty; say what is to be painted")]
    EmptyPrompt,

    /// The prompt is longer than the model reads.
    #[error("{what} has {tokens} tokens, but at most {limit} are read; shorten it")]
    PromptTooLong {
        /// Which of the two.
        what: &'static str,
        /// Its length.
        tokens: usize,
        /// The limit: `max_prompt_tokens` of VisCPM-Paint's configuration, and of CLIP what it
        /// reads between its first token and its last.
        limit: usize,
    },

    /// A size that no picture can have.
    #[error(
        "the size {width}x{height} cannot be painted: both sides must be multiples of {multiple} \
         from {multiple} to {limit}"
    )]
    Size {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// Pixels of a latent pixel.
        multiple: usize,
        /// The longest side.
        limit: usize,
    },

    /// A mask or a picture to begin with that has another size than what is to be painted.
    #[error(
        "{what} has {}x{} pixels, but the picture to paint {}x{}; resize it or ask for its size",
        found[0], found[1], expected[0], expected[1]
    )]
    OtherSize {
        /// Which of the two.
        what: &'static str,
        /// Width and height to be painted.
        expected: [usize; 2],
        /// Its width and height.
        found: [usize; 2],
    },

    /// No picture was asked for.
    #[error("the number of pictures is 0; ask for at least one")]
    NoPictures,

    /// A number of pictures that no job has.
    #[error("{what} is {value}, but must be 1 to {limit}")]
    Count {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The largest that is possible.
        limit: u64,
    },

    /// Candidates without a model that chooses among them.
    #[error("to choose among {candidates} candidates takes Chinese-CLIP; open a `PictureChooser`")]
    NoChooser {
        /// Candidates for each picture.
        candidates: u64,
    },

    /// What is written in a file is no recipe of a picture.
    #[error("this is no picture with a recipe of VisCPM-Paint: {reason}")]
    Recipe {
        /// What is missing or wrong.
        reason: String,
    },

    /// A picture to begin with is another one than its recipe says.
    #[error("{what} is another picture than {file}, which the recipe was written with")]
    OtherPicture {
        /// Which of the two.
        what: &'static str,
        /// Its name when the recipe was written.
        file: String,
    },

    /// The folder of an autoencoder, a checker or a chooser, or the tokenizer of the language model.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),

    /// A checker or a chooser failed.
    #[error(transparent)]
    Vision(#[from] VisionError),

    /// What came out of the model is no picture.
    #[error(transparent)]
    Picture(#[from] PictureError),

    /// The tokenizer or the language model failed.
    #[error(transparent)]
    Llm(#[from] LlmError),

    /// The diffusion model failed.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
}

impl From<ScheduleError> for PaintError {
    fn from(error: ScheduleError) -> Self {
        Self::Diffusion(error.into())
    }
}
