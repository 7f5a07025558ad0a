//! Files of prompts.

use serde_json::{Value, json};

use crate::{
    sandbox::{Outcome, Sandbox},
    tiny,
};

fn batch(sandbox: &Sandbox, content: impl AsRef<[u8]>, more: &[&str]) -> (Outcome, Vec<Value>) {
    sandbox.write("prompts.jsonl", content);
    let files = ["--batch", "prompts.jsonl", "--out-dir", "out"];
    let outcome = sandbox.run(&[&files, more].concat());
    let objects = outcome.objects();
    (outcome, objects)
}

/// Each line and what its error says; an empty line has no object.
fn lines() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let good = json!({"prompt": "a red cat", "seed": 5});
    let long = json!({"prompt": "a".repeat(10_000)});
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (text(&good.to_string()), None),
        (
            text("{\"prompt\": "),
            Some("EOF while parsing a value at column 10"),
        ),
        (text(""), None),
        (
            text(r#"{"prompt": "a", "colour": 1}"#),
            Some("unknown field `colour`"),
        ),
        (text(r#"{"seed": 1}"#), Some("no `prompt`")),
        (text(r#"{"prompt": " "}"#), Some("the prompt is empty")),
        (text(&long.to_string()), Some("the prompt has")),
        (text(r#"{"prompt": "a", "size": 7}"#), Some("the size 7x7")),
        (
            text(r#"{"prompt": "a", "size": "big"}"#),
            Some("`big` is no size"),
        ),
        (
            text(r#"{"prompt": "a", "steps": 0}"#),
            Some("at least one denoising step"),
        ),
        (
            text(r#"{"prompt": "a", "scheduler": "luck"}"#),
            Some("dpm++2m-karras"),
        ),
        (
            text(r#"{"prompt": "a", "n": 0}"#),
            Some("the number of pictures is 0"),
        ),
        (
            text(r#"{"prompt": "a", "rerank": 4}"#),
            Some("name its folder with --clip"),
        ),
        (
            text(r#"{"prompt": "a", "strength": 0.5}"#),
            Some("a picture to begin with"),
        ),
        (
            text(r#"{"prompt": "a", "init_image": "missing.png"}"#),
            Some("missing.png: there is no such"),
        ),
        (b"{\"prompt\": \"\xff\"}".to_vec(), Some("invalid unicode")),
        (text(r#"["a red cat"]"#), Some("expected")),
        (text("  \t"), None),
        (text(&good.to_string()), None),
    ]
}

#[test]
fn each_line_gives_an_object_in_order() {
    let sandbox = Sandbox::new();
    let lines = lines();
    let texts: Vec<&[u8]> = lines.iter().map(|(line, _)| &**line).collect();
    let content = ["\u{feff}".as_bytes(), &texts.join(&b"\r\n"[..])].concat();
    let (outcome, objects) = batch(&sandbox, content, &[]);
    assert_eq!(outcome.code, Some(1));
    let mut objects = objects.into_iter();
    for (number, (line, error)) in (1..).zip(&lines) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let object = objects.next().unwrap();
        assert_eq!(object["line"], number, "{object}");
        match error {
            None => assert_eq!(object["seed"], 5, "{object}"),
            Some(error) => {
                let text = object["error"].as_str().unwrap();
                assert!(text.contains(error), "{object} has no {error:?}");
                assert!(!text.contains("line 1"), "{object}");
            }
        }
    }
    assert_eq!(objects.next(), None);
    assert_eq!(sandbox.names("out"), ["00001.png", "00019.png"]);
    let alone = sandbox.painted("alone.png", &[]);
    assert_eq!(sandbox.picture("out/00001.png"), alone);
    assert_eq!(sandbox.picture("out/00019.png"), alone);
}

#[test]
fn lines_have_settings_of_their_own() {
    let sandbox = Sandbox::new();
    let lines = [
        json!({"prompt": "a red cat"}),
        json!({"prompt": "一只猫", "negative": "a dog", "seed": 9, "steps": 2, "guidance": 1.5,
               "scheduler": "euler", "size": "64x48"}),
        json!({"prompt": "a", "size": 16, "n": 3}),
        json!({"prompt": "a", "init_image": "start.png", "strength": 0.5, "mask": "mask.png"}),
    ]
    .map(|line| line.to_string());
    let arguments = ["--seed", "5", "--steps", "4", "--json"];
    let (outcome, objects) = batch(&sandbox, lines.join("\n"), &arguments);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(objects[0]["file"], "out/00001.png");
    assert_eq!(
        (&objects[0]["seed"], &objects[0]["steps"]),
        (&json!(5), &json!(4))
    );
    let second = &objects[1];
    for (key, value) in [
        ("seed", json!(9)),
        ("steps", json!(2)),
        ("guidance", json!(1.5)),
        ("scheduler", json!("euler")),
        ("width", json!(64)),
        ("height", json!(48)),
        ("negative_prompt", json!("a dog")),
    ] {
        assert_eq!(second[key], value, "{key}");
    }
    let sheet = sandbox.picture("out/00003.png");
    assert_eq!((sheet.width(), sheet.height()), (48, 16));
    assert_eq!(objects[3]["mask"], "mask.png");
    assert_eq!(sandbox.names("out").len(), 4);
}

#[test]
fn seeds_that_are_not_given_differ_from_line_to_line() {
    let sandbox = Sandbox::new();
    let line = r#"{"prompt": "a"}"#;
    let (_, objects) = batch(&sandbox, format!("{line}\n{line}\n"), &[]);
    assert_ne!(objects[0]["seed"], objects[1]["seed"]);
}

#[test]
fn little_memory_gives_the_same_pictures() {
    let sandbox = Sandbox::new();
    let lines = lines();
    let texts: Vec<&[u8]> = lines.iter().map(|(line, _)| &**line).collect();
    let content = texts.join(&b"\n"[..]);
    let (_, mut usual) = batch(&sandbox, &content, &[]);
    let picture = sandbox.picture("out/00019.png");
    let (outcome, mut low) = batch(&sandbox, &content, &["--low-memory", "--force"]);
    assert_eq!(outcome.code, Some(1));
    for object in usual.iter_mut().chain(&mut low) {
        object["seconds"] = Value::Null;
    }
    assert_eq!(usual, low);
    assert_eq!(sandbox.picture("out/00019.png"), picture);
}

#[test]
fn pictures_that_are_there_are_errors_of_their_lines() {
    let sandbox = Sandbox::new();
    let line = |seed| json!({"prompt": "a", "seed": seed}).to_string() + "\n";
    batch(&sandbox, line(1), &[]);
    let first = sandbox.picture("out/00001.png");
    let both = line(2) + &line(3);
    let (outcome, objects) = batch(&sandbox, &both, &[]);
    assert_eq!(outcome.code, Some(1));
    let error = objects[0]["error"].as_str().unwrap();
    assert!(
        error.contains("00001.png") && error.contains("--force"),
        "{error}"
    );
    assert_eq!(objects[1]["seed"], 3);
    assert_eq!(sandbox.picture("out/00001.png"), first);
    let (outcome, _) = batch(&sandbox, &both, &["--force"]);
    assert_eq!(outcome.code, Some(0));
    assert_ne!(sandbox.picture("out/00001.png"), first);
}

#[test]
fn refused_prompts_have_an_exit_code_of_their_own() {
    let sandbox = Sandbox::new();
    tiny::write_prompt_checker(&sandbox.path("strict"), true);
    let good = "{\"prompt\": \"a red cat\", \"seed\": 1}\n";
    let arguments = ["--prompt-checker", "strict"];
    let (outcome, objects) = batch(&sandbox, good, &arguments);
    assert_eq!(outcome.code, Some(3));
    assert_eq!(
        (&objects[0]["line"], &objects[0]["seed"]),
        (&json!(1), &json!(1))
    );
    let label = &objects[0]["refused"]["prompt"]["classification"]["labels"][0]["label"];
    assert_eq!(label, "LABEL_1");
    assert_eq!(objects[0]["file"], Value::Null);
    // An error counts for more.
    let (outcome, objects) = batch(&sandbox, format!("{good}{{}}\n"), &arguments);
    assert_eq!((outcome.code, objects.len()), (Some(1), 2));
    assert!(sandbox.names("out").is_empty());
}

#[test]
fn what_cannot_be_painted_needs_no_weights() {
    let sandbox = Sandbox::new();
    sandbox.write("model/model.safetensors", "no weights");
    let (outcome, objects) = batch(&sandbox, "{}\n", &[]);
    assert_eq!((outcome.code, objects.len()), (Some(1), 1));
    let (outcome, objects) = batch(&sandbox, "\n", &[]);
    assert_eq!((outcome.code, objects.len()), (Some(0), 0));
}

#[test]
fn files_and_folders_are_named() {
    let sandbox = Sandbox::new();
    let run = |arguments: &[&str]| sandbox.run(arguments);
    run(&["--batch", "missing.jsonl", "--out-dir", "out"]).fails(1, &["missing.jsonl"]);
    assert!(sandbox.is_untouched());
    sandbox.write("prompts.jsonl", "{}\n");
    let deep = run(&["--batch", "prompts.jsonl", "--out-dir", "a/b"]);
    deep.fails(1, &["a/b: the folder cannot be made"]);
    let file = run(&["--batch", "prompts.jsonl", "--out-dir", "start.png"]);
    file.fails(1, &["start.png: the folder cannot be made"]);
    run(&["--batch", "prompts.jsonl"]).fails(2, &["--out-dir"]);
    run(&[
        "--batch",
        "prompts.jsonl",
        "--out-dir",
        "out",
        "--out",
        "a.png",
    ])
    .fails(2, &["--out"]);
    run(&["a cat", "--batch", "prompts.jsonl", "--out-dir", "out"]).fails(2, &["PROMPT"]);
}

#[test]
fn lines_say_how_the_picture_of_the_command_line_changes() {
    let sandbox = Sandbox::new();
    let start = ["--init-image", "start.png"];
    let lines = [
        json!({"prompt": "a red cat", "seed": 5, "strength": 0.5}),
        json!({"prompt": "a red cat", "seed": 5, "mask": "mask.png"}),
    ];
    let content = lines.map(|line| format!("{line}\n")).concat();
    let (outcome, objects) = batch(&sandbox, content, &start);
    assert_eq!(outcome.code, Some(0), "{objects:?}");
    for (file, more) in [
        ("out/00001.png", ["--strength", "0.5"]),
        ("out/00002.png", ["--mask", "mask.png"]),
    ] {
        let alone = sandbox.painted("alone.png", &[&start[..], &more, &["--force"]].concat());
        assert_eq!(sandbox.picture(file), alone, "{file}");
    }
}
