//! Painting a file again.

use std::fs;

use crate::{
    sandbox::{Outcome, Sandbox},
    tiny,
};

fn again(sandbox: &Sandbox, file: &str, more: &[&str]) -> Outcome {
    let arguments = ["--from-png", file, "--out", "again.png", "--force"];
    sandbox.run(&[&arguments, more].concat())
}

/// The pixels are the same, and so is all that the file says about them.
fn repeats(sandbox: &Sandbox, file: &str, more: &[&str]) {
    let outcome = again(sandbox, file, more);
    assert_eq!(
        (outcome.code, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    assert_eq!(
        sandbox.picture("again.png"),
        sandbox.picture(file),
        "{file}"
    );
    let then = fs::read(sandbox.path(file)).unwrap();
    assert_eq!(fs::read(sandbox.path("again.png")).unwrap(), then, "{file}");
}

#[test]
fn a_picture_is_painted_again() {
    let sandbox = Sandbox::new();
    sandbox.painted(
        "plain.png",
        &[
            "--negative",
            "一只狗 🐱",
            "--guidance",
            "7.300000000000001",
            "--scheduler",
            "euler-a",
        ],
    );
    repeats(&sandbox, "plain.png", &[]);
    repeats(&sandbox, "plain.png", &["--low-memory"]);
    let largest = u64::MAX.to_string();
    sandbox.run(&[
        "2024",
        "--seed",
        &largest,
        "--size",
        "48x20",
        "--out",
        "number.png",
    ]);
    repeats(&sandbox, "number.png", &[]);
    sandbox.painted("half.png", &["--dtype", "f16"]);
    repeats(&sandbox, "half.png", &[]);
    sandbox.painted("quantized.png", &["--quantize", "int8-row"]);
    assert_ne!(
        sandbox.picture("quantized.png"),
        sandbox.picture("half.png")
    );
    repeats(&sandbox, "quantized.png", &[]);
}

#[test]
fn layers_that_wait_change_nothing() {
    let sandbox = Sandbox::new();
    sandbox.painted("plain.png", &[]);
    repeats(&sandbox, "plain.png", &["--memory-limit", "1GB"]);
    // As much is kept for what is computed.
    let outcome = again(&sandbox, "plain.png", &["--memory-limit", "400MB"]);
    outcome.fails(1, &["allow more memory"]);
}

#[test]
fn little_memory_changes_nothing_behind_a_llama() {
    let sandbox = Sandbox::of(tiny::llama_model());
    let files = sandbox.names("model");
    assert!(files.contains(&"tokenizer.json".to_owned()), "{files:?}");
    sandbox.painted("plain.png", &[]);
    for options in [&["--low-memory"][..], &["--memory-limit", "1GB"]] {
        repeats(&sandbox, "plain.png", options);
    }
    let outcome = again(&sandbox, "plain.png", &["--memory-limit", "400MB"]);
    outcome.fails(1, &["allow more memory"]);
    sandbox.painted("quantized.png", &["--quantize", "int8-row"]);
    repeats(&sandbox, "quantized.png", &["--low-memory"]);
}

#[test]
fn pictures_of_a_run_are_painted_again_together_or_alone() {
    let sandbox = Sandbox::new();
    sandbox.painted("sheet.png", &["--n", "5", "--at-once", "3"]);
    repeats(&sandbox, "sheet.png", &[]);
    sandbox.paint("one.png", &["--n", "5", "--at-once", "3", "--separate"]);
    for number in 1..=5 {
        repeats(&sandbox, &format!("one-{number}.png"), &[]);
    }
}

#[test]
fn the_chosen_candidate_is_painted_again_without_choosing() {
    let sandbox = Sandbox::new();
    tiny::write_chinese_clip(&sandbox.path("clip"));
    sandbox.painted("best.png", &["--n", "2", "--rerank", "3", "--clip", "clip"]);
    repeats(&sandbox, "best.png", &[]);
}

#[test]
fn the_picture_to_begin_with_has_to_be_the_same() {
    let sandbox = Sandbox::new();
    let start = [
        "--init-image",
        "start.png",
        "--mask",
        "mask.png",
        "--strength",
        "0.7",
    ];
    sandbox.painted("cat.png", &start);
    repeats(&sandbox, "cat.png", &[]);
    fs::create_dir(sandbox.path("moved")).unwrap();
    for name in ["start.png", "mask.png"] {
        let moved = sandbox.path("moved").join(name);
        fs::rename(sandbox.path(name), moved).unwrap();
    }
    again(&sandbox, "cat.png", &[]).fails(1, &["start.png", "--init-image"]);
    let moved = [
        "--init-image",
        "moved/start.png",
        "--mask",
        "moved/mask.png",
    ];
    let outcome = again(&sandbox, "cat.png", &moved);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(sandbox.picture("again.png"), sandbox.picture("cat.png"));
    let swapped = ["--init-image", "moved/mask.png", "--mask", "moved/mask.png"];
    again(&sandbox, "cat.png", &swapped).fails(
        1,
        &["the picture to begin with is another picture than start.png"],
    );
    let swapped = [
        "--init-image",
        "moved/start.png",
        "--mask",
        "moved/start.png",
    ];
    again(&sandbox, "cat.png", &swapped).fails(1, &["the mask is another picture than mask.png"]);
}

#[test]
fn another_model_is_mentioned() {
    let sandbox = Sandbox::new();
    let picture = sandbox.painted("cat.png", &[]);
    fs::rename(sandbox.path("model"), sandbox.path("other")).unwrap();
    let outcome = again(&sandbox, "cat.png", &["--model", "other", "--dtype", "f16"]);
    assert_eq!(outcome.code, Some(2), "--model is given twice: {outcome:?}");
    let mut command = sandbox.without_model();
    command.args([
        "--model",
        "other",
        "--dtype",
        "f32",
        "--from-png",
        "cat.png",
    ]);
    let outcome = crate::sandbox::run(command.args(["--out", "again.png"]));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains("model model, not other"),
        "{outcome:?}"
    );
    assert!(
        outcome.stderr.contains("dtype stored, not f32"),
        "{outcome:?}"
    );
    assert_eq!(sandbox.picture("again.png"), picture);
}

#[test]
fn files_of_other_programs_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("text.png", "no picture");
    sandbox.painted("cat.png", &[]);
    let whole = fs::read(sandbox.path("cat.png")).unwrap();
    sandbox.write("half.png", &whole[..whole.len() / 2]);
    let picture = sandbox.picture("cat.png");
    let write = |name: &str, keyword: &str, text: &str| {
        let mut texts = sandbox.texts("cat.png");
        texts.insert(keyword.to_owned(), text.to_owned());
        let texts: Vec<_> = texts.into_iter().collect();
        sandbox.write(name, picture.encode_png(&texts).unwrap());
    };
    write("seed.png", "seed", "-1");
    write("sampler.png", "scheduler", "luck");
    write("size.png", "width", "7");
    write("number.png", "pictures", "[3]");
    write("many.png", "painted", "99999999999");
    write("none.png", "at_once", "0");
    for (file, reasons) in [
        ("missing.png", &["missing.png: No such file"][..]),
        ("text.png", &["text.png: not a whole PNG file"]),
        ("half.png", &["half.png: not a whole PNG file"]),
        (
            "start.png",
            &[
                "start.png",
                "no picture with a recipe",
                "missing field `prompt`",
            ],
        ),
        ("seed.png", &["seed.png", "no picture with a recipe", "-1"]),
        ("sampler.png", &["sampler.png", "luck"]),
        ("size.png", &["the size 7x32"]),
        ("number.png", &["picture 3", "1 were painted"]),
        ("many.png", &["99999999999", "1024"]),
        ("none.png", &["the number of pictures at once is 0"]),
    ] {
        again(&sandbox, file, &[]).fails(1, reasons);
    }
    assert!(!sandbox.path("again.png").exists());
}

#[test]
fn what_the_file_says_cannot_be_changed() {
    let sandbox = Sandbox::new();
    sandbox.painted("cat.png", &[]);
    for more in [
        &["--seed", "1"][..],
        &["--steps", "1"],
        &["--size", "64"],
        &["--n", "2"],
        &["--negative", "x"],
        &["--at-once", "2"],
        &["--separate"],
        &["a prompt"],
    ] {
        again(&sandbox, "cat.png", more).fails(2, &["cannot be used with"]);
    }
}
