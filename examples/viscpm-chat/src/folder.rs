//! A model as a folder, and the official checkpoint as a single file.
//!
//! A folder holds
//!
//! - `config.json`: a [`ModelConfig`],
//! - the weights, as safetensors under the official checkpoint's names,
//! - the vocabulary in CPM-Bee's published format, a token a line; for a model of the LLaMA family
//!   its `tokenizer.json` and the files beside it.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, backend::Backend};
use mpm_core::{
    lora,
    model_folder::{CONFIG_FILE, FolderWriter, read_config},
    weights::{LoadOptions, Precision, WeightFile, WeightsError, load_streamed, save},
};
use mpm_data::picture::PicturePreprocessor;
use mpm_llm::{
    any::{AnyLlmConfig, AnyTokenizer},
    decoding::DecodingParams,
};
use mpm_vision::VisualModuleConfig;
use serde::{Deserialize, Serialize};

use crate::{ChatError, VisCpmChat, VisCpmChatConfig, model::checkpoint_keys};

const WEIGHTS_FILE: &str = "model.safetensors";
const VOCABULARY_FILE: &str = "vocab.txt";

/// The version that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// What `config.json` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// [`FORMAT_VERSION`] of the writer.
    pub format_version: u32,
    /// The sizes of the model.
    pub model: VisCpmChatConfig,
    /// How pictures are prepared.
    pub preprocessing: PicturePreprocessor,
    /// The weights' file, relative to the folder.
    pub weights: PathBuf,
    /// The vocabulary's file, relative to the folder.
    pub vocabulary: PathBuf,
    /// The longest prompt in tokens, the picture's included.
    pub max_prompt_tokens: usize,
    /// The decoding that the model was tuned for.
    pub decoding: DecodingParams,
}

impl ModelConfig {
    /// The longest prompt by default, the reference's `max_inp_length`.
    pub const MAX_PROMPT_TOKENS: usize = 3000;

    /// A configuration with the reference's limits and decoding; the pictures'
    /// size follows the encoder's.
    ///
    /// # Errors
    /// [`ChatError::Config`] when the encoder's picture size is 0 or does not
    /// fit into 32 bits.
    pub fn new(model: VisCpmChatConfig) -> Result<Self, ChatError> {
        Ok(Self {
            format_version: FORMAT_VERSION,
            preprocessing: Self::preprocessing_of(&model.visual)?,
            model,
            weights: WEIGHTS_FILE.into(),
            vocabulary: VOCABULARY_FILE.into(),
            max_prompt_tokens: Self::MAX_PROMPT_TOKENS,
            decoding: DecodingParams::default(),
        })
    }

