//! `l_chat_template`: conversations as `apply_chat_template` of `transformers` writes them.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use mpm_llm::{
    LlmError,
    llama::{ChatMessage, ChatOptions, ChatTemplate},
};
use mpm_test_support::{own_cases, report};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Rendered {
    template: String,
    messages: Vec<ChatMessage>,
    variables: Map<String, Value>,
    add_generation_prompt: bool,
    text: String,
}

#[test]
fn conversations() {
    let case = &own_cases("l_chat_template")[0];
    let special: BTreeMap<String, String> =
        serde_json::from_value(case.json["special_tokens"].clone()).unwrap();
    let now = Duration::from_secs(case.json["now"].as_u64().unwrap());
    let rendered: Vec<Rendered> = serde_json::from_value(case.json["rendered"].clone()).unwrap();
    let count = rendered.len();
    for expected in rendered {
        let source = case.json["templates"][&expected.template].as_str().unwrap();
        let template = ChatTemplate::new(source, special.clone()).unwrap();
        let options = ChatOptions {
            add_generation_prompt: expected.add_generation_prompt,
            now: Some(UNIX_EPOCH + now),
            variables: expected.variables,
        };
        let text = template.render(&expected.messages, &options).unwrap();
        assert_eq!(text, expected.text, "{}", expected.template);
    }
    report(count, "l_chat_template");
}

fn error(source: &str) -> LlmError {
    let template = match ChatTemplate::new(source, BTreeMap::new()) {
        Ok(template) => template,
        Err(error) => return error,
    };
    let messages = [ChatMessage::new("user", "hi")];
    template
        .render(&messages, &ChatOptions::default())
        .unwrap_err()
}

#[test]
fn templates_that_fail_say_why() {
    for (source, expected) in [
        ("{% for %}", "syntax error"),
        ("{{ raise_exception('no ' ~ messages[0].role) }}", "no user"),
        ("{{ strftime_now('%Y') }}", "it asks for the date"),
        ("{{ messages[0].content.shout() }}", "shout"),
        ("{{ messages | tojson(skipkeys=true) }}", "skipkeys"),
        ("{{ messages | tojson(separators=[',']) }}", "two texts"),
        (
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "recursion",
        ),
    ] {
        let error = error(source);
        let text = error.to_string();
        assert!(matches!(error, LlmError::ChatTemplate { .. }), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn json_is_written_as_the_template_asks() {
    let render = |source: &str| {
        let template = ChatTemplate::new(source, BTreeMap::new()).unwrap();
        let messages = [ChatMessage::new("user", "é")];
        template.render(&messages, &ChatOptions::default()).unwrap()
    };
    let asked =
        "{{ messages[0] | tojson(ensure_ascii=true, sort_keys=true, separators=(',', ':')) }}";
    assert_eq!(render(asked), r#"{"content":"\u00e9","role":"user"}"#);
    let asked = "{{ messages[0] | tojson(ensure_ascii=false, indent=none) }}";
    assert_eq!(render(asked), r#"{"role": "user", "content": "é"}"#);
}

#[test]
fn endless_templates_are_stopped() {
    let loops = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert!(matches!(error(loops), LlmError::ChatTemplateEndless { .. }));
}
