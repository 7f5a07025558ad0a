//! Files of questions.

use serde_json::{Value, json};

use crate::sandbox::{Outcome, Sandbox, run, run_with_input};

fn batch(sandbox: &Sandbox, content: impl AsRef<[u8]>) -> (Outcome, Vec<Value>) {
    sandbox.write("questions.jsonl", content);
    let outcome = run(sandbox.chat().args(["--batch", "questions.jsonl"]));
    let lines = outcome.stdout.lines();
    let objects = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (outcome, objects)
}

#[test]
fn each_line_gives_an_object_in_order() {
    let sandbox = Sandbox::new();
    let whole = std::fs::read(sandbox.path("picture.png")).unwrap();
    sandbox.write("half.png", &whole[..whole.len() / 2]);
    let good = r#"{"image": "picture.png", "question": "What is this?"}"#;
    let long = json!({"image": "picture.png", "question": "x".repeat(5000)}).to_string();
    let context = json!({"image": "picture.png", "question": "?", "context": "hello"}).to_string();
    // Each line and what its error says; an empty line has no object.
    let lines: [(&[u8], Option<&str>); 13] = [
        (good.as_bytes(), None),
        (
            b"{\"image\": ",
            Some("EOF while parsing a value at column 9"),
        ),
        (
            br#"{"image": "missing.png", "question": "?"}"#,
            Some("missing.png: there is no such"),
        ),
        (b"", None),
        (
            br#"{"image": "picture.png", "question": "?", "id": 3}"#,
            Some("unknown field `id`"),
        ),
        (
            br#"{"image": "half.png", "question": "?"}"#,
            Some("half.png: the picture is truncated"),
        ),
        (long.as_bytes(), Some("the question needs")),
        (b"  \t", None),
        (
            b"{\"image\": \"picture.png\", \"question\": \"\xff\"}",
            Some("invalid unicode"),
        ),
        (
            br#"{"image": "picture.png"}"#,
            Some("missing field `question`"),
        ),
        (br#"["picture.png"]"#, Some("expected")),
        (context.as_bytes(), Some("context must be turns")),
        (good.as_bytes(), None),
    ];
    let text = lines.map(|(line, _)| line).join(&b"\r\n"[..]);
    let content = ["\u{feff}".as_bytes(), &text].concat();
    let (outcome, objects) = batch(&sandbox, content);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stderr, "");
    let mut objects = objects.into_iter();
    let answer = sandbox.ask(&[]);
    for (number, (line, error)) in lines.into_iter().enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let object = objects.next().unwrap();
        match error {
            None => assert_eq!(object["answer"], answer.line()),
            Some(error) => {
                let text = object["error"].as_str().unwrap();
                assert!(text.contains(error), "{object} has no {error:?}");
                assert!(!text.contains("line 1"), "{object}");
                assert_eq!(object["line"], number + 1, "{object}");
            }
        }
    }
    assert_eq!(objects.next(), None);
}

#[test]
fn a_run_without_errors_succeeds() {
    let sandbox = Sandbox::new();
    let line = r#"{"image": "picture.png", "question": "这是什么？", "context": ""}"#;
    let (outcome, objects) = batch(&sandbox, format!("{line}\n{line}\n"));
    assert_eq!((outcome.code, objects.len()), (Some(0), 2));
    assert_eq!(objects[0], objects[1]);
    let (outcome, objects) = batch(&sandbox, "\n");
    assert_eq!((outcome.code, objects.len()), (Some(0), 0));
}

#[test]
fn a_context_is_the_conversation_that_it_records() {
    let sandbox = Sandbox::new();
    let questions = ["What is this?", "a < b or a cat?", "这是什么？"];
    let outcome = run_with_input(
        sandbox.chat().args(["--image", "picture.png"]),
        questions.join("\n"),
    );
    let spoken: Vec<&str> = outcome.line().split('\n').collect();
    assert_eq!(spoken.len(), questions.len());

    let mut context = String::new();
    let mut lines = String::new();
    for (question, answer) in questions.iter().zip(&spoken) {
        let line = json!({"image": "picture.png", "question": question, "context": context});
        lines += &format!("{line}\n");
        context += &format!("User: {question}\nAI: {answer}\n");
    }
    // The turns matter.
    let alone = json!({"image": "picture.png", "question": questions[2]});
    let (_, objects) = batch(&sandbox, format!("{lines}{alone}"));
    for (object, answer) in objects.iter().zip(&spoken) {
        assert_eq!(object["answer"], *answer);
    }
    assert_ne!(objects[3]["answer"], spoken[2]);
    assert!(objects[2]["prompt_tokens"].as_u64() > objects[3]["prompt_tokens"].as_u64());
}

#[test]
fn answers_say_how_long_they_took_if_asked() {
    let sandbox = Sandbox::new();
    let line = json!({"image": "picture.png", "question": "What is this?"}).to_string();
    sandbox.write("questions.jsonl", format!("{line}\n{line}\n"));
    let outcome = run(sandbox
        .chat()
        .args(["--batch", "questions.jsonl", "--timings"]));
    assert_eq!(outcome.code, Some(0));
    let objects: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects.len(), 2);
    for object in &objects {
        let seconds = object["seconds"].as_f64().unwrap();
        let first = object["seconds_to_first_text"].as_f64().unwrap();
        assert!(0.0 < first && first <= seconds);
    }
    assert_eq!(objects[0]["answer"], objects[1]["answer"]);
}

#[test]
fn a_missing_file_is_named() {
    let sandbox = Sandbox::new();
    run(sandbox.chat().args(["--batch", "missing.jsonl"])).fails(1, &["missing.jsonl"]);
}
