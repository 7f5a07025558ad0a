//! Folders of BERT models: tokenizers in both forms, files that are missing or wrong, long texts.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use burn::{backend::Flex, module::Module, tensor::DType};
use mpm_core::{
    pretrained::{PretrainedError, PretrainedFolder},
    weights::{LoadOptions, Precision, save},
};
use mpm_llm::{
    LlmError,
    bert::{
        BertClassifier, BertConfig, BertTokenizer, BlockRule, ChineseClipText,
        ChineseClipTextConfig, ChineseClipTextEncoder, Classification, PromptClassifier,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

type B = Flex;

/// The vocabulary that `transformers` tests its tokenizer with, and some Chinese.
const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nwant\n##want\n##ed\nwa\nun\nrunn\n\
                          ##ing\n,\nlow\nlowest\nah\nzz\n博\n推\nhello\nHello\nhéllo\n!\n";

fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    fs::write(folder.path().join(name), content).unwrap();
}

fn open_tokenizer(folder: &TempDir) -> Result<BertTokenizer, PretrainedError> {
    let opened = PretrainedFolder::open(folder.path()).unwrap();
    BertTokenizer::open(&opened, &BertConfig::tiny())
}

/// A folder with `vocab.txt` and what `tokenizer_config.json` says.
fn tokenizer(settings: Value) -> BertTokenizer {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "vocab.txt", VOCABULARY);
    file(&folder, "tokenizer_config.json", settings.to_string());
    open_tokenizer(&folder).unwrap()
}

/// The tokens of a text, without those around it.
fn pieces(tokenizer: &BertTokenizer, text: &str) -> Vec<&'static str> {
    let names: Vec<&str> = VOCABULARY.lines().collect();
    let ids = tokenizer.encode(&[text]).unwrap().input.ids;
    let [2, inner @ .., 3] = &ids[..] else {
        panic!("{ids:?} are not framed")
    };
    inner.iter().map(|&id| names[id as usize]).collect()
}

#[test]
fn words_are_cut_as_transformers_cuts_them() {
    let lower = tokenizer(json!({}));
    assert_eq!(
        pieces(&lower, "UNwant\u{e9}d,running"),
        ["un", "##want", "##ed", ",", "runn", "##ing"]
    );
    assert_eq!(
        pieces(&lower, "ah\u{535a}\u{63a8}zz"),
        ["ah", "博", "推", "zz"]
    );
    assert_eq!(
        pieces(&lower, " \tHeLLo!how  \n lowest "),
        ["hello", "!", "[UNK]", "lowest"]
    );
    // Control characters vanish, spaces of all kinds separate.
    assert_eq!(
        pieces(&lower, "he\u{0}l\u{200b}lo\u{3000}hello"),
        ["hello", "hello"]
    );
    assert_eq!(
        pieces(&lower, "[SEP]hello [MASK]"),
        ["[SEP]", "hello", "[MASK]"]
    );
    assert_eq!(pieces(&lower, &"zz".repeat(60)), ["[UNK]"]);
    assert!(pieces(&lower, "").is_empty());
}

#[test]
fn settings_decide_about_case_and_accents() {
    let cased = tokenizer(json!({"do_lower_case": false}));
    assert_eq!(
        pieces(&cased, "Hello hello HELLO"),
        ["Hello", "hello", "[UNK]"]
    );
    let accents = tokenizer(json!({"do_lower_case": true, "strip_accents": false}));
    assert_eq!(pieces(&accents, "H\u{e9}LLO"), ["héllo"]);
    assert_eq!(
        pieces(&tokenizer(json!({"strip_accents": null})), "H\u{e9}LLO"),
        ["hello"]
    );
    let joined = tokenizer(json!({"tokenize_chinese_chars": false}));
    assert_eq!(pieces(&joined, "ah\u{535a}"), ["[UNK]"]);
    let named = tokenizer(json!({"cls_token": {"content": "[CLS]", "lstrip": false}}));
    assert_eq!(pieces(&named, "hello"), ["hello"]);
}

