//! A chat model put together from parts of others, to be trained.

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::backend::Backend;
use mpm_core::{
    model_folder::{CONFIG_FILE, FolderError},
    pretrained::{PretrainedError, PretrainedFolder},
    weights::{LoadOptions, copy_where},
};
use mpm_data::picture::PicturePreprocessor;
use mpm_llm::{
    any::{AnyLlm, AnyLlmConfig, AnyTokenizer},
    decoding::DecodingParams,
    llama::PretrainedLlama,
};
use mpm_vision::{
    FeatureSelection, VisualModule, VisualModuleConfig,
    clip::{ClipConfig, ClipVisionTower},
    siglip::{SiglipConfig, SiglipVision},
    visual_module::{ConnectorConfig, EncoderConfig, VisualEncoder},
};
use serde::Deserialize;

use crate::{ChatError, ChatModel, ModelConfig, VisCpmChat, VisCpmChatConfig, config::visual_of};

/// The file in which folders of Hugging Face say how pictures are prepared.
const PREPROCESSOR_FILE: &str = "preprocessor_config.json";

/// Where the visual module of a new chat model comes from. Its width follows the language model.
#[derive(Clone, Debug)]
pub enum VisualSource {
    /// From nowhere: random weights of these sizes.
    Fresh(VisualModuleConfig),
    /// From a folder of Hugging Face with CLIP or SigLIP; the connector is new.
    Encoder {
        /// The folder.
        folder: PathBuf,
        /// Which of its states the connector reads.
        features: FeatureSelection,
        /// The connector.
        connector: ConnectorConfig,
    },
    /// From another chat model, as VPGTrans does (<https://arxiv.org/abs/2305.01278>): all but what
    /// leads to the language model, which is new.
    ChatModel(PathBuf),
}

impl VisualSource {
    /// A new visual module, of a configuration as `model.visual` of a chat model's `config.json`.
    ///
    /// # Errors
    /// [`FolderError`] names the file and what is wrong with it.
    pub fn fresh(file: &Path) -> Result<Self, FolderError> {
        let path = || file.to_path_buf();
        let json = fs::read(file).map_err(|source| FolderError::Io {
            path: path(),
            source,
        })?;
        let config = serde_json::from_slice(&json).and_then(visual_of);
        let config = config.map_err(|source| FolderError::Syntax {
            path: path(),
            source,
        })?;
        Ok(Self::Fresh(config))
    }
}

/// Puts a chat model together from a language model and a visual module.
///
/// `llm` is a chat model folder, of which the language model is taken, or a folder of Hugging Face
/// with a model of the LLaMA family. What is new has random weights, drawn when they are first
/// read; [`Backend::seed`] decides about them.
///
/// # Errors
/// [`ChatError`] names the file and what is wrong with it, or the parts that do not go together.
pub fn assemble<B: Backend>(
    llm: &Path,
    visual: &VisualSource,
    device: &B::Device,
    options: &LoadOptions,
) -> Result<ChatModel<B>, ChatError> {
    let llm = LanguagePart::<B>::open(llm, device, options)?;
    let visual = VisualPart::<B>::open(visual, llm.config.d_model(), device, options)?;
    let config = ModelConfig {
        preprocessing: visual.preprocessing,
        max_prompt_tokens: llm.max_prompt_tokens,
        decoding: llm.decoding,
        ..ModelConfig::new(VisCpmChatConfig {
            llm: llm.config,
            visual: visual.config,
        })?
    };
    Ok(ChatModel {
        model: VisCpmChat {
            llm: llm.model,
            visual: visual.module,
        },
        tokenizer: llm.tokenizer,
        config,
    })
}

/// A language model with all that goes with it.
struct LanguagePart<B: Backend> {
    config: AnyLlmConfig,
    model: AnyLlm<B>,
    tokenizer: AnyTokenizer,
    max_prompt_tokens: usize,
    decoding: DecodingParams,
}

/// What tells our folders from those of Hugging Face.
#[derive(Deserialize)]
struct Kind {
    format_version: Option<u32>,
}

impl<B: Backend> LanguagePart<B> {
    fn open(path: &Path, device: &B::Device, options: &LoadOptions) -> Result<Self, ChatError> {
        let folder = PretrainedFolder::open(path)?;
        if folder.config::<Kind>()?.format_version.is_some() {
            let model = ChatModel::<B>::open(path, device, options)?;
            return Ok(Self {
                config: model.config.model.llm,
                model: model.model.llm,
                tokenizer: model.tokenizer,
                max_prompt_tokens: model.config.max_prompt_tokens,
                decoding: model.config.decoding,
            });
        }
        let config: AnyLlmConfig = folder.config()?;
        let AnyLlmConfig::Llama(file) = &config else {
            return Err(ChatError::Config {
                reason: format!(
                    "{}: this is neither a chat model nor a model of the LLaMA family (no \
                     `model_type`)",
                    path.join(CONFIG_FILE).display()
                ),
            });
        };
        let longest = file.config().max_position_embeddings;
        let PretrainedLlama { model, text } = PretrainedLlama::open(path, device, options)?;
        Ok(Self {
            config,
            model: AnyLlm::Llama(model),
            tokenizer: AnyTokenizer::Llama(text),
            max_prompt_tokens: longest.min(ModelConfig::MAX_PROMPT_TOKENS),
            decoding: DecodingParams::default(),
        })
    }
}

