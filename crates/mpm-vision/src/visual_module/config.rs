//! Which encoder, which connector, and how wide the language model is.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::{ConnectedEncoder, VisualEncoder, VisualModule};
use crate::{
    Beit3Config, FeatureSelection, MuffinConfig, PositionResize, SelectStrategy, VisionError,
    beit3,
    check::{check_sizes, require},
    clip::{self, ClipVisionConfig},
    connector::{Connector, MlpConnectorConfig, ResamplerConfig},
    siglip::SiglipVisionConfig,
};

/// Architecture of a [`VisualModule`].
///
/// As JSON the kinds are tags:
///
/// ```
/// # fn main() -> Result<(), serde_json::Error> {
/// let config: mpm_vision::VisualModuleConfig = serde_json::from_str(
///     r#"{
///         "encoder": {"type": "clip", "hidden_size": 1024, "intermediate_size": 4096,
///             "num_hidden_layers": 24, "num_attention_heads": 16,
///             "image_size": 336, "patch_size": 14},
///         "features": {"vision_feature_layer": -2},
///         "connector": {"type": "mlp", "depth": 2},
///         "d_llm": 4096
///     }"#,
/// )?;
/// assert_eq!(config, mpm_vision::VisualModuleConfig::llava_1_5_7b());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisualModuleConfig {
    /// The picture encoder.
    pub encoder: EncoderConfig,
    /// Which of its states the connector reads; by default its output without a class token, to
    /// which queries know no alternative.
    #[serde(default)]
    pub features: FeatureSelection,
    /// What leads to the language model.
    pub connector: ConnectorConfig,
    /// Width of the language model's embeddings.
    pub d_llm: usize,
}

/// A picture encoder.
///
/// The sizes of CLIP and SigLIP are read from published files, too, which say much else: fields
/// that mean nothing here are ignored, so that a misspelt one has its default without notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EncoderConfig {
    /// CLIP's vision transformer.
    Clip(ClipVisionConfig),
    /// SigLIP's.
    Siglip(SiglipVisionConfig),
    /// BEiT-3.
    Beit3(Beit3Config),
}

/// What leads from an encoder to a language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ConnectorConfig {
    /// Linear layers.
    Mlp(MlpConnectorConfig),
    /// Queries that read the encoder's features.
    Resampler(ResamplerConfig),
    /// Queries that pass BEiT-3 with the picture.
    Queries(QueriesConfig),
}

/// Muffin's queries and mapping; what is left out is as in VisCPM-Chat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueriesConfig {
    /// As [`MuffinConfig::num_queries`].
    pub num_queries: usize,
    /// As [`MuffinConfig::mapping_width`].
    pub mapping_width: Option<usize>,
}

impl Default for QueriesConfig {
    fn default() -> Self {
        Self {
            num_queries: 64,
            mapping_width: None,
        }
    }
}

/// Sizes that decide what an encoder costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransformerSize {
    /// Tokens of a picture.
    pub tokens: usize,
    /// Width of a token.
    pub d_model: usize,
    /// Inner width of the feed-forward layers.
    pub d_ff: usize,
    /// Number of layers.
    pub layers: usize,
}

impl VisualModuleConfig {
    /// LLaVA 1.5 7B: CLIP ViT-L/14 at 336 px before its last layer, two linear layers.
    pub fn llava_1_5_7b() -> Self {
        Self {
            encoder: EncoderConfig::Clip(ClipVisionConfig::vit_l14_336()),
            features: FeatureSelection::llava(),
            connector: ConnectorConfig::Mlp(MlpConnectorConfig::default()),
            d_llm: 4096,
        }
    }

