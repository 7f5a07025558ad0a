//! Prompts and pictures that are refused.

use std::fs;

use serde_json::json;

use crate::{
    sandbox::Sandbox,
    tiny::{LAX, STRICT, write_chinese_clip, write_prompt_checker, write_safety_checker},
};

#[test]
fn harmless_prompts_and_pictures_are_as_without_checks() {
    let sandbox = Sandbox::new();
    write_prompt_checker(&sandbox.path("prompts"), false);
    write_safety_checker(&sandbox.path("pictures"), LAX);
    let arguments = [
        "--prompt-checker",
        "prompts",
        "--safety-checker",
        "pictures",
    ];
    let checked = sandbox.painted("a.png", &arguments);
    assert_eq!(checked, sandbox.painted("b.png", &[]));
    assert!(!sandbox.texts("a.png").contains_key("safety"));
}

#[test]
fn a_refused_prompt_is_no_picture() {
    let sandbox = Sandbox::new();
    write_prompt_checker(&sandbox.path("strict"), true);
    let arguments = ["--prompt-checker", "strict"];
    let outcome = sandbox.paint("cat.png", &arguments);
    outcome.fails(
        3,
        &["refused: the prompt was classified as LABEL_1", "描述"],
    );
    let low = sandbox.paint("cat.png", &[&arguments[..], &["--low-memory"]].concat());
    low.fails(3, &["refused: the prompt"]);
    assert!(!sandbox.path("cat.png").exists());

    let outcome = sandbox.paint("cat.png", &[&arguments[..], &["--json"]].concat());
    assert_eq!(outcome.code, Some(3));
    let object = &outcome.objects()[0];
    assert_eq!(
        (&object["prompt"], &object["seed"]),
        (&json!("a red cat"), &json!(5))
    );
    let reason = object["refused"]["reason"].as_str().unwrap();
    assert!(reason.contains("LABEL_1"), "{object}");
}

#[test]
fn a_refused_picture_is_black_and_says_so() {
    let sandbox = Sandbox::new();
    write_safety_checker(&sandbox.path("strict"), STRICT);
    let arguments = ["--safety-checker", "strict", "--n", "2"];
    let outcome = sandbox.paint("cat.png", &arguments);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(3), "cat.png\n"));
    let reason = "picture 1 is black: the picture resembles unwanted concepts";
    assert!(outcome.stderr.contains(reason), "{outcome:?}");
    let sheet = sandbox.picture("cat.png");
    assert!(sheet.pixels().iter().all(|&level| level == 0));
    let texts = sandbox.texts("cat.png");
    assert_eq!(texts["blacked_out"], "[0,1]");
    assert!(texts["safety"].contains(reason), "{texts:?}");

    let json = ["--json", "--force"];
    let outcome = sandbox.paint("cat.png", &[&arguments[..], &json].concat());
    assert_eq!(outcome.code, Some(3));
    let object = &outcome.objects()[0];
    assert_eq!(object["blacked_out"], json!([0, 1]));
    let refused = object["refused"]["pictures"].as_array().unwrap();
    assert_eq!((refused.len(), &refused[1]["picture"]), (2, &json!(1)));
    let concepts = refused[0]["report"]["concepts"].as_array().unwrap();
    assert_eq!(concepts.len(), 17);
}

#[test]
fn a_black_picture_stays_black_without_the_checker() {
    let sandbox = Sandbox::new();
    write_safety_checker(&sandbox.path("strict"), STRICT);
    sandbox.paint("cat.png", &["--safety-checker", "strict"]);
    let outcome = sandbox.run(&["--from-png", "cat.png", "--out", "again.png"]);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(
        outcome.stderr.contains("was blacked out before"),
        "{outcome:?}"
    );
    assert_eq!(sandbox.picture("again.png"), sandbox.picture("cat.png"));
    assert_eq!(sandbox.texts("again.png")["blacked_out"], "[0]");
}

