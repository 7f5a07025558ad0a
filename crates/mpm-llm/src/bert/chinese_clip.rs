//! The texts' side of Chinese-CLIP, with which VisCPM-Paint chooses among candidates.

use std::path::Path;

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{TorchLinear, normalize_rows},
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder, part_of_config},
    weights::{KeyMap, LoadOptions, load},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{config::BertConfig, input::BertInput, model::Bert, tokenizer::BertTokenizer};
use crate::{LlmError, check::check_sizes};

/// [`ChineseClipTextConfig::projection_dim`] where a file leaves it out.
const DEFAULT_PROJECTION_DIM: usize = 512;

/// What `config.json` of a Chinese-CLIP model says about its text side.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct ChineseClipTextConfig {
    /// The text tower, RoBERTa-wwm.
    pub text_config: BertConfig,
    /// Width of the embeddings in which pictures and texts are compared.
    pub projection_dim: usize,
}

impl TryFrom<Map<String, Value>> for ChineseClipTextConfig {
    type Error = serde_json::Error;

    fn try_from(file: Map<String, Value>) -> Result<Self, Self::Error> {
        Ok(Self {
            text_config: part_of_config(&file, "text_config")?,
            projection_dim: match file.get("projection_dim") {
                Some(width) => serde_json::from_value(width.clone())?,
                None => DEFAULT_PROJECTION_DIM,
            },
        })
    }
}

/// Embeds texts as ids. Parameters carry the names of the whole model's checkpoint.
#[derive(Module, Debug)]
pub struct ChineseClipText<B: Backend> {
    /// BERT without a pooler.
    pub text_model: Bert<B>,
    /// Projection to the width of the embeddings, without a bias.
    pub text_projection: TorchLinear<B>,
}

impl<B: Backend> ChineseClipText<B> {
    /// A tower with random weights.
    ///
    /// # Errors
    /// See [`BertConfig::validate`]; [`LlmError::Config`] for embeddings of no width that a model
    /// can have.
    pub fn new(config: &ChineseClipTextConfig, device: &B::Device) -> Result<Self, LlmError> {
        let (text, width) = (&config.text_config, config.projection_dim);
        check_sizes([("projection_dim", width)])?;
        Ok(Self {
            text_model: text.init(device)?,
            text_projection: TorchLinear::new(text.hidden_size, width, device).without_bias(),
        })
    }

    /// How a file's names lead to the parameters, beside [`Bert::checkpoint_keys`].
    ///
    /// | in the file | why it is not used |
    /// |---|---|
    /// | `vision_model.*`, `visual_projection.*` | the other tower |
    /// | `logit_scale` | a factor of the scores, which are computed beside the other tower |
    /// | `text_model.pooler.*` | texts are their `[CLS]` states |
    pub fn checkpoint_keys(config: &ChineseClipTextConfig) -> KeyMap {
        Bert::<B>::checkpoint_keys("text_model", config.text_config.num_hidden_layers)
            .unused("vision_model")
            .unused("visual_projection")
            .unused("logit_scale")
            .unused("text_model.pooler")
    }
}

impl<B: MpmBackend> ChineseClipText<B> {
    /// Texts as embeddings of length 1, in f32.
    ///
    /// # Shapes
    /// - output: `[texts, projection_dim]`
    ///
    /// # Errors
    /// As [`BertEmbeddings::forward`](super::BertEmbeddings::forward).
    pub fn text_embeds(&self, input: &BertInput) -> Result<Tensor<B, 2>, LlmError> {
        let states = self.text_model.forward(input)?;
        let pooled = self.text_model.pool(states);
        Ok(normalize_rows(self.text_projection.forward(pooled)))
    }
}

/// The text tower with its tokenizer.
#[derive(Clone, Debug)]
pub struct ChineseClipTextEncoder<B: Backend> {
    tower: ChineseClipText<B>,
    tokenizer: BertTokenizer,
}

impl<B: Backend> ChineseClipTextEncoder<B> {
    /// Loads the text side of a folder such as `OFA-Sys/chinese-clip-vit-base-patch16`:
    /// `config.json`, the weights as `model.safetensors` or `pytorch_model.bin`, and the tokenizer,
    /// see [`BertTokenizer::open`].
    ///
    /// The keys of `options` are not used: this module knows the names.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(folder)?;
        let config: ChineseClipTextConfig = folder.config()?;
        let tower = ChineseClipText::new(&config, device)
            .map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let tokenizer = BertTokenizer::open(&folder, &config.text_config)?;
        let options = LoadOptions {
            keys: ChineseClipText::<B>::checkpoint_keys(&config),
            ..options.clone()
        };
        Ok(Self {
            tower: load(tower, &folder.weights()?, &options)?,
            tokenizer,
        })
    }
}

impl<B: MpmBackend> ChineseClipTextEncoder<B> {
    /// Texts as embeddings of length 1, in f32. The ends of texts that are longer than the model
    /// can read have no effect.
    ///
    /// # Shapes
    /// - output: `[texts, projection_dim]`
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without texts, [`LlmError::Tokenization`].
    pub fn embed(&self, texts: &[&str]) -> Result<Tensor<B, 2>, LlmError> {
        let encoding = self.tokenizer.encode(texts)?;
        self.tower.text_embeds(&encoding.input)
    }
}
