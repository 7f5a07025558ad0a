//! Visual modules of any encoder and connector: shapes, training, what is listed of them, and
//! folders.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::Path};

use burn::{
    backend::{Autodiff, Flex},
    module::{Module, Param},
    tensor::{DType, Distribution, Tensor, backend::Backend},
};
use mpm_core::{
    lora,
    pretrained::PretrainedError,
    weights::{KeyMap, LoadOptions, Precision, WeightsError, module_keys, save},
};
use mpm_vision::{
    Beit3Config, FeatureSelection, PictureEncoder, SelectStrategy, VisionError, VisualModule,
    VisualModuleConfig,
    clip::ClipVisionConfig,
    connector::{Connector, MlpConnectorConfig, ResamplerConfig},
    siglip::{SiglipVision, SiglipVisionConfig},
    visual_module::{ConnectorConfig, EncoderConfig, QueriesConfig, VisualEncoder, llava_keys},
};
use serde_json::{Value, json};
use tempfile::TempDir;

type B = Flex;
type Ad = Autodiff<Flex>;

/// f16 rounds each of some tens of intermediate values of about 1 to 11 bits, 2⁻¹¹ ≈ 5e-4.
const F16_TOLERANCE: f32 = 2e-2;

const D_LLM: usize = 48;

fn encoders() -> [EncoderConfig; 3] {
    [
        EncoderConfig::Clip(ClipVisionConfig::tiny()),
        EncoderConfig::Siglip(SiglipVisionConfig::tiny()),
        EncoderConfig::Beit3(Beit3Config::tiny()),
    ]
}

fn mlp() -> ConnectorConfig {
    ConnectorConfig::Mlp(MlpConnectorConfig {
        depth: 3,
        width: Some(40),
        ..MlpConnectorConfig::default()
    })
}

fn resampler() -> ConnectorConfig {
    ConnectorConfig::Resampler(ResamplerConfig {
        num_queries: 9,
        num_heads: Some(4),
        query_positions: true,
        ..ResamplerConfig::default()
    })
}

fn queries() -> ConnectorConfig {
    ConnectorConfig::Queries(QueriesConfig {
        num_queries: 5,
        mapping_width: None,
    })
}

fn config(encoder: EncoderConfig, connector: ConnectorConfig) -> VisualModuleConfig {
    VisualModuleConfig {
        encoder,
        features: FeatureSelection::default(),
        connector,
        d_llm: D_LLM,
    }
}

/// All pairs that go together.
fn configs() -> Vec<VisualModuleConfig> {
    let pairs = encoders()
        .into_iter()
        .flat_map(|encoder| [mlp(), resampler()].map(|connector| (encoder.clone(), connector)));
    let beit3 = EncoderConfig::Beit3(Beit3Config::tiny());
    pairs
        .chain([(beit3, queries())])
        .map(|(encoder, connector)| config(encoder, connector))
        .collect()
}

fn init<Back: Backend>(config: &VisualModuleConfig) -> VisualModule<Back> {
    config.init(&Default::default()).unwrap()
}

fn pictures<Back: Backend>(batch: usize, size: usize) -> Tensor<Back, 4> {
    let range = Distribution::Uniform(-1.0, 1.0);
    Tensor::random([batch, 3, size, size], range, &Default::default())
}

/// The page on picture encoders.
const PAGE: &str = include_str!("../../../docs/picture-encoders.md");

#[test]
fn configurations_on_the_page_are_the_presets() {
    let blocks = PAGE.split("```json").skip(1);
    let found: Vec<VisualModuleConfig> = blocks
        .map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap())
        .collect();
    let presets = [
        VisualModuleConfig::llava_1_5_7b(),
        VisualModuleConfig::minicpm_v_2_6(),
        VisualModuleConfig::viscpm_chat(),
    ];
    assert_eq!(found, presets);
}

#[test]
fn every_pair_has_the_shape_that_it_says() {
    for config in configs() {
        // Of 40 px there are 25 patches of 8 px instead of 16.
        for (size, patches) in [(32, 16), (40, 25)] {
            let module = init::<B>(&config).with_image_size(size).unwrap();
            let count = match &config.connector {
                ConnectorConfig::Mlp(_) => patches,
                ConnectorConfig::Resampler(_) => 9,
                ConnectorConfig::Queries(_) => 5,
            };
            assert_eq!(module.picture_shape(), [3, size, size]);
            assert_eq!(module.features_shape(), [count, D_LLM], "{config:?}");
            let features = module.encode(pictures(2, size)).unwrap();
            assert_eq!(features.dims(), [2, count, D_LLM], "{config:?}");
            let error = module.encode(pictures(1, 24)).unwrap_err();
            assert!(matches!(error, VisionError::PictureShape { .. }), "{error}");
        }
        assert!(init::<B>(&config).with_image_size(0).is_err());
    }
}

