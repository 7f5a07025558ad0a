//! A model with its tokenizer, from a folder as Hugging Face's libraries write it.

use std::path::Path;

use burn::tensor::backend::Backend;
use mpm_core::{
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{LoadOptions, load_model},
};
use serde::Deserialize;

use super::{
    chat_template::ChatTemplate, config::LlamaConfig, model::Llama, tokenizer::LlamaTokenizer,
};
use crate::{check::check_range, special_token::SpecialToken};

const GENERATION_FILE: &str = "generation_config.json";
const SETTINGS_FILE: &str = "tokenizer_config.json";

/// A model with its tokenizer.
///
/// # Examples
/// A text that goes on; [`LlamaChat`](super::LlamaChat) is for conversations.
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::backend::Flex;
/// use mpm_core::weights::LoadOptions;
/// use mpm_llm::{
///     decoding::{DecodingParams, Piece, Strategy, generate},
///     llama::{LlamaSession, PretrainedLlama},
/// };
/// # use mpm_core::weights::{KeyMap, Precision, save};
/// # use mpm_llm::llama::LlamaConfig;
/// # let temporary = tempfile::tempdir()?;
/// # let folder = temporary.path();
/// # let config = r#"{"model_type": "llama", "vocab_size": 8, "hidden_size": 32,
/// #     "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
/// #     "max_position_embeddings": 64, "eos_token_id": 7}"#;
/// # let tokenizer = r#"{"added_tokens": [], "decoder": {"type": "ByteLevel",
/// #     "add_prefix_space": false, "trim_offsets": false, "use_regex": false}, "model": {
/// #     "type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2}, "merges": []}}"#;
/// # std::fs::write(folder.join("config.json"), config)?;
/// # std::fs::write(folder.join("tokenizer.json"), tokenizer)?;
/// # let random = serde_json::from_str::<LlamaConfig>(config)?.init::<Flex>(&Default::default())?;
/// # let file = folder.join("model.safetensors");
/// # save(&random, file, &KeyMap::new(), Precision::AsStored)?;
/// // `folder` has config.json, tokenizer.json and model.safetensors.
/// let llm = PretrainedLlama::<Flex>::open(folder, &Default::default(), &LoadOptions::default())?;
/// let ids = llm.tokenizer.encode("abc")?;
/// let prompt = llm.model.embed(&ids, [1, ids.len()])?;
/// let params = DecodingParams {
///     strategy: Strategy::Greedy,
///     max_new_tokens: 4,
///     ..DecodingParams::default()
/// };
/// let mut session = LlamaSession::new(&llm.model, prompt, &llm.ends, params.max_new_tokens)?;
/// let go_on = |_: Piece<'_>| ControlFlow::Continue(());
/// let answer = generate(&mut session, &params, llm.tokenizer.text_bytes(), go_on)?;
/// assert!(answer.tokens.len() <= 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PretrainedLlama<B: Backend> {
    /// The model.
    pub model: Llama<B>,
    /// Its tokenizer.
    pub tokenizer: LlamaTokenizer,
    /// How it is chatted with; `None` for a model that was not trained to.
    pub chat_template: Option<ChatTemplate>,
    /// The tokens of which each ends an answer; none for a model that has no such token.
    pub ends: Vec<i32>,
}

/// What `generation_config.json` and `config.json` say about ends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ends {
    eos_token_id: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(i32),
    Many(Vec<i32>),
}

/// What `tokenizer_config.json` says about ends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    eos_token: Option<SpecialToken>,
}

impl<B: Backend> PretrainedLlama<B> {
    /// Opens a model folder: `config.json`, the weights in one file or several, `tokenizer.json`
    /// and, where they are there, `generation_config.json`, `tokenizer_config.json` and
    /// `chat_template.jinja`.
    ///
    /// Answers end at the tokens of `generation_config.json`, otherwise at those of `config.json`,
    /// otherwise at the tokenizer's.
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
        let config: LlamaConfig = folder.config()?;
        let tokenizer = LlamaTokenizer::open(&folder, &config)?;
        let chat_template = ChatTemplate::open(&folder)?;
        let ends = ends(&folder, &config, &tokenizer)?;
        let model = config
            .init(device)
            .map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let options = LoadOptions {
            keys: Llama::<B>::checkpoint_keys(&config),
            ..options.clone()
        };
        Ok(Self {
            model: load_model(model, &folder.weights()?, &options)?,
            tokenizer,
            chat_template,
            ends,
        })
    }
}

/// The tokens that end an answer.
fn ends(
    folder: &PretrainedFolder,
    config: &LlamaConfig,
    tokenizer: &LlamaTokenizer,
) -> Result<Vec<i32>, PretrainedError> {
    for name in [GENERATION_FILE, CONFIG_FILE] {
        let file: Ends = folder.json(name)?.unwrap_or_default();
        let ends = match file.eos_token_id {
            Some(OneOrMany::One(end)) => vec![end],
            Some(OneOrMany::Many(ends)) => ends,
            None => continue,
        };
        return check_range("eos_token_id", &ends, config.vocab_size - 1)
            .map(|()| ends)
            .map_err(|error| folder.unusable(name, error));
    }
    let settings: Settings = folder.json(SETTINGS_FILE)?.unwrap_or_default();
    let end = settings.eos_token.map(SpecialToken::into_name);
    Ok(end.and_then(|end| tokenizer.id(&end)).into_iter().collect())
}