    /// The reference's way to prepare pictures, of the size that an encoder takes.
    pub(crate) fn preprocessing_of(
        visual: &VisualModuleConfig,
    ) -> Result<PicturePreprocessor, ChatError> {
        let image_size = visual.image_size();
        let size = u32::try_from(image_size)
            .ok()
            .and_then(std::num::NonZeroU32::new)
            .ok_or_else(|| ChatError::Config {
                reason: format!(
                    "`visual.encoder.image_size` is {image_size}, which is no picture size"
                ),
            })?;
        Ok(PicturePreprocessor::new(size))
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ChatError`] names the file and what is wrong with it.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, ChatError> {
        let path = file.as_ref();
        let wrong = |reason: String| ChatError::Config {
            reason: format!("{}: {reason}", path.display()),
        };
        let config: Self = read_config(path, FORMAT_VERSION)?;
        let (picture, encoder) = (
            config.preprocessing.size.get(),
            config.model.visual.image_size(),
        );
        if usize::try_from(picture) != Ok(encoder) {
            return Err(wrong(format!(
                "`preprocessing.size` is {picture}, but `visual.encoder.image_size` is {encoder}; \
                 make them equal"
            )));
        }
        config
            .decoding
            .validate()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(config)
    }
}

/// A model with everything that it takes to use it.
#[derive(Clone, Debug)]
pub struct ChatModel<B: Backend> {
    /// The weights.
    pub model: VisCpmChat<B>,
    /// From text to ids.
    pub tokenizer: AnyTokenizer,
    /// All the rest.
    pub config: ModelConfig,
}

impl<B: Backend> ChatModel<B> {
    /// Loads a model folder.
    ///
    /// Where `options` limit the memory, layers of the language model that find no room wait in the
    /// file; a part of the limit is kept for what is computed.
    ///
    /// # Errors
    /// [`ChatError`] names the file and what is wrong with it.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, ChatError> {
        let folder = folder.as_ref();
        let config = ModelConfig::open(folder.join(CONFIG_FILE))?;
        let (weights, vocabulary) = (
            folder.join(&config.weights),
            folder.join(&config.vocabulary),
        );
        Self::from_checkpoint(&weights, &vocabulary, config, device, options)
    }

    /// Loads an official checkpoint (`torch.save` or safetensors) of the model
    /// that `config` describes.
    ///
    /// # Errors
    /// [`ChatError`] names the file and what is wrong with it.
    pub fn from_checkpoint(
        checkpoint: impl AsRef<Path>,
        vocabulary: impl AsRef<Path>,
        config: ModelConfig,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, ChatError> {
        let checkpoint = checkpoint.as_ref();
        let file = WeightFile::open(checkpoint)?;
        let tokenizer = AnyTokenizer::open(vocabulary.as_ref(), &config.model.llm)?;
        let options = LoadOptions {
            keys: checkpoint_keys(),
            memory_limit: options.memory_limit.map(|limit| {
                let dtype = options.precision.resolve(stored_dtype(&file));
                limit.saturating_sub(reserved_memory(&config.model.llm, dtype))
            }),
            ..options.clone()
        };
        let model = load_streamed(config.model.init(device)?, &file, &options)
            .map_err(|error| explain(error, &file))?;
        Ok(Self {
            model,
            tokenizer,
            config,
        })
    }

    /// Adds the adapters of a folder, as [`mpm_core::lora`] writes them, to the weights.
    ///
    /// # Errors
    /// [`ChatError::Lora`] names the file and what is wrong with it.
    pub fn with_adapter(self, folder: impl AsRef<Path>) -> Result<Self, ChatError> {
        let adapted = lora::load(self.model, folder.as_ref(), &checkpoint_keys())?;
        Ok(Self {
            model: lora::merge(adapted),
            ..self
        })
    }

    /// Writes a model folder, with floating-point weights in `dtype`.
    ///
    /// # Errors
    /// [`ChatError::Folder`] and [`ChatError::Weights`] when the folder cannot be
    /// written; an older model in it stays usable, unless it is the moving of the complete files
    /// to their places that fails.
    pub fn save(&self, folder: impl AsRef<Path>, dtype: DType) -> Result<(), ChatError> {
        let mut writer = FolderWriter::create(folder.as_ref())?;
        let files = self.tokenizer.files()?;
        for (name, bytes) in &files {
            writer.write(name.as_ref(), bytes)?;
        }
        save(
            &self.model,
            writer.file(WEIGHTS_FILE.as_ref()),
            &checkpoint_keys(),
            Precision::Cast(dtype),
        )?;
        writer.finish(&ModelConfig {
            weights: WEIGHTS_FILE.into(),
            vocabulary: files[0].0.into(),
            ..self.config.clone()
        })?;
        Ok(())
    }
}

/// Tokens whose keys and values find room beside the weights where memory is limited: a picture,
/// its questions and answers of a few turns.
const REMEMBERED_TOKENS: usize = 1024;

/// Room for what is computed beside the weights, in bytes: logits, attention, a picture's features.
const WORKING_MEMORY: u64 = 400_000_000;

/// Bytes on the device that are not for weights, for keys and values of this dtype.
fn reserved_memory(llm: &AnyLlmConfig, dtype: DType) -> u64 {
    let remembered = llm.remembered_per_token() * REMEMBERED_TOKENS * dtype.size();
    remembered as u64 + WORKING_MEMORY
}

/// The dtype of a language model's norms in a file, which keys and values share.
fn stored_dtype(file: &WeightFile) -> DType {
    let mut norms = file.tensors().iter();
    let norm = norms.find(|(key, _)| key.starts_with("llm.") && key.ends_with("norm.weight"));
    norm.map_or(DType::F32, |(_, norm)| norm.burn_dtype())
}

/// Names the most likely mistake.
pub(crate) fn explain(error: WeightsError, file: &WeightFile) -> ChatError {
    let is_paint = file.tensors().keys().any(|key| key.starts_with("unet."));
    match error {
        WeightsError::Mismatch { .. } if is_paint => ChatError::PaintCheckpoint {
            path: file.path().to_path_buf(),
        },
        other => other.into(),
    }
}