#[test]
fn a_candidate_that_may_be_shown_comes_before_a_better_one_that_may_not() {
    let sandbox = Sandbox::new();
    write_chinese_clip(&sandbox.path("clip"));
    write_safety_checker(&sandbox.path("strict"), STRICT);
    let arguments = ["--n", "8", "--separate", "--json", "--clip", "clip"];
    let strict = ["--safety-checker", "strict"];
    let all = sandbox.paint("a.png", &[&arguments[..], &strict].concat());
    let all = all.objects();
    // How much each picture is like the concept that it is most like.
    let alike: Vec<f64> = all
        .iter()
        .map(|object| {
            let scores = &object["refused"]["pictures"][0]["report"]["concept_scores"];
            let scores = scores.as_array().unwrap().iter();
            let largest = scores.map(|score| score.as_f64().unwrap());
            largest.fold(f64::MIN, f64::max) + f64::from(STRICT)
        })
        .collect();
    // Thresholds in the middle of the widest gap, which is wider than the digits that count.
    let mut sorted = alike.clone();
    sorted.sort_by(f64::total_cmp);
    let gap = |pair: &[f64]| pair[1] - pair[0];
    let widest = sorted.windows(2).max_by(|a, b| gap(a).total_cmp(&gap(b)));
    let widest = widest.unwrap();
    assert!(gap(widest) > 0.003, "{sorted:?}");
    let threshold = (widest[0] + widest[1]) / 2.0;
    write_safety_checker(&sandbox.path("half"), threshold as f32);

    let fit = |&place: &usize| all[place]["scores"][0].as_f64().unwrap();
    let best = |places: Vec<usize>| {
        let best = places.into_iter().max_by(|a, b| fit(a).total_cmp(&fit(b)));
        best.unwrap()
    };
    let shown = best((0..8).filter(|&place| alike[place] < threshold).collect());
    assert_ne!(best((0..8).collect()), shown);
    let arguments = ["--rerank", "8", "--clip", "clip", "--json"];
    let half = ["--safety-checker", "half"];
    let outcome = sandbox.paint("best.png", &[&arguments[..], &half].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.objects()[0]["pictures"], json!([shown]));
    // Where none may be shown, the best of all is black.
    let outcome = sandbox.paint("black.png", &[&arguments[..], &strict].concat());
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let object = &outcome.objects()[0];
    assert_eq!(object["pictures"], json!([best((0..8).collect())]));
    assert_eq!(object["blacked_out"], object["pictures"]);
}

#[test]
fn bad_folders_are_explained_before_the_model_is_read() {
    let sandbox = Sandbox::new();
    write_safety_checker(&sandbox.path("lax"), LAX);
    write_chinese_clip(&sandbox.path("clip"));
    sandbox.write("model/model.safetensors", "no weights");
    let fails = |arguments: &[&str], reasons: &[&str]| {
        sandbox.paint("a.png", arguments).fails(1, reasons);
    };
    for option in ["--prompt-checker", "--safety-checker", "--clip"] {
        fails(&[option, "nowhere"], &["nowhere: there is no such folder"]);
    }
    fails(
        &["--safety-checker", "model"],
        &["config.json", "no `vision_config`"],
    );
    fails(&["--clip", "lax"], &["config.json", "no `text_config`"]);
    fails(
        &["--prompt-checker", "clip"],
        &["model.safetensors", "does not belong"],
    );
    sandbox.write("clip/preprocessor_config.json", r#"{"size": 224}"#);
    fails(&["--clip", "clip"], &["[3, 224, 224]", "reads [3, 32, 32]"]);
    fs::remove_file(sandbox.path("lax/model.safetensors")).unwrap();
    fails(
        &["--safety-checker", "lax"],
        &["no model.safetensors or model.safetensors.index.json"],
    );
    assert!(!sandbox.path("a.png").exists());
}
