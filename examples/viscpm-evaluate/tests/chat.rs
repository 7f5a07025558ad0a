//! The model that ships with the repository, from pictures and questions to figures.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use common::{Outcome, Sandbox, of_root};
use mpm_data::emoji::{EmojiSet, Language, Split, TaskOptions, Tasks};
use serde_json::{Value, json};

/// Pictures, each with a question in English and one in Chinese.
const PICTURES: usize = 3;

/// A folder with some pictures that the model was trained on, and `questions.jsonl`.
fn sandbox() -> (Sandbox, Vec<Value>) {
    let sandbox = Sandbox::new();
    let set = EmojiSet::open(of_root("examples/build-emoji-set/emoji.tar.zst")).unwrap();
    let options = TaskOptions {
        names: 440,
        ..TaskOptions::default()
    };
    let tasks = Tasks::new(&set, &options).unwrap();
    let mut questions = Vec::new();
    let mut asked: Vec<_> = [Language::English, Language::Chinese]
        .map(|language| tasks.naming_questions(Split::Train, language).unwrap())
        .into_iter()
        .map(|questions| questions.into_iter().step_by(50))
        .collect();
    fs::create_dir(sandbox.path("pictures")).unwrap();
    for number in 0..PICTURES {
        let name = format!("{number}.png");
        for (language, asked) in ["en", "zh"].into_iter().zip(&mut asked) {
            let question = asked.next().unwrap();
            let picture = set.compose(&question.picture).unwrap();
            let bytes = picture.encode_png(&[]).unwrap();
            sandbox.write(&format!("pictures/{name}"), bytes);
            questions.push(json!({
                "image": name,
                "question": question.question,
                "answers": question.accepted,
                "language": language,
            }));
        }
    }
    sandbox.lines("questions.jsonl", &questions);
    (sandbox, questions)
}

fn chat(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let model = of_root("models/viscpm-chat-emoji");
    let arguments = [
        "chat",
        "--model",
        &model,
        "--data",
        "questions.jsonl",
        "--pictures",
        "pictures",
    ];
    sandbox.run(&[&arguments, more].concat())
}

fn row<'a>(report: &'a Value, language: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().find(|row| row["language"] == language).unwrap()
}

#[test]
fn a_model_is_asked_and_its_answers_are_kept() {
    let (sandbox, questions) = sandbox();
    let kept = ["--answers", "answers.jsonl"];
    let first = chat(&sandbox, &[&kept[..], &["--limit", "2"]].concat());
    assert!(first.text().contains("exact  en            1"), "{first:?}");
    let two = sandbox.read("answers.jsonl");
    assert_eq!(two.lines().count(), 2);

    // Killed while it wrote: the half of a line is asked for again.
    sandbox.write("answers.jsonl", format!("{two}{{\"line\":3,\"quest"));
    let report = ["--json", "report.json"];
    let whole = chat(&sandbox, &[kept, report].concat());
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let answers = sandbox.read("answers.jsonl");
    assert!(answers.starts_with(&two), "{answers}");
    assert_eq!(answers.lines().count(), questions.len());
    let figures = sandbox.json("report.json");
    for language in ["en", "zh"] {
        let row = row(&figures, language);
        assert_eq!(row["count"], PICTURES);
        // It names 95 % of all its training pictures.
        assert!(row["exact_match"].as_f64().unwrap() > 0.6, "{row}");
        assert!(row["perplexity"].as_f64().unwrap() >= 1.0, "{row}");
    }

    // Nothing is left to be asked, and a line that an editor left without its end is whole.
    sandbox.write("answers.jsonl", answers.trim_end());
    let again = chat(&sandbox, &kept);
    assert_eq!((again.code, &again.stdout), (Some(0), &whole.stdout));
    assert_eq!(sandbox.read("answers.jsonl"), answers);
    let score = ["score", "--data", "questions.jsonl"];
    let scored = sandbox.run(&[&score[..], &kept].concat());
    assert_eq!(scored.text(), whole.stdout);

    // Without looking it is worse.
    let blind = ["--without-picture", "--json", "blind.json"];
    chat(&sandbox, &blind).text();
    let blind = sandbox.json("blind.json");
    assert_eq!(blind["without_picture"], true);
    let figure = |report: &Value, figure: &str| row(report, "en")[figure].as_f64().unwrap();
    assert!(figure(&blind, "exact_match") < figure(&figures, "exact_match"));
    assert!(figure(&blind, "perplexity") > figure(&figures, "perplexity"));

    // Answers of another model or of other data are not mixed with these.
    for options in [&["--max-new-tokens", "3"][..], &["--without-picture"]] {
        let mixed = chat(&sandbox, &[&kept[..], options].concat());
        mixed.fails(1, &["answers.jsonl, line 1", "with these options"]);
    }
    let mut others = questions.clone();
    others.swap(0, 1);
    sandbox.lines("questions.jsonl", &others);
    chat(&sandbox, &kept).fails(1, &["answers.jsonl, line 1", "belong to other data"]);
    assert_eq!(sandbox.read("answers.jsonl"), answers);
}

