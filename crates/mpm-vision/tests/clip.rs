//! Folders of CLIP models: names at two levels, files that are missing or cut, and the behaviour
//! beyond the reference's outputs.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::Path};

use burn::{
    backend::{Autodiff, Flex},
    module::{Module, Param},
    tensor::{DType, Distribution, Tensor, backend::Backend},
};
use mpm_core::{
    pretrained::PretrainedError,
    weights::{KeyMap, LoadOptions, Precision, WeightsError, save},
};
use mpm_vision::{
    PictureEncoder, VisionError,
    clip::{ChineseClipVision, ClipConfig, ClipVision, ClipVisionConfig, SafetyChecker},
};
use serde_json::json;
use tempfile::TempDir;

type B = Flex;

/// f16 rounds each of some tens of intermediate values to 11 bits, 2⁻¹¹ ≈ 5e-4.
const F16_TOLERANCE: f64 = 2e-2;

fn config() -> ClipConfig {
    ClipConfig {
        vision_config: ClipVisionConfig::tiny(),
        projection_dim: 24,
    }
}

/// A checker whose weights have been drawn.
fn checker() -> SafetyChecker<B> {
    let fresh = SafetyChecker::new(&config(), &Default::default()).unwrap();
    fresh.clone().load_record(fresh.into_record())
}

fn write_config(folder: &Path) {
    let config = json!({
        "projection_dim": 24,
        "vision_config": ClipVisionConfig::tiny(),
        "text_config": {"hidden_size": 8},
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// A folder of the checker with its transformer at `prefix`.
fn folder(checker: &SafetyChecker<B>, prefix: &str, precision: Precision) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path());
    let keys = KeyMap::new().rename(prefix, "vision_model");
    let weights = folder.path().join("model.safetensors");
    save(checker, weights, &keys, precision).unwrap();
    folder
}

fn open(folder: &TempDir) -> Result<SafetyChecker<B>, PretrainedError> {
    SafetyChecker::open(folder.path(), &Default::default(), &LoadOptions::default())
}

fn pictures(batch: usize) -> Tensor<B, 4> {
    let range = Distribution::Uniform(-1.0, 1.0);
    Tensor::random([batch, 3, 32, 32], range, &Default::default())
}

#[test]
fn both_nestings_load_the_same_checker() {
    let (checker, pictures) = (checker(), pictures(3));
    let expected = checker.check(pictures.clone()).unwrap();
    for prefix in ["vision_model", "vision_model.vision_model"] {
        let folder = folder(&checker, prefix, Precision::AsStored);
        let loaded = open(&folder).unwrap();
        assert_eq!(loaded.check(pictures.clone()).unwrap(), expected);
    }
}

#[test]
fn position_ids_and_the_other_tower_do_no_harm() {
    #[derive(Module, Debug)]
    struct Whole<B: Backend> {
        tower: ChineseClipVision<B>,
        position_ids: Param<Tensor<B, 2>>,
        text_projection: Param<Tensor<B, 2>>,
        text_model: Param<Tensor<B, 1>>,
    }
    let device = Default::default();
    let tower = ChineseClipVision::<B>::new(&config(), &device).unwrap();
    let whole = Whole::<B> {
        tower,
        position_ids: Param::from_data([[0.0, 1.0]], &device),
        text_projection: Param::from_data([[0.0]], &device),
        text_model: Param::from_data([0.0], &device),
    };
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path());
    let keys = KeyMap::new()
        .rename("", "tower")
        .rename("vision_model.embeddings.position_ids", "position_ids")
        .rename("text_model.embeddings.word_embeddings.weight", "text_model");
    save(
        &whole,
        folder.path().join("model.safetensors"),
        &keys,
        Precision::AsStored,
    )
    .unwrap();

    let loaded =
        ChineseClipVision::<B>::open(folder.path(), &device, &LoadOptions::default()).unwrap();
    let pictures = pictures(2);
    let embeds = loaded.image_embeds(pictures.clone()).unwrap();
    let expected = whole.tower.image_embeds(pictures).unwrap();
    assert_eq!(embeds.to_data(), expected.into_data());
    // As a safety checker the same file lacks the concepts.
    let error = open(&folder).unwrap_err().to_string();
    assert!(error.contains("missing   concept_embeds"), "{error}");
}

#[test]
fn what_is_missing_is_named_as_the_file_has_it() {
    let checker = checker();
    for prefix in ["vision_model", "vision_model.vision_model"] {
        let folder = folder(&checker, prefix, Precision::AsStored);
        let deeper = json!({
            "projection_dim": 24,
            "vision_config": ClipVisionConfig { num_hidden_layers: 3, ..ClipVisionConfig::tiny() },
        });
        fs::write(folder.path().join("config.json"), deeper.to_string()).unwrap();
        let error = open(&folder).unwrap_err();
        assert!(matches!(
            error,
            PretrainedError::Weights(WeightsError::Mismatch { .. })
        ));
        let text = error.to_string();
        let name = format!("missing   {prefix}.encoder.layers.2.layer_norm1.bias");
        assert!(text.contains(&name), "{text}");
    }
}

