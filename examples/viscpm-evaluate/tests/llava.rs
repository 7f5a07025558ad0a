//! LLaVA's test with a judge that is a line of shell.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![cfg(unix)]

mod common;

use std::fs;

use common::{Outcome, Sandbox, of_root};
use serde_json::json;

/// Gives the reference 8 and the model 6. A process for each line, because some versions of awk
/// read their input in blocks.
const JUDGE: &str = r#"while read -r line; do
id=$(printf '%s\n' "$line" | cut -d'"' -f4)
printf '{"id":"%s","reply":"8 6\\nso so"}\n' "$id"
done"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for picture in ["strawberry.png", "rocket.png"] {
        let from = of_root(&format!("docs/images/{picture}"));
        fs::copy(from, sandbox.path(picture)).unwrap();
    }
    let question = |id: u64, image: &str, category: &str| json!({"question_id": id, "image": image, "text": "What is this?", "category": category});
    sandbox.lines(
        "questions.jsonl",
        &[
            question(0, "strawberry.png", "conv"),
            question(7, "rocket.png", "detail"),
        ],
    );
    sandbox.lines(
        "context.jsonl",
        &[
            json!({"image": "strawberry.png", "captions": ["A strawberry."]}),
            json!({"image": "rocket.png", "caption": "A rocket."}),
        ],
    );
    sandbox.lines(
        "reference.jsonl",
        &[
            json!({"question_id": 0, "text": "It is a strawberry."}),
            json!({"question_id": 7, "text": "It is a rocket."}),
        ],
    );
    sandbox.write("judge.sh", JUDGE);
    sandbox
}

fn llava(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let files = [
        "llava",
        "--questions",
        "questions.jsonl",
        "--context",
        "context.jsonl",
        "--reference",
        "reference.jsonl",
        "--answers",
        "answers.jsonl",
        "--rounds",
        "1",
        "--pause",
        "0",
    ];
    sandbox.run(&[&files, more].concat())
}

const TABLE: &str = "\
category questions reference     model  relative
conv             1      8.00      6.00    75.0 %
detail           1      8.00      6.00    75.0 %
all              2      8.00      6.00    75.0 %
";

#[test]
fn a_model_answers_and_is_judged() {
    let sandbox = sandbox();
    let model = of_root("models/viscpm-chat-emoji");
    let judge = ["--judge-command", "sh judge.sh", "--judge-name", "shell"];
    let arguments = [&judge[..], &["--model", &model, "--json", "report.json"]].concat();
    assert_eq!(llava(&sandbox, &arguments).text(), TABLE);
    let answers = sandbox.read("answers.jsonl");
    let texts: Vec<serde_json::Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&texts[0]["question_id"], &texts[0]["text"]),
        (&json!(0), &json!("strawberry"))
    );
    assert_eq!(
        (&texts[1]["question_id"], &texts[1]["text"]),
        (&json!(7), &json!("rocket"))
    );
    let report = sandbox.json("report.json");
    assert_eq!(report["all"]["relative"], 75.0);
    assert_eq!(report["report"]["judgements"][1]["reply"], "8 6\nso so");

    // One answer lacks, and the judge's replies are kept: it need not be asked again.
    let first = answers.lines().next().unwrap();
    sandbox.write("answers.jsonl", format!("{first}\n{{\"questi"));
    let gone = ["--judge-command", "exit 1", "--judge-name", "shell"];
    let again = llava(&sandbox, &[&gone[..], &["--model", &model]].concat());
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.stdout, TABLE);
    assert_eq!(sandbox.read("answers.jsonl"), answers);
    // Without a model the same file is judged as it is.
    assert_eq!(llava(&sandbox, &gone).text(), TABLE);
    // Answers with other options are not mixed with these.
    let other = ["--model", &model, "--max-new-tokens", "1"];
    llava(&sandbox, &[&judge[..], &other].concat()).fails(1, &["with these options"]);
}

#[test]
fn mistakes_come_to_light_before_the_model_is_asked() {
    let sandbox = sandbox();
    let model = of_root("models/viscpm-chat-emoji");
    let asking = ["--judge-command", "sh judge.sh", "--model", &model];
    let refused = |parts: &[&str]| {
        llava(&sandbox, &asking).fails(1, parts);
        let answers = fs::read_to_string(sandbox.path("answers.jsonl"));
        assert_eq!(answers.unwrap_or_default(), "", "{parts:?}");
    };
    fs::remove_file(sandbox.path("rocket.png")).unwrap();
    refused(&["questions.jsonl, question 7", "rocket.png", "no such file"]);

    let replies = fs::File::create(sandbox.path("answers-replies.jsonl")).unwrap();
    replies.try_lock().unwrap();
    refused(&["answers-replies.jsonl", "in use by another run"]);
    replies.unlock().unwrap();

    let references = sandbox.read("reference.jsonl");
    let first = references.lines().next().unwrap();
    sandbox.write("reference.jsonl", first);
    refused(&["question 7 has no reference answer"]);
    sandbox.write("reference.jsonl", format!("{first}\n{first}\n"));
    refused(&["the reference answer to question 0 is there twice"]);
    sandbox.write("reference.jsonl", "{\"question_id\": 0}");
    refused(&["reference.jsonl, line 1: missing field `text`"]);
}

#[test]
fn a_pause_is_a_number_of_seconds() {
    let sandbox = sandbox();
    for pause in ["nan", "inf", "soon", "1e9"] {
        let arguments = ["llava", "--judge-command", "sh judge.sh", "--pause", pause];
        let refused = sandbox.run(&arguments);
        refused.fails(2, &["--pause", "seconds from 0 to 86400"]);
    }
}

#[test]
fn answers_of_another_system_are_judged() {
    let sandbox = sandbox();
    let judge = ["--judge-command", "sh judge.sh"];
    llava(&sandbox, &judge).fails(1, &["answers.jsonl"]);
    let answer = |id: u64| json!({"question_id": id, "text": "It is a thing.", "model_id": "m"});
    sandbox.lines("answers.jsonl", &[answer(7)]);
    llava(&sandbox, &judge).fails(1, &["question 0 has no answer"]);
    sandbox.lines("answers.jsonl", &[answer(7), answer(0)]);
    assert_eq!(llava(&sandbox, &judge).text(), TABLE);
    let kept = sandbox.read("answers-replies.jsonl");
    assert_eq!(kept.lines().count(), 2, "{kept}");
}

#[test]
fn a_judge_is_needed_and_may_fail() {
    let sandbox = sandbox();
    let answer = |id: u64| json!({"question_id": id, "text": "It is a thing."});
    sandbox.lines("answers.jsonl", &[answer(7), answer(0)]);
    llava(&sandbox, &[]).fails(2, &["--judge-url", "--judge-command"]);
    let url = ["--judge-url", "http://127.0.0.1:9/v1/chat/completions"];
    llava(&sandbox, &url).fails(2, &["--judge-name"]);
    let named = [&url[..], &["--judge-name", "m"]].concat();
    let key = ["--judge-key", "MPM_NO_SUCH_VARIABLE"];
    llava(&sandbox, &[&named[..], &key].concat()).fails(1, &["MPM_NO_SUCH_VARIABLE"]);
    // It says nothing that can be read: all questions fail, and the table says so.
    let silent = llava(
        &sandbox,
        &["--judge-command", "while read -r line; do echo '?'; done"],
    );
    assert_eq!(silent.code, Some(1), "{silent:?}");
    assert!(
        silent.stdout.ends_with("2 questions have no scores\n"),
        "{silent:?}"
    );
}