#[test]
fn captions_and_questions_about_nothing_are_asked_too() {
    let (sandbox, mut questions) = sandbox();
    questions.truncate(1);
    questions[0]["task"] = "caption".into();
    questions.push(json!({"question": "How do you say dog in Chinese?", "answers": ["狗"]}));
    sandbox.lines("questions.jsonl", &questions);
    let outcome = chat(&sandbox, &["--strategy", "greedy"]);
    let table = outcome.text();
    for part in [
        "exact    en",
        "caption  en",
        "BLEU-4",
        "CIDEr-D",
        "perplexity",
    ] {
        assert!(table.contains(part), "no {part} in {table}");
    }
}

#[test]
fn what_was_answered_before_a_mistake_is_kept() {
    let (sandbox, questions) = sandbox();
    let kept = ["--answers", "folder/answers.jsonl"];
    let whole = fs::read(sandbox.path("pictures/0.png")).unwrap();
    sandbox.write("pictures/1.png", &whole[..whole.len() / 2]);
    let broken = chat(&sandbox, &kept);
    broken.fails(1, &["questions.jsonl, line 3", "1.png", "truncated"]);
    assert_eq!(sandbox.read("folder/answers.jsonl").lines().count(), 2);
    sandbox.write("pictures/1.png", whole);
    chat(&sandbox, &kept).text();
    let answers = sandbox.read("folder/answers.jsonl");
    assert_eq!(answers.lines().count(), questions.len());
}

#[test]
fn mistakes_come_to_light_before_the_model_is_asked() {
    let (sandbox, questions) = sandbox();
    fs::remove_file(sandbox.path("pictures/2.png")).unwrap();
    chat(&sandbox, &[]).fails(1, &["questions.jsonl, line 5", "2.png", "no such file"]);
    let limited = ["--limit", "1"];
    chat(
        &sandbox,
        &[&limited[..], &["--json", "no/report.json"]].concat(),
    )
    .fails(1, &["no/report.json", "cannot be written"]);
    chat(&sandbox, &[&limited[..], &["--beams", "0"]].concat()).fails(2, &["beams"]);
    let no_model = ["chat", "--data", "questions.jsonl", "--model", "missing"];
    let pictures = ["--pictures", "pictures", "--limit", "1"];
    sandbox
        .run(&[&no_model[..], &pictures].concat())
        .fails(1, &["missing"]);
    chat(&sandbox, &[&limited[..], &["--lora", "missing"]].concat()).fails(1, &["missing"]);
    let mut long = questions[0].clone();
    long["question"] = "x".repeat(10_000).into();
    sandbox.lines("questions.jsonl", &[long]);
    chat(&sandbox, &[]).fails(1, &["questions.jsonl, line 1", "shorten"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_whole_answers() {
    let (sandbox, questions) = sandbox();
    // More than it answers until it is stopped.
    let many: Vec<Value> = questions.iter().cycle().take(20_000).cloned().collect();
    sandbox.lines("questions.jsonl", &many);
    let mut command = sandbox.command(&["chat", "--model", &of_root("models/viscpm-chat-emoji")]);
    let child = command
        .args(["--data", "questions.jsonl", "--pictures", "pictures"])
        .args(["--answers", "answers.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let answers = sandbox.path("answers.jsonl");
    while fs::metadata(&answers).map_or(0, |file| file.len()) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(130), &b""[..]),
        "{said}"
    );
    let kept = sandbox.read("answers.jsonl");
    let count = kept.lines().count();
    assert!(kept.ends_with('\n'), "{kept}");
    assert_eq!(
        said,
        format!("stopped after {count} of 20000; run it again to go on\n")
    );
    // What is there can be looked at already.
    let score = [
        "score",
        "--data",
        "questions.jsonl",
        "--answers",
        "answers.jsonl",
    ];
    let table = sandbox.run(&score);
    assert!(
        table.text().contains("questions have no answer"),
        "{table:?}"
    );
}