#[test]
fn broken_folders_are_explained() {
    let folder = folder(&checker(), "vision_model", Precision::AsStored);
    let weights = folder.path().join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let text = open(&folder).unwrap_err().to_string();
    assert!(
        text.contains("model.safetensors") && text.contains("damaged or incomplete"),
        "{text}"
    );
    fs::remove_file(&weights).unwrap();
    let text = open(&folder).unwrap_err().to_string();
    assert!(
        text.contains("no model.safetensors or model.safetensors.index.json"),
        "{text}"
    );

    let config = folder.path().join("config.json");
    fs::write(&config, r#"{"vision_config": {"patch_size": 5}}"#).unwrap();
    let text = open(&folder).unwrap_err().to_string();
    assert!(
        text.contains("config.json") && text.contains("multiple of patch_size 5"),
        "{text}"
    );
    fs::write(&config, r#"{"model_type": "bert"}"#).unwrap();
    let text = open(&folder).unwrap_err().to_string();
    assert!(
        text.contains("config.json") && text.contains("no `vision_config`"),
        "{text}"
    );
    fs::remove_file(&config).unwrap();
    let text = open(&folder).unwrap_err().to_string();
    assert!(text.contains("no config.json"), "{text}");
}

#[test]
fn thresholds_decide() {
    let pictures = pictures(2);
    let with_thresholds = |value: f32| {
        let mut checker = checker();
        checker.concept_embeds_weights = checker.concept_embeds_weights.map(|w| w.full_like(value));
        checker.check(pictures.clone()).unwrap()
    };
    // Cosines lie between -1 and 1.
    for report in with_thresholds(-1.5) {
        assert!(report.is_flagged());
        assert_eq!(report.concepts.len(), 17);
    }
    for report in with_thresholds(1.5) {
        assert!(!report.is_flagged());
        assert_eq!(report.concept_scores.len(), 17);
        assert_eq!(report.special_care_scores.len(), 3);
    }
}

#[test]
fn nan_does_not_pass_for_harmless() {
    let refused = |checker: SafetyChecker<B>| checker.check(pictures(2)).unwrap_err();
    let mut encoder = checker();
    let norm = &mut encoder.vision_model.post_layernorm.weight;
    *norm = norm.clone().map(|gamma| gamma.full_like(f32::NAN));
    assert_eq!(refused(encoder), VisionError::NotANumber { picture: 0 });

    let mut thresholds = checker();
    let weights = &mut thresholds.concept_embeds_weights;
    *weights = weights.clone().map(|weights| weights.full_like(f32::NAN));
    assert_eq!(refused(thresholds), VisionError::NotANumber { picture: 0 });
}

#[test]
fn f16_weights_stay_f16_and_judge_alike() {
    let checker = checker();
    let folder = folder(&checker, "vision_model", Precision::Cast(DType::F16));
    let half = open(&folder).unwrap();
    let pictures = pictures(3);
    assert_eq!(
        half.image_embeds(pictures.clone()).unwrap().dtype(),
        DType::F16
    );
    let expected = checker.check(pictures.clone()).unwrap();
    for (report, expected) in half.check(pictures).unwrap().iter().zip(&expected) {
        for (score, expected) in report.concept_scores.iter().zip(&expected.concept_scores) {
            assert!(
                (score - expected).abs() < F16_TOLERANCE,
                "{score} {expected}"
            );
        }
    }
}

#[test]
fn pictures_of_another_shape_are_refused_until_the_encoder_is_resized() {
    let device = Default::default();
    let vision = ClipVisionConfig::tiny().init::<B>(&device).unwrap();
    assert_eq!(vision.picture_shape(), [3, 32, 32]);
    let large = Tensor::zeros([2, 3, 48, 48], &device);
    let error = vision.encode(large.clone()).unwrap_err();
    let (expected, found) = ([3, 32, 32], [3, 48, 48]);
    assert_eq!(error, VisionError::PictureShape { expected, found });

    let vision = vision.with_image_size(48).unwrap();
    assert_eq!(vision.features_shape(), [37, 32]);
    assert_eq!(vision.encode(large).unwrap().dims(), [2, 37, 32]);
    let error = vision.with_image_size(33).unwrap_err();
    assert!(matches!(
        error,
        VisionError::Config { field: "image_size", value, .. } if value == "33"
    ));
}

#[test]
fn positions_of_another_picture_size_stay_the_same_parameter() {
    let device = Default::default();
    for trains in [true, false] {
        let vision = ClipVisionConfig::tiny()
            .init::<Autodiff<B>>(&device)
            .unwrap();
        let vision = match trains {
            true => vision,
            false => vision.no_grad(),
        };
        let table = |vision: &ClipVision<Autodiff<B>>| {
            let table = &vision.embeddings.position_embedding.weight;
            (table.id, table.is_require_grad())
        };
        let before = table(&vision);
        assert_eq!(before.1, trains);
        assert_eq!(table(&vision.with_image_size(48).unwrap()), before);
    }
}

#[test]
fn embeddings_of_another_model_are_refused() {
    let device = Default::default();
    let tower = ChineseClipVision::<B>::new(&config(), &device).unwrap();
    let embeds = |width| Tensor::ones([1, width], &device);
    let error = tower.scores(embeds(24), embeds(20)).unwrap_err();
    assert_eq!(
        error,
        VisionError::EmbeddingWidth {
            pictures: 24,
            texts: 20
        }
    );
    // Embeddings of zeros are like nothing, and not NaN.
    let scores = tower.scores(embeds(24).zeros_like(), embeds(24)).unwrap();
    assert_eq!(scores.into_scalar(), 0.0);
}