#[test]
fn a_class_token_is_read_only_when_asked_for() {
    for (encoder, class_tokens) in encoders().into_iter().zip([1, 0, 1]) {
        let mut config = config(encoder, mlp());
        config.features.vision_feature_select_strategy = SelectStrategy::All;
        let module = init::<B>(&config);
        let count = 16 + class_tokens;
        assert_eq!(module.features_shape(), [count, D_LLM]);
        let features = module.encode(pictures(1, 32)).unwrap();
        assert_eq!(features.dims(), [1, count, D_LLM]);
    }
}

#[test]
fn all_linear_layers_are_listed() {
    // Matrices that are no linear layers: tables of positions and queries, and what files hold
    // packed or with inputs and outputs exchanged.
    let is_other = |name: &str| {
        name.contains("position")
            || name.contains("pos_embed")
            || name.ends_with("query")
            || name.ends_with("in_proj_weight")
            || name == "connector.proj"
    };
    for config in configs() {
        let module = init::<B>(&config);
        let parameters = module_keys(&module).into_iter();
        let mut expected: Vec<String> = parameters
            .filter(|(name, shape)| shape.len() == 2 && !is_other(name))
            .map(|(name, _)| name.strip_suffix(".weight").unwrap_or(&name).to_owned())
            .collect();
        let mut found = lora::linear_paths(&module);
        found.sort();
        expected.sort();
        assert!(!found.is_empty());
        assert_eq!(found, expected, "{config:?}");
    }
}

#[test]
fn gradients_reach_what_trains() {
    for config in configs() {
        let module = init::<Ad>(&config);
        let grads = module.encode(pictures(2, 32)).unwrap().sum().backward();
        match &module {
            VisualModule::Muffin(muffin) => {
                assert!(muffin.query.grad(&grads).is_some());
                let patches = &muffin.vpm.beit3.vision_embed.proj;
                assert!(patches.weight.grad(&grads).is_some());
            }
            VisualModule::Connected(parts) => {
                let patches = match &parts.encoder {
                    VisualEncoder::Clip(clip) => clip.embeddings.patch_embedding.weight.clone(),
                    VisualEncoder::Siglip(siglip) => {
                        siglip.embeddings.patch_embedding.weight.clone()
                    }
                    VisualEncoder::Beit3(beit3) => beit3.vision_embed.proj.weight.clone(),
                };
                assert!(patches.grad(&grads).is_some(), "{config:?}");
                match &parts.connector {
                    Connector::Mlp(mlp) => {
                        let weight = mlp.layers[0].weight.float().unwrap();
                        assert!(weight.grad(&grads).is_some());
                    }
                    Connector::Resampler(resampler) => {
                        assert!(resampler.query.grad(&grads).is_some());
                        let positions = resampler.pos_embed.as_ref().unwrap();
                        assert!(positions.grad(&grads).is_none());
                    }
                }
            }
        }
    }
}

#[test]
fn a_connector_trains_on_a_frozen_encoder() {
    let config = config(EncoderConfig::Siglip(SiglipVisionConfig::tiny()), mlp());
    let VisualModule::Connected(mut module) = init::<Ad>(&config) else {
        panic!("{config:?}")
    };
    module.encoder = module.encoder.no_grad();
    let grads = module.encode(pictures(1, 32)).unwrap().sum().backward();
    let VisualEncoder::Siglip(siglip) = &module.encoder else {
        panic!("{config:?}")
    };
    let frozen = &siglip.embeddings.patch_embedding.weight;
    assert!(frozen.grad(&grads).is_none());
    let Connector::Mlp(mlp) = &module.connector else {
        panic!("{config:?}")
    };
    for layer in &mlp.layers {
        assert!(layer.weight.float().unwrap().grad(&grads).is_some());
    }
}

#[test]
fn f16_weights_stay_f16_and_see_alike() {
    for connector in [mlp(), resampler()] {
        let config = config(EncoderConfig::Siglip(SiglipVisionConfig::tiny()), connector);
        let module = drawn(init::<B>(&config));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let half = Precision::Cast(DType::F16);
        save(&module, &path, &KeyMap::new(), half).unwrap();
        let file = mpm_core::weights::WeightFile::open(&path).unwrap();
        let loaded = mpm_core::weights::load(init::<B>(&config), &file, &LoadOptions::default());

        let pictures = pictures(2, 32);
        let expected = module.encode(pictures.clone()).unwrap();
        let features = loaded.unwrap().encode(pictures).unwrap();
        assert_eq!(features.dtype(), DType::F16);
        let error = (features.cast(DType::F32) - expected).abs().max();
        let error = error.into_scalar();
        assert!(error < F16_TOLERANCE, "{error}");
    }
}

/// The same module with all weights drawn, so that copies of it are equal.
fn drawn<M: Module<B>>(module: M) -> M {
    module.clone().load_record(module.into_record())
}

/// A SigLIP model as a file has it, with a part of its other tower.
#[derive(Module, Debug)]
struct WholeSiglip<B: Backend> {
    vision_model: SiglipVision<B>,
    logit_scale: Param<Tensor<B, 1>>,
    text_model: Param<Tensor<B, 1>>,
}

