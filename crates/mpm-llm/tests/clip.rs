//! Folders of CLIP models as their text side reads them: files that are missing or wrong, long
//! texts, and texts that do not end.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, error::Error, fs};

use burn::{
    backend::Flex,
    module::{Module, Param},
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    pretrained::{PretrainedError, PretrainedFolder},
    weights::{KeyMap, LoadOptions, Precision, WeightsError, save},
};
use mpm_llm::{
    LlmError,
    clip::{
        ClipTextConfig, ClipTextEncoder, ClipTextInput, ClipTextTower, ClipTextTowerConfig,
        ClipTokenizer,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

type B = Flex;

/// f16 rounds each of some tens of intermediate values to 11 bits, 2⁻¹¹ ≈ 5e-4.
const F16_TOLERANCE: f32 = 2e-2;

fn config() -> ClipTextTowerConfig {
    ClipTextTowerConfig {
        text_config: ClipTextConfig::tiny(),
        projection_dim: 24,
    }
}

/// Letters and some merged pairs, with the end of a text as the last of 64 tokens.
fn tokenizer(model: &str, end: &str) -> String {
    let mut pieces: Vec<String> = ('a'..='z').map(String::from).collect();
    pieces.extend(('a'..='z').map(|letter| format!("{letter}</w>")));
    pieces.extend(["ca", "cat</w>", "!", "!</w>"].map(String::from));
    pieces.resize_with(62, || "unused".to_owned());
    for (number, piece) in pieces.iter_mut().enumerate().skip(56) {
        *piece = format!("unused{number}");
    }
    pieces.extend(["<|startoftext|>".to_owned(), end.to_owned()]);
    let vocabulary: BTreeMap<&String, usize> = pieces.iter().zip(0..).collect();
    json!({
        "version": "1.0", "truncation": null, "added_tokens": [],
        "padding": {
            "strategy": {"Fixed": 16}, "direction": "Left", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "a",
        },
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": null, "decoder": null,
        "model": {
            "type": model, "dropout": null, "unk_token": end, "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false,
            "vocab": vocabulary, "merges": ["c a", "ca t</w>"],
        },
    })
    .to_string()
}

fn write(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    fs::write(folder.path().join(name), content).unwrap();
}

fn tower() -> ClipTextTower<B> {
    let fresh = ClipTextTower::new(&config(), &Default::default()).unwrap();
    fresh.clone().load_record(fresh.into_record())
}

fn folder(tower: &ClipTextTower<B>, precision: Precision) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = json!({
        "projection_dim": 24, "text_config": ClipTextConfig::tiny(), "vision_config": {},
    });
    write(&folder, "config.json", file.to_string());
    write(&folder, "tokenizer.json", tokenizer("BPE", "<|endoftext|>"));
    let weights = folder.path().join("model.safetensors");
    save(tower, weights, &KeyMap::new(), precision).unwrap();
    folder
}

fn open(folder: &TempDir) -> Result<ClipTextEncoder<B>, PretrainedError> {
    ClipTextEncoder::open(folder.path(), &Default::default(), &LoadOptions::default())
}

fn refused(folder: &TempDir) -> String {
    open(folder).unwrap_err().to_string()
}

#[test]
fn a_folder_embeds_texts() {
    let tower = tower();
    let encoder = open(&folder(&tower, Precision::AsStored)).unwrap();
    let encoding = encoder.tokenizer.encode(&["Cat at", ""]).unwrap();
    // Of the file's own padding nothing is left.
    assert_eq!(encoding.input.ids, [62, 53, 0, 45, 63, 62, 63, 63, 63, 63]);
    assert_eq!(encoding.tokens_cut, [0, 0]);
    let embeds = encoder.embed(&["Cat at", ""]).unwrap();
    let expected = tower.text_embeds(&encoding.input).unwrap();
    assert_eq!(embeds.to_data(), expected.to_data());
    // What follows a text does not change it.
    let alone: Vec<f32> = encoder.embed(&[""]).unwrap().into_data().iter().collect();
    let batched: Vec<f32> = embeds.narrow(0, 1, 1).into_data().iter().collect();
    let differs = |(left, right): (&f32, &f32)| (left - right).abs() > 1e-6;
    assert!(
        !alone.iter().zip(&batched).any(differs),
        "{alone:?} {batched:?}"
    );
}

#[test]
fn the_other_tower_does_no_harm() {
    #[derive(Module, Debug)]
    struct Whole<B: Backend> {
        tower: ClipTextTower<B>,
        position_ids: Param<Tensor<B, 2>>,
        vision_model: Param<Tensor<B, 1>>,
        visual_projection: Param<Tensor<B, 1>>,
        logit_scale: Param<Tensor<B, 1>>,
    }
    let device = Default::default();
    let tower = tower();
    let one = || Param::from_data([1.0], &device);
    let whole = Whole::<B> {
        tower: tower.clone(),
        position_ids: Param::from_data([[0.0, 1.0]], &device),
        vision_model: one(),
        visual_projection: one(),
        logit_scale: one(),
    };
    let folder = folder(&tower, Precision::AsStored);
    let keys = KeyMap::new()
        .rename("", "tower")
        .rename("text_model.embeddings.position_ids", "position_ids")
        .rename("vision_model.post_layernorm.weight", "vision_model")
        .rename("visual_projection.weight", "visual_projection");
    let weights = folder.path().join("model.safetensors");
    save(&whole, weights, &keys, Precision::AsStored).unwrap();
    let embeds = open(&folder).unwrap().embed(&["a cat"]).unwrap();
    assert_eq!(embeds.dims(), [1, 24]);
}

#[test]
fn long_texts_lose_their_ends() {
    let encoder = open(&folder(&tower(), Precision::AsStored)).unwrap();
    let long = "cat ".repeat(20);
    let encoding = encoder.tokenizer.encode(&[&long]).unwrap();
    assert_eq!(encoding.tokens_cut, [6]);
    assert_eq!(encoding.input.seq_len, 16);
    assert_eq!(encoding.input.ids.last(), Some(&63));
    assert!(encoder.embed(&[&long]).is_ok());
    assert!(matches!(encoder.embed(&[]), Err(LlmError::EmptyBatch)));
}

#[test]
fn padding_is_what_the_folder_says() {
    let folder = tempfile::tempdir().unwrap();
    let last_id = || {
        let opened = PretrainedFolder::open(folder.path()).unwrap();
        let tokenizer = ClipTokenizer::open(&opened, &config().text_config).unwrap();
        let filled = |tokenizer: &ClipTokenizer| {
            let input = tokenizer.encode_filled(&["cat", "a"]).unwrap().input;
            assert_eq!((input.batch, input.seq_len), (2, tokenizer.max_tokens()));
            input.ids.last().copied().unwrap()
        };
        assert_eq!(filled(&tokenizer.clone().with_padding(7)), 7);
        filled(&tokenizer)
    };
    write(&folder, "tokenizer.json", tokenizer("BPE", "<|endoftext|>"));
    let (end, a, mark) = (63, 0, 54);
    assert_eq!(last_id(), end);
    write(&folder, "tokenizer_config.json", r#"{"pad_token": "a"}"#);
    assert_eq!(last_id(), a);
    write(
        &folder,
        "special_tokens_map.json",
        r#"{"pad_token": {"content": "!"}}"#,
    );
    assert_eq!(last_id(), mark);
    // Folders with a list of added tokens keep the map for older readers only.
    let settings = r#"{"pad_token": "a", "added_tokens_decoder": {}}"#;
    write(&folder, "tokenizer_config.json", settings);
    assert_eq!(last_id(), a);
}

#[test]
fn ids_of_another_model_are_refused() {
    let tower = tower();
    let refused = |rows: &[Vec<i32>]| {
        tower
            .text_embeds(&ClipTextInput::pad(rows, 63))
            .unwrap_err()
    };
    assert!(matches!(
        refused(&[vec![62, 64, 63]]),
        LlmError::InputRange { value: 64, .. }
    ));
    assert!(matches!(
        refused(&[vec![-1, 63]]),
        LlmError::InputRange { value: -1, .. }
    ));
    assert!(matches!(
        refused(&[vec![63; 17]]),
        LlmError::TextTooLong { tokens: 17, .. }
    ));
    assert!(matches!(
        refused(&[vec![62, 3]]),
        LlmError::NoEndOfText { row: 0, .. }
    ));
    let short = ClipTextInput {
        ids: vec![63],
        ..ClipTextInput::pad(&[vec![62, 63]], 63)
    };
    let error = tower.text_embeds(&short).unwrap_err();
    assert!(matches!(error, LlmError::InputLength { .. }));
}

#[test]
fn broken_folders_are_explained() {
    let folder = folder(&tower(), Precision::AsStored);
    let contains = |part: &str| {
        let text = refused(&folder);
        assert!(text.contains(part), "{text}");
    };
    let text_config = |change: Value| {
        let mut text = json!(ClipTextConfig::tiny());
        text.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        json!({"projection_dim": 24, "text_config": text}).to_string()
    };
    write(
        &folder,
        "config.json",
        text_config(json!({"num_hidden_layers": 3})),
    );
    assert!(matches!(
        open(&folder),
        Err(PretrainedError::Weights(WeightsError::Mismatch { .. }))
    ));
    contains("missing   text_model.encoder.layers.2.layer_norm1.bias");
    write(
        &folder,
        "config.json",
        text_config(json!({"num_attention_heads": 5})),
    );
    contains("a multiple of num_attention_heads");
    write(
        &folder,
        "config.json",
        text_config(json!({"vocab_size": 63, "eos_token_id": 2})),
    );
    contains("up to id 63");
    write(
        &folder,
        "config.json",
        text_config(json!({"eos_token_id": 61})),
    );
    contains("its texts end with 63 (`<|endoftext|>`), but the model's with 61");
    write(&folder, "config.json", r#"{"model_type": "bert"}"#);
    contains("no `text_config`");

    write(&folder, "config.json", text_config(json!({})));
    write(&folder, "tokenizer.json", tokenizer("BPE", "<end>"));
    contains("lacks the special token `<|endoftext|>`");
    write(
        &folder,
        "tokenizer_config.json",
        r#"{"eos_token": {"content": "<end>"}, "pad_token": "!"}"#,
    );
    let encoding = open(&folder).unwrap().tokenizer.encode(&["a", ""]).unwrap();
    assert_eq!(encoding.input.ids, [62, 26, 63, 62, 63, 54]);
    write(&folder, "tokenizer.json", tokenizer("WordLevel", "<end>"));
    contains("its model is not `BPE`");
    write(&folder, "tokenizer.json", "{}");
    contains("no tokenizer for CLIP");
    let error = open(&folder).unwrap_err();
    let cause = error.source().unwrap();
    assert!(cause.source().is_some(), "{cause} has no cause");
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    contains("the folder has no tokenizer.json");
    write(&folder, "tokenizer.json", tokenizer("BPE", "<end>"));
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    contains("no model.safetensors or model.safetensors.index.json");
}

#[test]
fn f16_weights_stay_f16_and_embed_alike() {
    let tower = tower();
    let half = open(&folder(&tower, Precision::Cast(DType::F16))).unwrap();
    let weight = half.tower.text_projection.weight.float().unwrap().val();
    assert_eq!(weight.dtype(), DType::F16);
    let input = half.tokenizer.encode(&["a cat", "dog"]).unwrap().input;
    let expected = tower.text_embeds(&input).unwrap();
    let found = half.tower.text_embeds(&input).unwrap();
    assert_eq!(found.dtype(), DType::F32);
    let error = (found - expected).abs().max().into_scalar();
    assert!(error < F16_TOLERANCE, "{error}");
}
