//! A model as a folder, and the official checkpoint as a single file.
//!
//! A folder holds
//!
//! - `config.json`: a [`ModelConfig`],
//! - the weights, as safetensors under the official checkpoint's names,
//! - the vocabulary in CPM-Bee's published format, a token a line.
//!
//! Every file is written beside its place and moved there when it is whole;
//! `config.json` comes last, so a folder that has it is complete.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use burn::tensor::{DType, backend::Backend};
use mpm_core::weights::{LoadOptions, Precision, WeightFile, WeightsError, load, save};
use mpm_data::picture::PicturePreprocessor;
use mpm_llm::{decoding::DecodingParams, tokenizer::CpmBeeTokenizer};
use serde::{Deserialize, Serialize};

use crate::{
    ChatError, VisCpmChat,
    model::{VisCpmChatConfig, checkpoint_keys},
};

/// The name of the configuration within a model folder.
pub const CONFIG_FILE: &str = "config.json";

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
    /// A configuration with the reference's limits and decoding; the pictures'
    /// size follows the encoder's.
    ///
    /// # Errors
    /// [`ChatError::Config`] when the encoder's picture size is 0 or does not
    /// fit into 32 bits.
    pub fn new(model: VisCpmChatConfig) -> Result<Self, ChatError> {
        let size = u32::try_from(model.visual.encoder.image_size)
            .ok()
            .and_then(std::num::NonZeroU32::new)
            .ok_or_else(|| ChatError::Config {
                reason: format!(
                    "`visual.encoder.image_size` is {}, which is no picture size",
                    model.visual.encoder.image_size
                ),
            })?;
        Ok(Self {
            format_version: FORMAT_VERSION,
            model,
            preprocessing: PicturePreprocessor::new(size),
            weights: "model.safetensors".into(),
            vocabulary: "vocab.txt".into(),
            max_prompt_tokens: MAX_PROMPT_TOKENS,
            decoding: DecodingParams::default(),
        })
    }
}

/// The reference's `max_inp_length`.
const MAX_PROMPT_TOKENS: usize = 3000;

/// A model with everything that it takes to use it.
#[derive(Clone, Debug)]
pub struct ChatModel<B: Backend> {
    /// The weights.
    pub model: VisCpmChat<B>,
    /// From text to ids.
    pub tokenizer: CpmBeeTokenizer,
    /// All the rest.
    pub config: ModelConfig,
}

impl<B: Backend> ChatModel<B> {
    /// Loads a model folder.
    ///
    /// # Errors
    /// [`ChatError`] names the file and what is wrong with it.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, ChatError> {
        let folder = folder.as_ref();
        let config = read_config(&folder.join(CONFIG_FILE))?;
        let tokenizer = CpmBeeTokenizer::from_file(folder.join(&config.vocabulary))?;
        let weights = folder.join(&config.weights);
        Self::load(&weights, tokenizer, config, device, options)
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
        let tokenizer = CpmBeeTokenizer::from_file(vocabulary)?;
        Self::load(checkpoint.as_ref(), tokenizer, config, device, options)
    }

    fn load(
        weights: &Path,
        tokenizer: CpmBeeTokenizer,
        config: ModelConfig,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, ChatError> {
        let vocabulary = tokenizer.vocab_size();
        if vocabulary != config.model.llm.vocab_size {
            return Err(ChatError::Config {
                reason: format!(
                    "the vocabulary has {vocabulary} tokens, but the model was trained with {} \
                     (`llm.vocab_size`); use the vocabulary that came with the weights",
                    config.model.llm.vocab_size
                ),
            });
        }
        let file = WeightFile::open(weights)?;
        let options = LoadOptions {
            keys: checkpoint_keys(),
            ..options.clone()
        };
        let model = load(config.model.init(device)?, &file, &options).map_err(|error| {
            let is_paint =
                |file: &WeightFile| file.tensors().keys().any(|key| key.starts_with("unet."));
            match error {
                WeightsError::Mismatch { .. } if is_paint(&file) => ChatError::PaintCheckpoint {
                    path: weights.to_path_buf(),
                },
                other => other.into(),
            }
        })?;
        Ok(Self {
            model,
            tokenizer,
            config,
        })
    }

    /// Writes a model folder, with floating-point weights in `dtype`.
    ///
    /// # Errors
    /// [`ChatError::Io`] and [`ChatError::Weights`] when the folder cannot be
    /// written; an older model in it stays usable.
    pub fn save(&self, folder: impl AsRef<Path>, dtype: DType) -> Result<(), ChatError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|error| ChatError::io(folder, error))?;
        let vocabulary = self.tokenizer.vocabulary().to_file_content();
        write_atomically(&folder.join(&self.config.vocabulary), vocabulary.as_bytes())?;
        save(
            &self.model,
            folder.join(&self.config.weights),
            &checkpoint_keys(),
            Precision::Cast(dtype),
        )?;
        let path = folder.join(CONFIG_FILE);
        let mut json =
            serde_json::to_vec_pretty(&self.config).map_err(|source| ChatError::ConfigSyntax {
                path: path.clone(),
                source,
            })?;
        json.push(b'\n');
        write_atomically(&path, &json)
    }
}

fn read_config(path: &Path) -> Result<ModelConfig, ChatError> {
    let text = fs::read(path).map_err(|error| ChatError::io(path, error))?;
    let config: ModelConfig =
        serde_json::from_slice(&text).map_err(|source| ChatError::ConfigSyntax {
            path: path.to_path_buf(),
            source,
        })?;
    if config.format_version > FORMAT_VERSION {
        return Err(ChatError::Config {
            reason: format!(
                "{}: format version {} is newer than this program's {FORMAT_VERSION}; update it",
                path.display(),
                config.format_version
            ),
        });
    }
    Ok(config)
}

fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ChatError> {
    let io = |error| ChatError::io(path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}
