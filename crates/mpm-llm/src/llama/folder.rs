//! A model with its tokenizer, from a folder as Hugging Face's libraries write it.

use std::path::Path;

use burn::tensor::backend::Backend;
use mpm_core::{
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{LoadOptions, load_model},
};

use super::{config::LlamaConfig, model::Llama, text::LlamaText};

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
/// let ids = llm.text.tokenizer.encode("abc")?;
/// let prompt = llm.model.embed(&ids, [1, ids.len()])?;
/// let params = DecodingParams {
///     strategy: Strategy::Greedy,
///     max_new_tokens: 4,
///     ..DecodingParams::default()
/// };
/// let mut session = LlamaSession::new(&llm.model, prompt, &llm.text.ends, params.max_new_tokens)?;
/// let bytes_of = |id| llm.text.tokenizer.bytes_of(id);
/// let go_on = |_: Piece<'_>| ControlFlow::Continue(());
/// let answer = generate(&mut session, &params, bytes_of, go_on)?;
/// assert!(answer.tokens.len() <= 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PretrainedLlama<B: Backend> {
    /// The model.
    pub model: Llama<B>,
    /// Its tokenizer, and how it is chatted with.
    pub text: LlamaText,
}

impl<B: Backend> PretrainedLlama<B> {
    /// Opens a model folder: `config.json`, the weights in one file or several, and the files of
    /// [`LlamaText`].
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
        let text = LlamaText::open(&folder, &config)?;
        let model = config
            .init(device)
            .map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let options = LoadOptions {
            keys: Llama::<B>::checkpoint_keys(&config),
            ..options.clone()
        };
        Ok(Self {
            model: load_model(model, &folder.weights()?, &options)?,
            text,
        })
    }
}
