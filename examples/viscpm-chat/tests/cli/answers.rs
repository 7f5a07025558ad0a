//! One question, one answer.

use mpm_data::picture::Picture;
use mpm_test_support::folder;
use serde_json::Value;

use crate::sandbox::{Sandbox, run};

#[test]
fn an_answer_goes_to_standard_output() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.ask(&[]);
    assert!(!outcome.line().is_empty());
    // The same answer at every run, and for the folder's own parameters spelt out.
    assert_eq!(
        sandbox.ask(&["--strategy", "greedy"]).line(),
        outcome.line()
    );
}

#[test]
fn json_has_the_answer_and_its_circumstances() {
    let sandbox = Sandbox::new();
    let text = sandbox.ask(&[]);
    let object: Value = serde_json::from_str(sandbox.ask(&["--json"]).line()).unwrap();
    assert_eq!(object["answer"], text.line());
    assert_eq!(object["finish"], "max_tokens");
    assert_eq!(object["tokens"], 12);
    assert_eq!(object["dropped_turns"], 0);
    assert!(object["prompt_tokens"].as_u64().unwrap() > 4);
    let seconds = object["seconds"].as_f64().unwrap();
    let first = object["seconds_to_first_text"].as_f64().unwrap();
    assert!(0.0 < first && first <= seconds);
}

#[test]
fn without_a_picture_the_answer_is_about_the_text() {
    let sandbox = Sandbox::new();
    let outcome = run(sandbox.chat().args(["--question", "What is this?"]));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.stdout.is_empty(), "{outcome:?}");
    // That may be an oversight.
    assert!(outcome.stderr.contains("--image"), "{outcome:?}");
}

#[test]
fn it_is_told_how_many_layers_wait() {
    const SHIPPED: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/viscpm-chat-emoji"
    );
    let sandbox = Sandbox::new();
    let ask = |limit: &[&str]| {
        let question = ["--model", SHIPPED, "--question", "What is this?"];
        run(sandbox.without_model().args(question).args(limit))
    };
    // 402.1 MB are kept for what is computed.
    let waiting = ask(&["--memory-limit", "408300KB"]);
    let expected = "4 of 4 layers of the language model wait in the file\n";
    assert!(waiting.stderr.contains(expected), "{waiting:?}");
    let whole = ask(&[]);
    assert!(!whole.stdout.is_empty(), "{whole:?}");
    assert_eq!(waiting.stdout, whole.stdout);
    assert!(!whole.stderr.contains("wait"), "{whole:?}");
}

#[test]
fn sampling_depends_on_its_seed_only() {
    let sandbox = Sandbox::new();
    let drawn = |seed: &str| {
        let outcome = sandbox.ask(&["--temperature", "2", "--seed", seed]);
        outcome.line().to_owned()
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
}

#[test]
fn decoding_options_have_their_effect() {
    let sandbox = Sandbox::new();
    let whole = sandbox.ask(&[]);
    let whole = whole.line();
    let stop = whole
        .chars()
        .nth(whole.chars().count() / 2)
        .unwrap()
        .to_string();
    let expected = whole.split(&stop).next().unwrap();
    assert_eq!(sandbox.ask(&["--stop", &stop]).line(), expected);
    // Texts to stop at may begin as options do.
    assert_eq!(
        sandbox
            .ask(&["--stop", "--never--", "--stop", &stop])
            .line(),
        expected
    );

    let one = sandbox.ask(&["--max-new-tokens", "1"]);
    assert!(whole.starts_with(one.line()) && one.line().len() < whole.len());
    let one = sandbox.ask(&["--max-new-tokens", "1", "--json"]);
    let one: Value = serde_json::from_str(one.line()).unwrap();
    assert_eq!(one["tokens"], 1);

    for options in [
        &["--beams", "3"][..],
        &["--beams", "200", "--length-penalty", "-1.5"],
        &["--top-k", "99999999999", "--top-p", "0.5", "--min-p", "0.1"],
        &[
            "--repetition-penalty",
            "1",
            "--repetition-window",
            "99999999999",
        ],
    ] {
        sandbox.ask(options).line();
    }
}

#[test]
fn any_text_can_be_asked() {
    let sandbox = Sandbox::new();
    let long = "What is this? 这是什么？".repeat(50);
    for question in [
        "1 < 2?",
        "<ans>",
        "<image>",
        "🐱👩‍👩‍👧 é\u{301}",
        "a\nb\tc",
        "-3 + 5?",
        "--image",
        &long,
    ] {
        let outcome = run(sandbox
            .chat()
            .args(["--image", "picture.png", "--question", question]));
        assert!(!outcome.line().is_empty(), "{question:?}");
    }
}

#[test]
fn an_empty_question_is_refused() {
    let sandbox = Sandbox::new();
    for question in ["", " \t"] {
        let outcome = run(sandbox
            .chat()
            .args(["--image", "picture.png", "--question", question]));
        outcome.fails(1, &["the question is empty"]);
    }
}

#[test]
fn a_question_beyond_the_limit_is_refused() {
    let sandbox = Sandbox::new();
    let question = "x".repeat(10_000);
    let outcome = run(sandbox.chat().args(["--question", &question]));
    outcome.fails(1, &["the question needs", "the limit is 3000", "shorten"]);
}

#[test]
fn any_picture_can_be_shown() {
    let sandbox = Sandbox::new();
    image::RgbImage::new(1, 1)
        .save(sandbox.path("dot.png"))
        .unwrap();
    let folder = folder().join("f_images");
    let mut pictures: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pictures.push(sandbox.path("dot.png"));
    for path in &pictures {
        Picture::open(path).unwrap();
        let outcome = run(sandbox
            .chat()
            .arg("--image")
            .arg(path)
            .args(["--question", "?"]));
        outcome.line();
    }
    assert!(pictures.len() > 1);
}

#[test]
fn a_bad_picture_is_named() {
    let sandbox = Sandbox::new();
    let whole = std::fs::read(sandbox.path("picture.png")).unwrap();
    sandbox.write("half.png", &whole[..whole.len() / 2]);
    sandbox.write("empty.png", "");
    sandbox.write("text.png", "no picture");
    for (name, reason) in [
        ("half.png", "truncated"),
        ("empty.png", "not a picture"),
        ("text.png", "not a picture"),
        ("missing.png", "no such file"),
        ("model", "cannot be read"),
    ] {
        let outcome = run(sandbox.chat().args(["--image", name, "--question", "?"]));
        outcome.fails(1, &[name, reason]);
        // Nothing is said twice.
        assert_eq!(outcome.stderr.matches(reason).count(), 1, "{outcome:?}");
    }
}