    /// MiniCPM-V 2.6: SigLIP so400m with positions for 70 × 70 patches, 64 queries.
    ///
    /// [`with_image_size`](VisualModule::with_image_size) of 448 px makes it one for square slices
    /// as the model is fed with.
    pub fn minicpm_v_2_6() -> Self {
        let so400m = SiglipVisionConfig {
            image_size: 980,
            position_resize: PositionResize::Nearest,
            ..SiglipVisionConfig::so400m_patch14_384().without_head()
        };
        Self {
            encoder: EncoderConfig::Siglip(so400m),
            features: FeatureSelection::default(),
            connector: ConnectorConfig::Resampler(ResamplerConfig::default()),
            d_llm: 3584,
        }
    }

    /// VisCPM-Chat: BEiT-3 large, 64 queries, a mapping.
    pub fn viscpm_chat() -> Self {
        MuffinConfig::viscpm_chat().into()
    }

    /// Checks both parts, and that they go together.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is out of range or does not fit the
    /// others.
    pub fn validate(&self) -> Result<(), VisionError> {
        check_sizes([("d_llm", self.d_llm)])?;
        self.encoder.validate()?;
        match &self.connector {
            ConnectorConfig::Queries(queries) => {
                let muffin = self.muffin(queries)?;
                self.check_no_selection()?;
                muffin.validate()
            }
            ConnectorConfig::Mlp(mlp) => {
                self.encoder.check_selection(self.features)?;
                mlp.validate()
            }
            ConnectorConfig::Resampler(resampler) => {
                self.encoder.check_selection(self.features)?;
                self.check_grid()?;
                resampler.validate(self.d_llm)
            }
        }
    }

    /// Makes a module with random weights, drawn when they are first read.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<VisualModule<B>, VisionError> {
        self.validate()?;
        let (d_in, d_llm) = (self.encoder.width(), self.d_llm);
        let connector = match &self.connector {
            ConnectorConfig::Queries(queries) => {
                let muffin = self.muffin(queries)?.init(device)?;
                return Ok(VisualModule::Muffin(muffin));
            }
            ConnectorConfig::Mlp(mlp) => Connector::Mlp(mlp.init(d_in, d_llm, device)?),
            ConnectorConfig::Resampler(resampler) => {
                Connector::Resampler(resampler.init(d_in, d_llm, device)?)
            }
        };
        Ok(VisualModule::Connected(ConnectedEncoder {
            encoder: self.encoder.init(device)?,
            connector,
            features: self.features,
        }))
    }

    /// Length of a side of the pictures.
    pub fn image_size(&self) -> usize {
        match &self.encoder {
            EncoderConfig::Clip(config) => config.image_size,
            EncoderConfig::Siglip(config) => config.image_size,
            EncoderConfig::Beit3(config) => config.image_size,
        }
    }

    /// The encoder's transformer.
    pub fn transformer(&self) -> TransformerSize {
        let queries = match &self.connector {
            ConnectorConfig::Queries(queries) => queries.num_queries,
            _ => 0,
        };
        match &self.encoder {
            EncoderConfig::Clip(config) => TransformerSize {
                tokens: config.num_positions(),
                d_model: config.hidden_size,
                d_ff: config.intermediate_size,
                layers: config.num_hidden_layers,
            },
            EncoderConfig::Siglip(config) => TransformerSize {
                tokens: config.num_positions(),
                d_model: config.hidden_size,
                d_ff: config.intermediate_size,
                layers: config.num_hidden_layers,
            },
            EncoderConfig::Beit3(config) => TransformerSize {
                tokens: config.num_picture_tokens() + queries,
                d_model: config.d_model,
                d_ff: config.d_ff,
                layers: config.num_layers,
            },
        }
    }

    /// The Muffin that this is, if it is one.
    pub fn as_muffin(&self) -> Option<MuffinConfig> {
        match &self.connector {
            ConnectorConfig::Queries(queries) => self.muffin(queries).ok(),
            _ => None,
        }
    }

    /// The Muffin that has these queries.
    fn muffin(&self, queries: &QueriesConfig) -> Result<MuffinConfig, VisionError> {
        let EncoderConfig::Beit3(encoder) = &self.encoder else {
            return Err(VisionError::Config {
                field: "connector",
                value: "queries".to_owned(),
                requirement: "only the encoder `beit3` lets queries pass its layers; take it, or \
                              the connector `mlp` or `resampler`"
                    .to_owned(),
            });
        };
        Ok(MuffinConfig {
            encoder: encoder.clone(),
            num_queries: queries.num_queries,
            d_llm: self.d_llm,
            mapping_width: queries.mapping_width,
        })
    }

    /// Whether nothing is chosen where there is no choice.
    fn check_no_selection(&self) -> Result<(), VisionError> {
        self.features.require_output()?;
        let strategy = self.features.vision_feature_select_strategy;
        let is_default = strategy == SelectStrategy::default();
        require(is_default, "vision_feature_select_strategy", "full", || {
            "queries read the picture within the encoder: leave `features` out".to_owned()
        })
    }

    /// Whether the features are those of a grid of patches, which have places.
    fn check_grid(&self) -> Result<(), VisionError> {
        let strategy = self.features.vision_feature_select_strategy;
        let is_grid = strategy == SelectStrategy::Patches || self.encoder.class_tokens() == 0;
        require(is_grid, "vision_feature_select_strategy", "full", || {
            "a resampler reads patches only: it must be `default`".to_owned()
        })
    }
}

