//! Cases `a_*`: strings to ids and back.

use mpm_llm::LlmError;
use mpm_llm::tokenizer::{CpmBeeTokenizer, ExtTable, TokenKind, Vocabulary, escape, unescape};
use serde_json::Value;

use crate::common;

fn ints(value: &Value) -> Vec<i32> {
    let ints = value.as_array().unwrap().iter();
    ints.map(|v| v.as_i64().unwrap() as i32).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn table(value: &Value) -> ExtTable {
    let entries = value.as_object().unwrap().iter();
    entries
        .map(|(id, t)| (id.parse().unwrap(), text(t)))
        .collect()
}

/// The vocabulary a case was made with; `None` where it is not at hand.
pub fn tokenizer_for(case: &Value) -> Option<CpmBeeTokenizer> {
    let small = case["vocab_file"]
        .as_str()
        .is_some_and(|file| file.contains("small_vocab"));
    let path = if small {
        common::small_vocabulary()
    } else {
        common::real_vocabulary()
    };
    Some(CpmBeeTokenizer::new(Vocabulary::from_file(path?).unwrap()).unwrap())
}

fn check_tokens(tokenizer: &CpmBeeTokenizer, case: &Value) {
    let source = text(&case["text"]);
    let tokens = tokenizer.tokenize(source).unwrap();
    let expected = case["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), expected.len(), "tokens of {source:?}");
    let mut at = 0;
    for (token, expected) in tokens.iter().zip(expected) {
        let kind = match (expected[2].as_bool(), expected[3].as_bool()) {
            (Some(true), Some(false)) => TokenKind::Unknown,
            (Some(false), Some(true)) => TokenKind::Special,
            _ => TokenKind::Word(tokenizer.vocabulary().id(&token.text).unwrap()),
        };
        assert_eq!(token.text, text(&expected[0]), "in {source:?}");
        assert_eq!(
            token.start as u64,
            expected[1].as_u64().unwrap(),
            "in {source:?}"
        );
        assert_eq!(token.kind, kind, "in {source:?}");
        assert_eq!(token.bytes.start, at, "in {source:?}");
        at = token.bytes.end;
        let written = &source[token.bytes.clone()];
        if token.kind != TokenKind::Special {
            assert_eq!(unescape(written), token.text.as_str());
        }
    }
    assert_eq!(at, source.len(), "tokens cover {source:?}");
}

fn check_encoding(tokenizer: &CpmBeeTokenizer, case: &Value, mut ext: ExtTable) {
    let source = text(&case["text"]);
    let ids = tokenizer.encode_with(source, &mut ext).unwrap();
    assert_eq!(ids, ints(&case["ids"]), "ids of {source:?}");
    assert_eq!(
        ext,
        table(&case["ext_table"]),
        "extension table of {source:?}"
    );
    assert_eq!(tokenizer.decode(&ids, &ext).unwrap(), text(&case["decode"]));
}

fn check_error(tokenizer: &CpmBeeTokenizer, case: &Value) {
    let source = text(&case["text"]);
    let message = text(&case["message"]);
    let error = tokenizer.encode(source).unwrap_err();
    match error {
        LlmError::InvalidSpecialToken { position } => {
            assert_eq!(message, format!("Invalid special token at pos {position}"));
        }
        LlmError::UnexpectedEndOfText { position } => {
            assert_eq!(message, format!("Unexpected end of text `{source}`"));
            // The reference names no position; ours is that of the bracket left open.
            assert_eq!(source.chars().nth(position), Some('<'), "in {source:?}");
            assert!(
                source
                    .chars()
                    .skip(position + 1)
                    .all(|c| c != '<' && c != '>')
            );
        }
        other => panic!("{source:?}: {other}"),
    }
}

#[test]
fn tokenizer() {
    let mut count = 0;
    for name in common::cases("a_") {
        let file = common::json(&name);
        let Some(tokenizer) = tokenizer_for(&file) else {
            continue;
        };
        let vocabulary = tokenizer.vocabulary();
        assert_eq!(
            vocabulary.len() as u64,
            file["vocab_size"].as_u64().unwrap()
        );
        assert_eq!(
            vocabulary.max_word_len() as u64,
            file["max_word_len"].as_u64().unwrap()
        );
        for (token, id) in file["special_tokens"].as_object().unwrap() {
            assert_eq!(vocabulary.id(token).map(u64::from), id.as_u64(), "{token}");
        }
        let group = |key: &str| file[key].as_array().unwrap();
        for case in group("cases") {
            check_tokens(&tokenizer, case);
            check_encoding(&tokenizer, case, ExtTable::new());
        }
        for case in group("past_table_cases") {
            check_encoding(&tokenizer, case, table(&case["past_table"]));
        }
        for case in group("errors") {
            check_error(&tokenizer, case);
        }
        for case in group("decode_cases") {
            let decoded = tokenizer.decode(&ints(&case["ids"]), &table(&case["ext_table"]));
            assert_eq!(decoded.unwrap(), text(&case["decode"]));
        }
        for case in group("decode_errors") {
            let ext = case.get("ext_table").map(table).unwrap_or_default();
            let error = tokenizer.decode(&ints(&case["ids"]), &ext).unwrap_err();
            assert!(
                matches!(error, LlmError::UnknownId { id, .. } if id.to_string() == text(&case["message"])),
                "{error}"
            );
        }
        for case in group("escape_cases") {
            assert_eq!(escape(text(&case[0])), text(&case[1]));
            assert_eq!(unescape(text(&case[0])), text(&case[2]));
        }
        let groups = [
            "cases",
            "past_table_cases",
            "errors",
            "decode_cases",
            "decode_errors",
            "escape_cases",
        ];
        count += groups.iter().map(|key| group(key).len()).sum::<usize>();
    }
    println!("parity: {count} cases (tokenizer)");
}
