//! Figures of answers that are there already, computed by hand.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use common::{Sandbox, of_root};
use serde_json::{Value, json};

const DATA: &str = "examples/viscpm-evaluate/tests/score/questions.jsonl";
const ANSWERS: &str = "examples/viscpm-evaluate/tests/score/answers.jsonl";

fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
}

#[test]
fn each_task_has_its_figures() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&[
        "score",
        "--data",
        &of_root(DATA),
        "--answers",
        &of_root(ANSWERS),
        "--json",
        "report.json",
    ]);
    let table = outcome.text();
    let report = sandbox.json("report.json");
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| {
            let name = |key: &str| row[key].as_str().unwrap();
            (
                name("task"),
                name("language"),
                row["count"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("exact", "de", 2),
        ("exact", "en", 2),
        ("vqa", "en", 2),
        ("caption", "en", 2),
        ("caption", "zh", 1),
        ("keywords", "en", 2),
    ];
    assert_eq!(names, expected, "{table}");
    let [german, english, vqa, captions, chinese, keywords] = &rows[..] else {
        panic!("{table}");
    };

    near(&german["exact_match"], 0.5);
    // One of the two is an English word.
    near(&german["in_language"], 0.5);
    // Its likelihood is that of another right answer.
    assert_eq!(german["perplexity"], Value::Null);
    near(&english["exact_match"], 0.5);
    near(&english["in_language"], 1.0);
    near(&english["perplexity"], 1.5_f64.exp());
    assert_eq!(english["vqa_accuracy"], Value::Null);

    // Without one of the two who said so, 1/3; without one of the eight others, 2/3.
    near(&vqa["vqa_accuracy"], (2.0 / 3.0 + 8.0 * 2.0 / 3.0) / 10.0);
    // The question with three answers.
    near(&vqa["exact_match"], 1.0);
    assert_eq!(vqa["exact_match_answers"], 1);

    for (figure, best) in [("sacrebleu", 100.0), ("rouge_l", 1.0), ("cider_d", 10.0)] {
        near(&captions["captions"][figure], best);
    }
    let bleu = captions["captions"]["coco_bleu"][3].as_f64().unwrap();
    assert!((bleu - 1.0).abs() < 1e-6, "{bleu}");
    // Three of four characters, one of three pairs; no longer run, so half and a quarter of one.
    let smoothed: f64 = 0.75 * (1.0 / 3.0) * (0.5 / 2.0) * 0.25;
    near(
        &chinese["captions"]["sacrebleu"],
        100.0 * smoothed.powf(0.25),
    );
    near(&chinese["captions"]["rouge_l"], 0.75);
    // One example has no rare words.
    near(&chinese["captions"]["cider_d"], 0.0);

    // Hits: cat, horse; false alarms: horse, dog; misses: dog.
    near(&keywords["keyword_f1"], 4.0 / 7.0);
    near(&keywords["keyword_precision"], 0.5);
    near(&keywords["keyword_recall"], 2.0 / 3.0);
    assert_eq!(report["unanswered"], 1);
    assert!(
        table.ends_with("1 question has no answer and counts for nothing\n"),
        "{table}"
    );
}

#[cfg(not(feature = "lingua"))]
#[test]
fn the_table_has_the_figures_that_fit() {
    let outcome = Sandbox::new().run(&[
        "score",
        "--data",
        &of_root(DATA),
        "--answers",
        &of_root(ANSWERS),
        "--limit",
        "6",
    ]);
    let expected = "\
task   language  count    exact     VQA  in language     told  perplexity
exact  de            2   50.0 %       –       50.0 %  100.0 %           –
exact  en            2   50.0 %       –      100.0 %  100.0 %       4.482
vqa    en            2  100.0 %  60.0 %      100.0 %  100.0 %           –
";
    assert_eq!(outcome.text(), expected);
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let sandbox = Sandbox::new();
    let question = json!({"image": "a.png", "question": "What is this?", "answers": ["cat"]});
    sandbox.lines("data.jsonl", &[question]);
    let score = || {
        sandbox.run(&[
            "score",
            "--data",
            "data.jsonl",
            "--answers",
            "answers.jsonl",
        ])
    };
    score().fails(1, &["answers.jsonl: No such file", "check the path"]);
    let good = json!({"line": 1, "question": "What is this?", "answer": "a cat"});
    let mut other_picture = good.clone();
    other_picture["image"] = "b.png".into();
    for (answers, parts) in [
        (
            vec![json!({"line": 2, "question": "What is this?", "answer": "cat"})],
            &[
                "answers.jsonl, line 1",
                "question 2, which the data does not have",
            ][..],
        ),
        (
            vec![json!({"line": 1, "question": "What was it?", "answer": "cat"})],
            &[
                "as `a.png: What was it?`",
                "asks `a.png: What is this?` there",
            ],
        ),
        (vec![other_picture], &["`b.png: What is this?`"]),
        (
            vec![good.clone(), good.clone()],
            &["line 2: question 1 is answered for the second time"],
        ),
        (vec![json!({"line": 1})], &["line 1: missing field"]),
        (
            vec![],
            &["data.jsonl: there are no questions that have answers"],
        ),
    ] {
        sandbox.lines("answers.jsonl", &answers);
        score().fails(1, parts);
    }
    // Only the last line can be cut off.
    sandbox.write("answers.jsonl", format!("{{\"line\":\n{good}\n"));
    score().fails(1, &["answers.jsonl, line 1: EOF while parsing"]);
    sandbox.write("answers.jsonl", format!("{good}\n{{\"line\":"));
    let cut = score();
    assert_eq!(cut.code, Some(0), "{cut:?}");
    assert!(cut.stderr.contains("the last line is cut off"), "{cut:?}");
    // A last line without an end is whole nevertheless.
    sandbox.write("answers.jsonl", good.to_string());
    score().text();
}

#[test]
fn data_that_is_wrong_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.write("answers.jsonl", "");
    let good = json!({"question": "What is this?", "answers": ["cat"]});
    let score = || {
        sandbox.run(&[
            "score",
            "--data",
            "data.jsonl",
            "--answers",
            "answers.jsonl",
        ])
    };
    score().fails(1, &["data.jsonl: No such file"]);
    sandbox.write("data.jsonl", "\n\n");
    score().fails(1, &["data.jsonl: there are no questions in it"]);
    for (key, value, reason) in [
        ("task", json!("vqua"), "unknown variant `vqua`, expected"),
        ("taks", json!("vqa"), "unknown field `taks`"),
        ("language", json!("xx"), "`xx` is no language code"),
        ("language", json!("EN"), "two small letters"),
        ("question", json!(" "), "`question` is empty"),
        ("answers", json!([]), "`answers` has no text"),
        ("answers", json!([""]), "`answers` has no text"),
        ("answers", json!("cat"), "invalid type"),
    ] {
        let mut wrong = good.clone();
        wrong[key] = value;
        sandbox.lines("data.jsonl", &[good.clone(), wrong]);
        score().fails(1, &["data.jsonl, line 2: ", reason]);
    }
    let keywords = json!({"question": "?", "answers": ["cat|"], "task": "keywords"});
    sandbox.lines("data.jsonl", &[keywords]);
    score().fails(1, &["the keyword `` has neither letters nor digits"]);
    sandbox.write("data.jsonl", format!("{good}\n{{\"question\": "));
    score().fails(1, &["data.jsonl, line 2: EOF while parsing"]);
}