impl From<MuffinConfig> for VisualModuleConfig {
    fn from(muffin: MuffinConfig) -> Self {
        Self {
            encoder: EncoderConfig::Beit3(muffin.encoder),
            features: FeatureSelection::default(),
            connector: ConnectorConfig::Queries(QueriesConfig {
                num_queries: muffin.num_queries,
                mapping_width: muffin.mapping_width,
            }),
            d_llm: muffin.d_llm,
        }
    }
}

impl EncoderConfig {
    /// Checks the encoder's own sizes.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), VisionError> {
        match self {
            Self::Clip(config) => config.validate(),
            Self::Siglip(config) => config.validate(),
            Self::Beit3(config) => config.validate(),
        }
    }

    /// Makes an encoder with random weights, drawn when they are first read.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<VisualEncoder<B>, VisionError> {
        Ok(match self {
            Self::Clip(config) => VisualEncoder::Clip(config.init(device)?),
            Self::Siglip(config) => VisualEncoder::Siglip(config.init(device)?),
            Self::Beit3(config) => VisualEncoder::Beit3(config.init(device)?),
        })
    }

    /// Width of the features.
    pub fn width(&self) -> usize {
        match self {
            Self::Clip(config) => config.hidden_size,
            Self::Siglip(config) => config.hidden_size,
            Self::Beit3(config) => config.d_model,
        }
    }

    /// Tokens before those of the patches.
    fn class_tokens(&self) -> usize {
        match self {
            Self::Clip(_) => clip::CLASS_TOKENS,
            Self::Siglip(_) => 0,
            Self::Beit3(_) => beit3::CLASS_TOKENS,
        }
    }

    fn check_selection(&self, selection: FeatureSelection) -> Result<(), VisionError> {
        match self {
            Self::Clip(config) => selection.layers(config.num_hidden_layers).map(drop),
            Self::Siglip(config) => selection.layers(config.num_hidden_layers).map(drop),
            Self::Beit3(_) => selection.require_output(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn tiny(connector: ConnectorConfig) -> VisualModuleConfig {
        VisualModuleConfig {
            encoder: EncoderConfig::Clip(ClipVisionConfig::tiny()),
            features: FeatureSelection::default(),
            connector,
            d_llm: 48,
        }
    }

    fn resampler(num_heads: usize) -> ConnectorConfig {
        ConnectorConfig::Resampler(ResamplerConfig {
            num_heads: Some(num_heads),
            ..ResamplerConfig::default()
        })
    }

    fn message(config: &VisualModuleConfig) -> String {
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn presets_are_valid_and_survive_json() {
        for config in [
            VisualModuleConfig::llava_1_5_7b(),
            VisualModuleConfig::minicpm_v_2_6(),
            VisualModuleConfig::viscpm_chat(),
        ] {
            assert_eq!(config.validate(), Ok(()));
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(
                serde_json::from_str::<VisualModuleConfig>(&text).unwrap(),
                config
            );
        }
    }

    #[test]
    fn kinds_are_tags_and_unknown_ones_are_named() {
        let parse = serde_json::from_value::<VisualModuleConfig>;
        let config = json!({
            "encoder": {"type": "siglip"}, "connector": {"type": "resampler"}, "d_llm": 256
        });
        let parsed = parse(config.clone()).unwrap();
        assert_eq!(
            parsed.encoder,
            EncoderConfig::Siglip(SiglipVisionConfig::default())
        );
        let mut unknown = config;
        unknown["connector"]["type"] = json!("qformer");
        let error = parse(unknown).unwrap_err().to_string();
        assert!(
            error.contains("qformer") && error.contains("resampler"),
            "{error}"
        );
    }

    #[test]
    fn misspelt_fields_are_named() {
        let config = json!({
            "encoder": {"type": "siglip"}, "connector": {"type": "resampler"}, "d_llm": 256
        });
        for (part, field) in [
            ("/connector", "num_querys"),
            ("", "feature"),
            ("/features", "vision_feature_layers"),
        ] {
            let mut config = config.clone();
            config["features"] = json!({});
            config.pointer_mut(part).unwrap()[field] = json!(1);
            let error = serde_json::from_value::<VisualModuleConfig>(config).unwrap_err();
            assert!(error.to_string().contains(field), "{field}: {error}");
        }
    }

    #[test]
    fn queries_need_beit3() {
        let config = tiny(ConnectorConfig::Queries(QueriesConfig::default()));
        assert!(message(&config).contains("only the encoder `beit3`"));
        let beit3 = VisualModuleConfig {
            encoder: EncoderConfig::Beit3(Beit3Config::tiny()),
            ..config
        };
        // Its position table takes 30 queries.
        assert!(message(&beit3).contains("num_queries is 64"));

        let mut chosen = beit3;
        chosen.features.vision_feature_select_strategy = SelectStrategy::All;
        assert!(message(&chosen).contains("leave `features` out"));
        chosen.features = FeatureSelection::llava();
        assert!(message(&chosen).contains("vision_feature_layer is -2"));
    }

    #[test]
    fn a_resampler_takes_no_class_token() {
        let mut config = tiny(resampler(4));
        assert_eq!(config.validate(), Ok(()));
        config.features.vision_feature_select_strategy = SelectStrategy::All;
        assert!(message(&config).contains("patches only"));
        config.encoder = EncoderConfig::Siglip(SiglipVisionConfig::tiny());
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn layers_that_are_not_there_are_refused() {
        let mut config = tiny(ConnectorConfig::Mlp(MlpConnectorConfig::default()));
        config.features.vision_feature_layer = Some(-4);
        assert!(message(&config).contains("vision_feature_layer is -4"));
        config.features.vision_feature_layer = Some(-3);
        assert_eq!(config.validate(), Ok(()));
        config.encoder = EncoderConfig::Beit3(Beit3Config::tiny());
        assert!(message(&config).contains("vision_feature_layer is -3"));
    }

    #[test]
    fn widths_that_do_not_fit_are_refused() {
        let config = |d_llm, connector| VisualModuleConfig {
            d_llm,
            ..tiny(connector)
        };
        let mlp = || ConnectorConfig::Mlp(MlpConnectorConfig::default());
        assert!(config(0, mlp()).validate().is_err());
        assert!(config(usize::MAX, mlp()).validate().is_err());
        assert!(message(&config(50, resampler(4))).contains("multiple of 4"));
        assert!(message(&config(4 * 7, resampler(3))).contains("divide d_llm 28"));
        let published = ConnectorConfig::Resampler(ResamplerConfig::default());
        assert!(message(&config(48, published)).contains("multiple of 128"));
    }
}