/// A visual module with the way in which its pictures are prepared.
struct VisualPart<B: Backend> {
    config: VisualModuleConfig,
    module: VisualModule<B>,
    preprocessing: PicturePreprocessor,
}

impl<B: Backend> VisualPart<B> {
    fn open(
        source: &VisualSource,
        d_llm: usize,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, ChatError> {
        let of_width = |config: &VisualModuleConfig| VisualModuleConfig {
            d_llm,
            ..config.clone()
        };
        match source {
            VisualSource::Fresh(config) => {
                let config = of_width(config);
                Ok(Self {
                    module: config.init(device)?,
                    preprocessing: ModelConfig::preprocessing_of(&config)?,
                    config,
                })
            }
            VisualSource::ChatModel(folder) => {
                let source = ChatModel::<B>::open(folder, device, options)?;
                let config = of_width(&source.config.model.visual);
                Ok(Self {
                    module: reconnect(&source.model.visual, config.init(device)?)?,
                    preprocessing: source.config.preprocessing,
                    config,
                })
            }
            VisualSource::Encoder {
                folder,
                features,
                connector,
            } => {
                let (encoder, weights) = open_encoder::<B>(folder, device, options)?;
                let config = VisualModuleConfig {
                    encoder,
                    features: *features,
                    connector: connector.clone(),
                    d_llm,
                };
                let VisualModule::Connected(mut module) = config.init(device)? else {
                    return Err(ChatError::Config {
                        reason: "queries pass BEiT-3 only; choose the connector `mlp` or \
                                 `resampler`"
                            .to_owned(),
                    });
                };
                module.encoder = weights;
                let preprocessing = prepared_by(folder, ModelConfig::preprocessing_of(&config)?)?;
                Ok(Self {
                    module: VisualModule::Connected(module),
                    preprocessing,
                    config,
                })
            }
        }
    }
}

/// `fresh`, with all that it shares with another module but the way to the language model.
fn reconnect<B: Backend>(
    other: &VisualModule<B>,
    fresh: VisualModule<B>,
) -> Result<VisualModule<B>, ChatError> {
    let leads_to_llm = |path: &str| {
        let part = path.split('.').next();
        matches!(part, Some("mapping" | "connector"))
    };
    Ok(copy_where(fresh, other, |path| !leads_to_llm(path))?)
}

fn open_encoder<B: Backend>(
    path: &Path,
    device: &B::Device,
    options: &LoadOptions,
) -> Result<(EncoderConfig, VisualEncoder<B>), ChatError> {
    /// What tells the encoders apart.
    #[derive(Deserialize)]
    struct Kind {
        #[serde(default)]
        model_type: String,
    }
    let folder = PretrainedFolder::open(path)?;
    let Kind { model_type } = folder.config()?;
    match model_type.as_str() {
        "clip" | "chinese_clip" => {
            let config: ClipConfig = folder.config()?;
            let tower = ClipVisionTower::open(path, device, options)?;
            Ok((
                EncoderConfig::Clip(config.vision_config),
                VisualEncoder::Clip(tower.vision_model),
            ))
        }
        "siglip" | "siglip_vision_model" => {
            let config: SiglipConfig = folder.config()?;
            let vision = SiglipVision::open(path, device, options)?;
            Ok((
                EncoderConfig::Siglip(config.vision_config),
                VisualEncoder::Siglip(vision),
            ))
        }
        other => Err(ChatError::Config {
            reason: format!(
                "{}: `model_type` is `{other}`; picture encoders are `clip`, `chinese_clip` and \
                 `siglip`",
                path.join(CONFIG_FILE).display()
            ),
        }),
    }
}

/// How the folder's pictures are prepared; as `otherwise` where it does not say so.
fn prepared_by(
    path: &Path,
    otherwise: PicturePreprocessor,
) -> Result<PicturePreprocessor, PretrainedError> {
    #[derive(Deserialize)]
    struct Preprocessor {
        image_mean: Option<[f32; 3]>,
        image_std: Option<[f32; 3]>,
    }
    let file: Option<Preprocessor> = PretrainedFolder::open(path)?.json(PREPROCESSOR_FILE)?;
    Ok(match file {
        None => otherwise,
        Some(file) => PicturePreprocessor {
            mean: file.image_mean.unwrap_or(otherwise.mean),
            std: file.image_std.unwrap_or(otherwise.std),
            ..otherwise
        },
    })
}
