//! Cases `a_*`: strings to ids and back.

use mpm_llm::LlmError;
use mpm_llm::tokenizer::{CpmBeeTokenizer, ExtTable, TokenKind, Vocabulary, escape, unescape};
use mpm_test_support::{Case, cases, report, vocabulary};
use serde_json::Value;

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

/// With the vocabulary a case was made with; `None` where it is not at hand.
pub fn tokenizer_for(case: &Case) -> Option<CpmBeeTokenizer> {
    let small = case.json["vocab_file"]
        .as_str()
        .is_some_and(|file| file.contains("small_vocab"));
    let path = if small {
        vocabulary::small()
    } else {
        vocabulary::published()
    };
    Some(CpmBeeTokenizer::from_file(path?).unwrap())
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

fn check_decoding(tokenizer: &CpmBeeTokenizer, case: &Value) {
    let decoded = tokenizer.decode(&ints(&case["ids"]), &table(&case["ext_table"]));
    assert_eq!(decoded.unwrap(), text(&case["decode"]));
}

fn check_decoding_error(tokenizer: &CpmBeeTokenizer, case: &Value) {
    let ext = case.get("ext_table").map(table).unwrap_or_default();
    let error = tokenizer.decode(&ints(&case["ids"]), &ext).unwrap_err();
    assert!(
        matches!(error, LlmError::UnknownId { id, .. } if id.to_string() == text(&case["message"])),
        "{error}"
    );
}

fn check_escaping(case: &Value) {
    assert_eq!(escape(text(&case[0])), text(&case[1]));
    assert_eq!(unescape(text(&case[0])), text(&case[2]));
}

fn check_vocabulary(vocabulary: &Vocabulary, case: &Case) {
    assert_eq!(vocabulary.len(), case.size("/vocab_size"));
    assert_eq!(vocabulary.max_word_len(), case.size("/max_word_len"));
    for (token, id) in case.json["special_tokens"].as_object().unwrap() {
        assert_eq!(vocabulary.id(token).map(u64::from), id.as_u64(), "{token}");
    }
}

#[test]
fn tokenizer() {
    let mut count = 0;
    for file in cases("a_") {
        let Some(tokenizer) = tokenizer_for(&file) else {
            continue;
        };
        check_vocabulary(tokenizer.vocabulary(), &file);
        let mut each = |group: &str, check: &dyn Fn(&Value)| {
            let cases = file.json[group].as_array().unwrap();
            cases.iter().for_each(check);
            count += cases.len();
        };
        each("cases", &|case| {
            check_tokens(&tokenizer, case);
            check_encoding(&tokenizer, case, ExtTable::new());
        });
        each("past_table_cases", &|case| {
            check_encoding(&tokenizer, case, table(&case["past_table"]));
        });
        each("errors", &|case| check_error(&tokenizer, case));
        each("decode_cases", &|case| check_decoding(&tokenizer, case));
        each("decode_errors", &|case| {
            check_decoding_error(&tokenizer, case)
        });
        each("escape_cases", &check_escaping);
    }
    report(count, "tokenizer");
}