fn siglip_folder(whole: &WholeSiglip<B>, prefix: &str, config: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let keys = KeyMap::new().rename(prefix, "vision_model");
    let path = folder.path().join("model.safetensors");
    save(whole, path, &keys, Precision::AsStored).unwrap();
    folder
}

fn open_siglip(folder: &Path) -> Result<SiglipVision<B>, PretrainedError> {
    SiglipVision::open(folder, &Default::default(), &LoadOptions::default())
}

#[test]
fn siglip_opens_from_folders_of_all_forms() {
    let sizes = SiglipVisionConfig::tiny();
    let device = Default::default();
    let whole = WholeSiglip::<B> {
        vision_model: drawn(sizes.init(&device).unwrap()),
        logit_scale: Param::from_data([1.0], &device),
        text_model: Param::from_data([0.0], &device),
    };
    let pictures = pictures(2, 32);
    let expected = whole.vision_model.forward(pictures.clone()).unwrap();
    let expected = expected.pooled.unwrap().into_data();
    let mut alone = json!(sizes);
    alone["model_type"] = json!("siglip_vision_model");
    let nested = json!({"model_type": "siglip", "vision_config": sizes});
    for (prefix, config) in [
        ("vision_model", &nested),
        ("vision_model", &alone),
        ("", &alone),
    ] {
        let folder = siglip_folder(&whole, prefix, config);
        let loaded = open_siglip(folder.path()).unwrap();
        let pooled = loaded.forward(pictures.clone()).unwrap().pooled;
        assert_eq!(pooled.unwrap().into_data(), expected);
    }

    // A head that the file has, but the configuration has not, is named.
    let headless = json!({"vision_config": sizes.clone().without_head()});
    let folder = siglip_folder(&whole, "vision_model", &headless);
    let text = open_siglip(folder.path()).unwrap_err().to_string();
    assert!(text.contains("vision_model.head.probe"), "{text}");
    let deeper = SiglipVisionConfig {
        num_hidden_layers: 3,
        ..sizes
    };
    let folder = siglip_folder(&whole, "vision_model", &json!({"vision_config": deeper}));
    let text = open_siglip(folder.path()).unwrap_err().to_string();
    let missing = "missing   vision_model.encoder.layers.2.layer_norm1.bias";
    assert!(text.contains(missing), "{text}");
    let folder = siglip_folder(&whole, "vision_model", &json!({"model_type": "siglip2"}));
    let text = open_siglip(folder.path()).unwrap_err().to_string();
    assert!(
        text.contains("config.json") && text.contains("NaFlex"),
        "{text}"
    );
}

#[test]
fn llava_opens_from_folders_of_both_forms() {
    let clip = ClipVisionConfig::tiny();
    let llava = VisualModuleConfig {
        features: FeatureSelection::llava(),
        ..config(
            EncoderConfig::Clip(clip.clone()),
            ConnectorConfig::Mlp(MlpConnectorConfig::default()),
        )
    };
    let module = drawn(init::<B>(&llava));
    let mut vision_config = json!(clip);
    vision_config["model_type"] = json!("clip_vision_model");
    let json = json!({
        "model_type": "llava", "text_config": {"hidden_size": D_LLM},
        "vision_config": vision_config
    });
    let pictures = pictures(2, 32);
    let expected = module.encode(pictures.clone()).unwrap().into_data();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let open = || VisualModule::<B>::open_llava(path, &Default::default(), &LoadOptions::default());
    fs::write(path.join("config.json"), json.to_string()).unwrap();
    for tower in ["vision_tower.vision_model", "vision_tower"] {
        let keys = KeyMap::new().rename(tower, "encoder");
        let connector = MlpConnectorConfig::default();
        let keys = connector.transformers_keys(keys, "multi_modal_projector", "connector");
        let weights = path.join("model.safetensors");
        save(&module, weights, &keys, Precision::AsStored).unwrap();
        let features = open().unwrap().encode(pictures.clone()).unwrap();
        assert_eq!(features.into_data(), expected);
    }
    assert_eq!(
        llava_keys().to_module("language_model.lm_head.weight"),
        None
    );

    let mut wider = json.clone();
    wider["text_config"]["hidden_size"] = json!(64);
    fs::write(path.join("config.json"), wider.to_string()).unwrap();
    let error = open().unwrap_err();
    assert!(matches!(
        error,
        PretrainedError::Weights(WeightsError::Mismatch { .. })
    ));
    let text = error.to_string();
    assert!(
        text.contains("multi_modal_projector.linear_1.weight"),
        "{text}"
    );
    let mut several = json;
    several["vision_feature_layer"] = json!(-9);
    fs::write(path.join("config.json"), several.to_string()).unwrap();
    let text = open().unwrap_err().to_string();
    assert!(
        text.contains("config.json") && text.contains("-9"),
        "{text}"
    );
}