#[test]
fn a_tokenizer_file_is_as_good_as_a_vocabulary() {
    let ids: BTreeMap<&str, usize> = VOCABULARY.lines().zip(0..).collect();
    let normalizer = json!({
        "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
        "strip_accents": null, "lowercase": true,
    });
    let content = |normalizer: &Value, model: &str| {
        json!({
            "version": "1.0", "truncation": {
                "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0,
            },
            "padding": null, "added_tokens": [], "normalizer": normalizer,
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
            "model": {
                "type": model, "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": ids,
            },
        })
        .to_string()
    };
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "tokenizer.json", content(&normalizer, "WordPiece"));
    let text = "UNwant\u{e9}d,running [SEP] ah\u{535a}zz Hello";
    let expected = pieces(&tokenizer(json!({})), text);
    assert_eq!(pieces(&open_tokenizer(&folder).unwrap(), text), expected);
    file(
        &folder,
        "tokenizer_config.json",
        r#"{"do_lower_case": false}"#,
    );
    assert_eq!(
        pieces(&open_tokenizer(&folder).unwrap(), "Hello HELLO"),
        ["Hello", "[UNK]"]
    );

    for (content, reason) in [
        (
            content(&json!({"type": "NFC"}), "WordPiece"),
            "its normalizer is not `BertNormalizer`",
        ),
        (
            content(&normalizer, "WordLevel"),
            "its model is not `WordPiece`",
        ),
        ("{}".to_owned(), "no tokenizer for BERT"),
    ] {
        file(&folder, "tokenizer.json", content);
        let text = open_tokenizer(&folder).unwrap_err().to_string();
        assert!(
            text.contains("tokenizer.json") && text.contains(reason),
            "{text}"
        );
    }
}

#[test]
fn vocabularies_that_do_not_fit_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |part: &str| {
        let text = open_tokenizer(&folder).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    };
    refused("no vocab.txt or tokenizer.json");
    file(&folder, "vocab.txt", "");
    refused("vocab.txt: this is no tokenizer for BERT: the vocabulary lacks the special token");
    file(&folder, "vocab.txt", VOCABULARY.replace("[SEP]\n", ""));
    refused("lacks the special token `[SEP]`");
    file(&folder, "vocab.txt", b"[PAD]\n\xff\xfe\n");
    refused("vocab.txt: this is no tokenizer for BERT: stream did not contain valid UTF-8");
    let error = open_tokenizer(&folder).unwrap_err();
    let cause = error.source().unwrap();
    assert!(cause.source().is_some(), "{cause} has no cause");
    let many: String = (0..60).map(|word| format!("word{word}\n")).collect();
    file(&folder, "vocab.txt", format!("{VOCABULARY}{many}"));
    refused("tokens up to id 82, but the model has 64");
    file(&folder, "vocab.txt", VOCABULARY);
    file(
        &folder,
        "tokenizer_config.json",
        r#"{"do_basic_tokenize": false}"#,
    );
    refused("`do_basic_tokenize` is false");
    file(&folder, "tokenizer_config.json", r#"{"cls_token": 7}"#);
    refused("tokenizer_config.json");
    fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    // Lines may end as on Windows, and training's `[MASK]` may be absent.
    let bare = VOCABULARY
        .replace("[MASK]", "[unused]")
        .replace('\n', "\r\n");
    file(&folder, "vocab.txt", bare);
    let unmasked = open_tokenizer(&folder).unwrap();
    assert_eq!(pieces(&unmasked, "hello"), ["hello"]);
}

#[test]
fn long_texts_lose_their_ends_and_say_so() {
    let tokenizer = tokenizer(json!({}));
    let long = "hello ".repeat(30);
    let encoding = tokenizer.encode(&["zz", &long]).unwrap();
    // The toy reads 24 tokens, of which 22 are the text's.
    assert_eq!((encoding.input.batch, encoding.input.seq_len), (2, 24));
    assert_eq!(encoding.tokens_cut, [0, 8]);
    assert_eq!(encoding.input.ids[..5], [2, 16, 3, 0, 0]);
    let [2, inner @ .., 3] = &encoding.input.ids[24..] else {
        panic!("{:?} are not framed", encoding.input)
    };
    assert!(inner.iter().all(|&id| id == 19));
}

