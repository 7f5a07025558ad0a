//! `l_tokenizer_*`: ids of texts, and texts of ids.

use std::fs;

use mpm_core::pretrained::PretrainedFolder;
use mpm_llm::{
    LlmError,
    llama::{LlamaConfig, LlamaTokenizer},
};
use mpm_test_support::{Case, own_cases, report};
use serde::Deserialize;

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<i32>,
    rendered: Vec<i32>,
    decoded: String,
}

fn open(case: &Case, vocab_size: usize) -> Result<LlamaTokenizer, String> {
    let folder = tempfile::tempdir().unwrap();
    let json = case.json["tokenizer"].to_string();
    fs::write(folder.path().join("tokenizer.json"), json).unwrap();
    let config = LlamaConfig {
        vocab_size,
        ..LlamaConfig::tiny()
    };
    let folder = PretrainedFolder::open(folder.path()).unwrap();
    LlamaTokenizer::open(&folder, &config).map_err(|error| error.to_string())
}

#[test]
fn texts() {
    let cases = own_cases("l_tokenizer_");
    for case in &cases {
        let size = case.size("/size");
        // A table that is padded, as Qwen's is.
        let tokenizer = open(case, size + 4).unwrap();
        let texts: Vec<Text> = serde_json::from_value(case.json["cases"].clone()).unwrap();
        for text in texts {
            let name = format!("{} {:?}", case.name, text.text);
            assert_eq!(tokenizer.encode(&text.text).unwrap(), text.ids, "{name}");
            let rendered = tokenizer.encode_rendered(&text.text).unwrap();
            assert_eq!(rendered, text.rendered, "{name}");
            let decoded = tokenizer.decode(&text.rendered).unwrap();
            assert_eq!(decoded, text.decoded, "{name}");
        }
        let last = size as i32 - 1;
        assert_eq!(tokenizer.id("<tool>"), Some(last));
        assert_eq!(tokenizer.bytes_of(last).unwrap(), b"<tool>");
        assert!(tokenizer.bytes_of(last + 4).unwrap().is_empty());
        for unknown in [-1, last + 5] {
            assert!(matches!(
                tokenizer.bytes_of(unknown),
                Err(LlmError::UnknownId { id, .. }) if id == unknown
            ));
        }
    }
    report(cases.len(), "l_tokenizer");
}

#[test]
fn tokenizers_of_other_models_are_refused() {
    for case in own_cases("l_tokenizer_") {
        let size = case.size("/size");
        open(&case, size).unwrap();
        let error = open(&case, size - 1).unwrap_err();
        let expected = format!(
            "tokenizer.json: the vocabulary has tokens up to id {}, but the model has {}",
            size - 1,
            size - 1
        );
        assert!(error.contains(&expected), "{error}");
    }
}
