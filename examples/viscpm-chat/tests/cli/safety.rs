//! Pictures that a safety checker looks at first.

use std::{fs, ops::ControlFlow, path::PathBuf};

use burn::backend::Flex;
use mpm_core::weights::{KeyMap, LoadOptions, Precision, save};
use mpm_data::picture::Picture;
use mpm_vision::clip::{ClipConfig, ClipVisionConfig, SafetyChecker};
use serde_json::{Value, json};
use viscpm_chat::{ChatError, ChatSession, PictureCheck};

use crate::sandbox::{Outcome, Sandbox, alone, model, run, run_with_input};

/// Below every cosine: all pictures are flagged.
const STRICT: f32 = -1.5;
/// Above every cosine: none is.
const LAX: f32 = 1.5;

/// Writes the folder of a tiny random checker whose thresholds are all the same.
fn write_checker(sandbox: &Sandbox, name: &str, threshold: f32) -> PathBuf {
    let folder = sandbox.path(name);
    fs::create_dir(&folder).unwrap();
    let config = ClipConfig {
        vision_config: ClipVisionConfig::tiny(),
        projection_dim: 12,
    };
    let json = serde_json::to_string(&config).unwrap();
    fs::write(folder.join("config.json"), json).unwrap();
    let _alone = alone();
    let mut checker = SafetyChecker::<Flex>::new(&config, &Default::default()).unwrap();
    let thresholds = &mut checker.concept_embeds_weights;
    *thresholds = thresholds
        .clone()
        .map(|weights| weights.full_like(threshold));
    let weights = folder.join("model.safetensors");
    save(&checker, weights, &KeyMap::new(), Precision::AsStored).unwrap();
    folder
}

fn checked(sandbox: &Sandbox, checker: &str, arguments: &[&str]) -> Outcome {
    let arguments = [&["--safety-checker", checker], arguments].concat();
    sandbox.ask(&arguments)
}

#[test]
fn a_harmless_picture_is_answered_as_without_a_check() {
    let sandbox = Sandbox::new();
    write_checker(&sandbox, "lax", LAX);
    let outcome = checked(&sandbox, "lax", &[]);
    assert_eq!(outcome.line(), sandbox.ask(&[]).line());
}

#[test]
fn a_refused_picture_is_an_error_with_the_reason() {
    let sandbox = Sandbox::new();
    write_checker(&sandbox, "strict", STRICT);
    let reason = ["the picture is refused", "unwanted concepts: number 0 by"];
    checked(&sandbox, "strict", &[]).fails(1, &reason);
    // A question without a picture needs no check.
    let mut command = sandbox.chat();
    command.args(["--safety-checker", "strict", "--question", "?"]);
    let outcome = run(&mut command);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.stdout.is_empty(), "{outcome:?}");
}

#[test]
fn json_says_what_was_found() {
    let sandbox = Sandbox::new();
    write_checker(&sandbox, "strict", STRICT);
    let outcome = checked(&sandbox, "strict", &["--json"]);
    assert_eq!(
        (outcome.code, &*outcome.stderr),
        (Some(1), ""),
        "{outcome:?}"
    );
    let object: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(
        object["error"].as_str().unwrap().contains("refused"),
        "{object}"
    );
    assert_eq!(object["refused"]["concepts"].as_array().unwrap().len(), 17);
    assert_eq!(object["answer"], Value::Null);
}

#[test]
fn a_batch_goes_on_after_a_refused_picture() {
    let sandbox = Sandbox::new();
    write_checker(&sandbox, "strict", STRICT);
    let refused = json!({"image": "picture.png", "question": "What is this?"});
    let missing = json!({"image": "missing.png", "question": "What is this?"});
    sandbox.write(
        "questions.jsonl",
        format!("{refused}\n{missing}\n{refused}\n"),
    );
    let mut command = sandbox.chat();
    command.args(["--safety-checker", "strict", "--batch", "questions.jsonl"]);
    let outcome = run(&mut command);
    assert_eq!(
        (outcome.code, &*outcome.stderr),
        (Some(1), ""),
        "{outcome:?}"
    );
    let lines = outcome.stdout.lines();
    let objects: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [first, second, third] = &objects[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!((&first["line"], &third["line"]), (&json!(1), &json!(3)));
    for object in [first, third] {
        assert!(
            object["error"].as_str().unwrap().contains("refused"),
            "{object}"
        );
        let score = object["refused"]["concepts"][0]["score"].as_f64();
        assert!(score.unwrap() > 0.0, "{object}");
    }
    assert!(second["error"].as_str().unwrap().contains("no such file"));
    assert_eq!(second["refused"], Value::Null);
}

#[test]
fn a_conversation_goes_on_after_a_refused_picture() {
    let sandbox = Sandbox::new();
    write_checker(&sandbox, "strict", STRICT);
    let mut command = sandbox.chat();
    command.args(["--safety-checker", "strict"]);
    let outcome = run_with_input(
        &mut command,
        "What is this?\n/image picture.png\n/reset\nWhat is this?\n",
    );
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains("the picture is refused"),
        "{outcome:?}"
    );
    let answers: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!((answers.len(), answers[0]), (2, answers[1]));
}

#[test]
fn a_bad_folder_is_explained_before_the_model_is_read() {
    let sandbox = Sandbox::new();
    let folder = write_checker(&sandbox, "lax", LAX);
    sandbox.write("model/model.safetensors", "no weights");
    checked(&sandbox, "nowhere", &[]).fails(1, &["nowhere: there is no such folder"]);
    checked(&sandbox, "model", &[]).fails(1, &["config.json", "no `vision_config`"]);
    sandbox.write("lax/preprocessor_config.json", r#"{"size": 224}"#);
    let shapes = [
        "prepares pictures of shape [3, 224, 224]",
        "reads [3, 32, 32]",
    ];
    checked(&sandbox, "lax", &[]).fails(1, &shapes);
    sandbox.write("lax/preprocessor_config.json", r#"{"resample": 2}"#);
    checked(&sandbox, "lax", &[]).fails(1, &["preprocessor_config.json", "`resample`"]);
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    checked(&sandbox, "lax", &[])
        .fails(1, &["no model.safetensors or model.safetensors.index.json"]);
}

#[test]
fn a_session_refuses_and_stays_as_it_was() {
    let sandbox = Sandbox::new();
    let model = model();
    let open = |threshold, name| {
        let folder = write_checker(&sandbox, name, threshold);
        PictureCheck::open(folder, &Default::default(), &LoadOptions::default()).unwrap()
    };
    let (strict, lax) = (open(STRICT, "strict"), open(LAX, "lax"));
    let picture = Picture::open(sandbox.path("picture.png")).unwrap();
    let ask = |session: &mut ChatSession<'_, Flex>| {
        let params = &model.config.decoding;
        session
            .ask("?", params, |_| ControlFlow::Continue(()))
            .unwrap()
    };

    let mut session = ChatSession::new(&model).unwrap().with_picture_check(&lax);
    session.show(&picture).unwrap();
    let about_the_picture = ask(&mut session);
    session.reset();
    let mut session = session.with_picture_check(&strict);
    let error = session.show(&picture).unwrap_err();
    let ChatError::PictureRefused { report } = error else {
        panic!("{error}")
    };
    assert!(report.is_flagged());
    assert_eq!(ask(&mut session), about_the_picture);
}