#[test]
fn a_configuration_without_room_for_a_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "vocab.txt", VOCABULARY);
    let opened = PretrainedFolder::open(folder.path()).unwrap();
    let config = BertConfig {
        max_position_embeddings: 1,
        ..BertConfig::tiny()
    };
    let error = BertTokenizer::open(&opened, &config).unwrap_err();
    assert!(
        error.to_string().contains("max_position_embeddings"),
        "{error}"
    );
}

fn save_classifier(folder: &Path, config: &BertConfig, precision: Precision) -> BertClassifier<B> {
    let fresh = BertClassifier::<B>::new(config, &Default::default()).unwrap();
    let model = fresh.clone().load_record(fresh.into_record());
    let keys = BertClassifier::<B>::checkpoint_keys(config);
    save(&model, folder.join("model.safetensors"), &keys, precision).unwrap();
    fs::write(
        folder.join("config.json"),
        serde_json::to_string(config).unwrap(),
    )
    .unwrap();
    fs::write(folder.join("vocab.txt"), VOCABULARY).unwrap();
    model
}

fn open_classifier(folder: &TempDir, rule: BlockRule) -> Result<PromptClassifier<B>, String> {
    let options = LoadOptions::default();
    PromptClassifier::open(folder.path(), rule, &Default::default(), &options)
        .map_err(|error| error.to_string())
}

#[test]
fn the_rule_decides_about_a_prompt() {
    let folder = tempfile::tempdir().unwrap();
    save_classifier(folder.path(), &BertConfig::tiny(), Precision::AsStored);
    let classifier = open_classifier(&folder, BlockRule::default()).unwrap();
    let classification = classifier.classify("hello").unwrap();
    let [top, other] = &classification.labels[..] else {
        panic!("{classification:?}")
    };
    assert!(top.score >= other.score && (top.score + other.score - 1.0).abs() < 1e-6);

    let rule = |label: &str, threshold| BlockRule {
        label: label.to_owned(),
        threshold,
    };
    let verdict = |rule| {
        open_classifier(&folder, rule)
            .unwrap()
            .check("hello")
            .unwrap()
    };
    let refused = verdict(rule(&top.label, 0.0));
    let refusal = refused.refusal().unwrap();
    assert_eq!(refusal.classification, classification);
    assert!(refusal.to_string().contains(&top.label));
    assert!(verdict(rule(&top.label, 1.0)).refusal().is_none());
    assert!(verdict(rule(&other.label, 0.0)).refusal().is_none());

    let text = open_classifier(&folder, rule("unsafe", 0.5)).unwrap_err();
    assert!(
        text.contains("config.json") && text.contains("`unsafe`"),
        "{text}"
    );
    let text = open_classifier(&folder, rule("LABEL_1", 75.0)).unwrap_err();
    assert!(text.contains("threshold is 75"), "{text}");
}

#[test]
fn the_worst_window_of_a_long_prompt_counts() {
    // The toy reads 22 tokens of a text at a time, half of them once more in the next window.
    let mut words = vec!["hello"; 22];
    words.extend(["zz"; 11]);
    let windows = [words[..22].join(" "), words[11..].join(" ")];
    let whole = words.join(" ");
    let folder = tempfile::tempdir().unwrap();
    let mut differences = 0;
    for precision in [Precision::AsStored, Precision::Cast(DType::F16)] {
        save_classifier(folder.path(), &BertConfig::tiny(), precision);
        // What is the better window for one label is the worse one for the other.
        for label in ["LABEL_0", "LABEL_1"] {
            let rule = BlockRule {
                label: label.to_owned(),
                threshold: 0.5,
            };
            let classifier = open_classifier(&folder, rule).unwrap();
            let score = |classification: &Classification| {
                let mut labels = classification.labels.iter();
                labels.find(|found| found.label == label).unwrap().score
            };
            let [first, last] = windows
                .each_ref()
                .map(|window| classifier.classify(window).unwrap());
            differences += usize::from(first != last);
            let worst = if score(&first) > score(&last) {
                first
            } else {
                last
            };
            assert_eq!(classifier.classify(&whole).unwrap(), worst);
            let refused = classifier.check(&whole).unwrap().refusal().is_some();
            assert_eq!(refused, score(&worst) > 0.5);
        }
    }
    assert!(differences > 0);
}

