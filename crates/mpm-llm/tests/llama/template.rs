//! Texts in templates.

use mpm_llm::{
    Family, LlmError,
    llama::{LlamaText, LlamaTokenizer},
    template::{TemplateTokenizer, TextTemplate},
};
use mpm_test_support::{Case, own_cases};

fn texts() -> [LlamaText; 2] {
    let open = |case: &Case| {
        let json = case.json["tokenizer"].to_string();
        let tokenizer = LlamaTokenizer::from_json(json.as_bytes(), case.size("/size")).unwrap();
        LlamaText {
            ends: vec![tokenizer.id("<|end|>").unwrap()],
            chat_template: None,
            tokenizer,
        }
    };
    ["l_tokenizer_letters", "l_tokenizer_text"].map(|name| open(&own_cases(name)[0]))
}

/// What stands before the text, the text's own tokens, and those behind it.
fn cut(text: &LlamaText, template: &str, within: &str) -> [Vec<i32>; 3] {
    let template = TextTemplate::Line(template.to_owned());
    let batch = text.encode_texts(&template, &[within]).unwrap();
    let tokens = &batch.texts[0];
    assert_eq!(tokens.own.end, tokens.behind.start);
    assert_eq!(tokens.len(), batch.input.ids.len());
    let before = 0..tokens.own.start;
    let parts = [before, tokens.own.clone(), tokens.behind.clone()];
    parts.map(|part| batch.input.ids[part].to_vec())
}

#[test]
fn a_text_is_read_as_in_a_sentence() {
    for text in texts() {
        let tokenizer = &text.tokenizer;
        let [before, own, behind] = cut(&text, "Is it {text} or?", "a picture");
        let whole = tokenizer.encode("Is it a picture or?").unwrap();
        assert_eq!([&*before, &own, &behind].concat(), whole);
        assert_eq!(before, tokenizer.encode("Is it").unwrap());
        assert_eq!(tokenizer.decode(&behind).unwrap().trim(), "or?");
        // A text that begins has the token that the tokenizer puts there.
        let begin = tokenizer.id("<|begin|>").unwrap();
        let [before, own, _] = cut(&text, "{text}\n", "a picture");
        assert_eq!(before, [begin]);
        assert_eq!(own, tokenizer.encode_rendered("a picture").unwrap());
    }
}

#[test]
fn as_many_tokens_stand_behind_every_text() {
    for text in texts() {
        let behind = ["", " ", "a", "Hello.", "a\n", "二", "<|", "{text}"]
            .map(|within| cut(&text, "In the {text}\n<|end|>", within)[2].clone());
        let end = text.ends[0];
        assert_eq!(behind[0].last(), Some(&end));
        assert!(behind.iter().all(|tokens| *tokens == behind[0]));
        let [before, own, _] = cut(&text, "In the {text}\n", "");
        assert!(own.is_empty(), "{own:?}");
        assert_eq!(before, text.tokenizer.encode("In the").unwrap());
    }
}

#[test]
fn names_of_special_tokens_are_plain_in_a_text() {
    for text in texts() {
        let tokenizer = &text.tokenizer;
        let (turn, end) = (tokenizer.id("<|turn|>").unwrap(), text.ends[0]);
        let [before, own, behind] = cut(&text, "<|turn|>{text}<|end|>", "a<|end|><|turn|>");
        assert_eq!(before.last(), Some(&turn));
        assert_eq!(behind, [end]);
        assert!(!own.contains(&end) && !own.contains(&turn), "{own:?}");
        assert_eq!(tokenizer.decode(&own).unwrap(), "a<|end|><|turn|>");
        // What is no special token stays one token.
        let tool = tokenizer.id("<tool>").unwrap();
        assert!(cut(&text, "{text}\n", "a<tool>")[1].contains(&tool));
    }
}

#[test]
fn what_the_tokenizer_puts_behind_a_text_is_behind_it() {
    let case = &own_cases("l_tokenizer_letters")[0];
    let mut json = case.json["tokenizer"].clone();
    let processor = &mut json["post_processor"];
    let end = serde_json::json!({"SpecialToken": {"id": "<|end|>", "type_id": 0}});
    processor["single"].as_array_mut().unwrap().push(end);
    processor["special_tokens"]["<|end|>"] =
        serde_json::json!({"id": "<|end|>", "ids": [1], "tokens": ["<|end|>"]});
    let json = json.to_string();
    let text = LlamaText {
        tokenizer: LlamaTokenizer::from_json(json.as_bytes(), case.size("/size")).unwrap(),
        chat_template: None,
        ends: vec![1],
    };
    assert_eq!(cut(&text, "{text}", ""), [vec![0, 1], vec![], vec![]]);
    let [before, own, behind] = cut(&text, "{text}?", "a");
    assert_eq!([before, own, behind].map(|part| part.len()), [1, 1, 2]);
}

#[test]
fn rows_are_padded_on_the_right() {
    let [text, _] = texts();
    let template = TextTemplate::default_of(Family::Llama);
    let batch = text.encode_texts(&template, &["picture", ""]).unwrap();
    let [long, short] = [0, 1].map(|row: usize| batch.texts[row].len());
    assert_eq!(batch.input.input.seq_len, long);
    let padding = batch.input.input.seen.iter().filter(|seen| !**seen);
    assert_eq!(padding.count(), long - short);
    assert!(!batch.input.input.seen[2 * long - 1]);
    let none = text.encode_texts(&template, &[]);
    assert!(matches!(none, Err(LlmError::EmptyBatch)));
}

#[test]
fn unsound_templates_are_errors() {
    let [text, _] = texts();
    let encode = |template| text.encode_texts(&template, &["a"]);
    for (line, places) in [("why", 0), ("{text}{text}", 2)] {
        let template = TextTemplate::Line(line.to_owned());
        assert!(matches!(
            encode(template),
            Err(LlmError::TemplatePlaces { places: found, .. }) if found == places
        ));
    }
    // Without the token that the tokenizer puts before a text.
    let case = &own_cases("l_tokenizer_letters")[0];
    let mut json = case.json["tokenizer"].clone();
    json["post_processor"] = serde_json::Value::Null;
    let json = json.to_string();
    let bare = LlamaText {
        tokenizer: LlamaTokenizer::from_json(json.as_bytes(), case.size("/size")).unwrap(),
        ..text.clone()
    };
    let empty = bare.encode_texts(&TextTemplate::Line("{text}".to_owned()), &["a", ""]);
    assert!(matches!(empty, Err(LlmError::NothingToRead { .. })));
    assert!(matches!(
        encode(TextTemplate::default_of(Family::CpmBee)),
        Err(LlmError::OtherTemplate { .. })
    ));
}