#[test]
fn broken_classifiers_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |part: &str| {
        let text = open_classifier(&folder, BlockRule::default()).unwrap_err();
        assert!(text.contains(part), "{text}");
    };
    refused("no config.json");
    file(&folder, "config.json", r#"{"hidden_act": "relu"}"#);
    refused("hidden_act = relu; allowed: gelu");
    let model = save_classifier(folder.path(), &BertConfig::tiny(), Precision::AsStored);
    let weights = folder.path().join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    file(&folder, "model.safetensors", &whole[..whole.len() - 8]);
    refused("damaged or incomplete");
    fs::remove_file(&weights).unwrap();
    refused("no model.safetensors or model.safetensors.index.json");

    // Without its head, and named as the file names it.
    let config = BertConfig::tiny();
    let keys = BertClassifier::<B>::checkpoint_keys(&config);
    save(&model.bert.encoder, weights, &keys, Precision::AsStored).unwrap();
    refused("missing   bert.encoder.layer.0.attention.self.key.bias");
}

#[test]
fn the_text_tower_is_found_in_the_whole_model() {
    let config = ChineseClipTextConfig {
        text_config: BertConfig::tiny(),
        projection_dim: 20,
    };
    let device = Default::default();
    let fresh = ChineseClipText::<B>::new(&config, &device).unwrap();
    let tower = fresh.clone().load_record(fresh.into_record());
    let folder = tempfile::tempdir().unwrap();
    let keys = ChineseClipText::<B>::checkpoint_keys(&config);
    let weights = folder.path().join("model.safetensors");
    save(&tower, &weights, &keys, Precision::AsStored).unwrap();
    with_more_tensors(
        &weights,
        &[
            "logit_scale",
            "text_model.embeddings.position_ids",
            "text_model.pooler.dense.weight",
            "vision_model.embeddings.class_embedding",
            "visual_projection.weight",
        ],
    );
    file(&folder, "vocab.txt", VOCABULARY);
    let json = json!({"text_config": config.text_config, "projection_dim": 20});
    file(&folder, "config.json", json.to_string());

    let open = || {
        ChineseClipTextEncoder::<B>::open(folder.path(), &device, &LoadOptions::default())
            .map_err(|error| error.to_string())
    };
    let encoder = open().unwrap();
    let texts = ["hello", "ah\u{535a}zz, running"];
    let embeds = encoder.embed(&texts).unwrap();
    assert_eq!(embeds.dims(), [2, 20]);
    // Padding has no effect, up to the order of sums.
    let alone = encoder.embed(&texts[..1]).unwrap();
    let difference = (embeds.slice(0..1) - alone).abs().max().into_scalar();
    assert!(difference < 1e-5, "{difference}");
    assert!(matches!(encoder.embed(&[]), Err(LlmError::EmptyBatch)));

    with_more_tensors(&weights, &["text_model.decoder"]);
    let text = open().unwrap_err();
    assert!(text.contains("not used  text_model.decoder"), "{text}");
    file(&folder, "config.json", r#"{"vision_config": {}}"#);
    assert!(open().unwrap_err().contains("no `text_config`"));
}

/// Adds scalars to a safetensors file.
fn with_more_tensors(path: &Path, names: &[&str]) {
    let bytes = fs::read(path).unwrap();
    let old = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let zero = [0; 4];
    let scalar =
        || safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![], &zero).unwrap();
    let mut tensors = old.tensors();
    tensors.extend(names.iter().map(|name| ((*name).to_owned(), scalar())));
    safetensors::serialize_to_file(tensors, None, path).unwrap();
}
