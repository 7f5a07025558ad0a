//! Arguments: help, ranges and contradictions.

use std::fs;

use crate::sandbox::{Sandbox, run};

#[test]
fn help_explains_every_option() {
    let sandbox = Sandbox::new();
    let outcome = run(sandbox.without_model().arg("--help"));
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""));
    let help = &outcome.stdout;
    let mut lines = help.lines().peekable();
    let mut options = 0;
    while let Some(line) = lines.next() {
        let option = line.trim_start();
        if option.starts_with("--") || option.starts_with("-h,") || option == "[PROMPT]" {
            options += 1;
            let text = lines.peek().unwrap_or(&"").trim();
            assert!(
                text.len() > 10 && !text.starts_with("[default"),
                "{line} is not explained: {text}"
            );
        }
    }
    assert!(options >= 31, "{options} options: {help}");
    for text in [
        "exit code is 0",
        "130 after Ctrl-C",
        "用模型懂得的任何语言描述来画图",
        "随机种子",
    ] {
        assert!(help.contains(text), "no {text:?} in {help}");
    }
}

#[test]
fn parameters_out_of_range_are_usage_errors() {
    let sandbox = Sandbox::new();
    // None of them is about weights, of which there are none.
    sandbox.write("model/model.safetensors", "no weights");
    for (arguments, reasons) in [
        (
            &["--size", "7"][..],
            &["the size 7x7", "multiples of 4"][..],
        ),
        (&["--size", "64x6"], &["the size 64x6"]),
        (&["--size", "8192"], &["the size 8192x8192", "2048"]),
        (&["--size", "0"], &["the size 0x0"]),
        (
            &["--size", "18446744073709551615"],
            &["the size 18446744073709551615x"],
        ),
        (&["--size", "big"], &["`big` is no size", "64x48"]),
        (&["--steps", "0"], &["at least one denoising step"]),
        (&["--steps", "5000"], &["5000 denoising steps are too many"]),
        (&["--steps", "18446744073709551615"], &["too many"]),
        (&["--guidance", "NaN"], &["guidance scale is NaN"]),
        (&["--guidance", "inf"], &["guidance scale is inf"]),
        (
            &["--scheduler", "luck"],
            &["no sampler `luck`", "dpm++2m-karras"],
        ),
        (&["--n", "0"], &["the number of pictures is 0", "1 to 1024"]),
        (
            &["--n", "18446744073709551615"],
            &["the number of pictures is 1844"],
        ),
        (
            &["--n", "40", "--rerank", "40", "--clip", "x"],
            &["all candidates is 1600"],
        ),
        (&["--rerank", "0", "--clip", "x"], &["candidates is 0"]),
        (&["--at-once", "0"], &["pictures at once is 0"]),
        (
            &["--strength", "0.5"],
            &["a strength is about", "--init-image"],
        ),
        (
            &["--mask", "mask.png"],
            &["a mask is about", "--init-image"],
        ),
        (
            &["--init-image", "start.png", "--strength", "0"],
            &["a strength of 0 leaves"],
        ),
        (
            &["--init-image", "start.png", "--strength", "2"],
            &["a strength of 2 leaves"],
        ),
        (
            &["--init-image", "start.png", "--strength", "-1"],
            &["a strength of -1 leaves"],
        ),
        (
            &["--init-image", "start.png", "--strength", "NaN"],
            &["a strength of NaN leaves"],
        ),
        (&["--seed", "-1"], &["-1"]),
        (&["--dtype", "f8"], &["f8", "bf16"]),
        (&["--checkpoint", "x.pt"], &["--model"]),
        (&["--out-dir", "x"], &["--out-dir", "--out "]),
        (&["--colour"], &["--colour"]),
    ] {
        println!("{arguments:?}");
        sandbox.paint("a.png", arguments).fails(2, reasons);
    }
    sandbox
        .run(&["--out", "a.png"])
        .fails(2, &["PROMPT", "--batch", "--from-png"]);
    sandbox.run(&["a cat"]).fails(2, &["--out"]);
    sandbox
        .run(&["", "--seed", "1", "--out", "a.png"])
        .fails(2, &["the prompt is empty"]);
    sandbox
        .run(&[" \n", "--seed", "1", "--out", "a.png"])
        .fails(2, &["the prompt is empty"]);
    let mut command = sandbox.without_model();
    run(command.args(["a", "--out", "a.png", "--checkpoint", "x.pt"]))
        .fails(2, &["--vae", "--vocab"]);
    assert!(sandbox.is_untouched());
}

#[test]
fn bad_files_come_to_light_before_the_weights_are_read() {
    let sandbox = Sandbox::new();
    sandbox.write("model/model.safetensors", "no weights");
    sandbox.draw("small.png", [16, 32], |_, _| [255; 3]);
    sandbox.draw("odd.png", [33, 32], |_, _| [255; 3]);
    sandbox.write("text.png", "no picture");
    let long = "a red cat ".repeat(1000);
    sandbox
        .run(&[&long, "--seed", "1", "--out", "a.png"])
        .fails(1, &["the prompt has", "at most 256 are read", "shorten"]);
    let fails = |arguments: &[&str], code, reasons: &[&str]| {
        sandbox.paint("a.png", arguments).fails(code, reasons);
    };
    fails(&["--negative", &long], 1, &["the negative prompt has"]);
    fails(
        &["--init-image", "missing.png"],
        1,
        &["missing.png: there is no such file"],
    );
    fails(
        &["--init-image", "text.png"],
        1,
        &["text.png: not a picture"],
    );
    fails(&["--init-image", "odd.png"], 2, &["the size 33x32"]);
    let start = ["--init-image", "start.png"];
    let with = |more: &[&'static str]| [&start[..], more].concat();
    let other = ["begin with has 32x32 pixels", "the picture to paint 64x64"];
    fails(&with(&["--size", "64"]), 1, &other);
    fails(
        &with(&["--mask", "small.png"]),
        1,
        &["the mask has 16x32 pixels"],
    );
    fails(&with(&["--mask", "missing.png"]), 1, &["missing.png"]);
    // At last the weights.
    fails(&[], 1, &["model.safetensors", "a text file"]);
    assert!(!sandbox.path("a.png").exists());
}

#[test]
fn weights_that_do_not_fit_come_to_light_before_the_language_model_works() {
    let sandbox = Sandbox::new();
    fs::copy(
        sandbox.path("model/model.safetensors"),
        sandbox.path("model/vae.safetensors"),
    )
    .unwrap();
    let outcome = sandbox.paint("a.png", &["--low-memory"]);
    outcome.fails(1, &["vae.safetensors", "does not belong to this model"]);
}

#[test]
fn a_backend_has_to_exist_and_to_be_compiled_in() {
    let sandbox = Sandbox::new();
    sandbox
        .paint("a.png", &["--backend", "abacus"])
        .fails(2, &["abacus", "flex, cuda, wgpu, vulkan, metal"]);
    if !cfg!(feature = "cuda") {
        let outcome = sandbox.paint("a.png", &["--backend", "cuda"]);
        outcome.fails(1, &["without the backend `cuda`", "--features cuda"]);
    }
}

#[test]
fn the_default_model_is_looked_for_in_the_repository() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("models")).unwrap();
    fs::rename(
        sandbox.path("model"),
        sandbox.path("models/viscpm-paint-emoji"),
    )
    .unwrap();
    fs::create_dir(sandbox.path("below")).unwrap();
    let mut command = sandbox.without_model();
    command.current_dir(sandbox.path("below"));
    let outcome = run(command.args(["a cat", "--seed", "1", "--out", "a.png"]));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(sandbox.texts("below/a.png")["model"], "viscpm-paint-emoji");
    let mut command = sandbox.without_model();
    let outcome = run(command.args(["a", "--model", "nowhere", "--out", "a.png"]));
    outcome.fails(1, &["nowhere: there is no such file", "config.json"]);
    for file in ["nowhere.ckpt", "nowhere.safetensors"] {
        let mut command = sandbox.without_model();
        command.args(["a", "--model", file, "--tokenizer", "x", "--out", "a.png"]);
        run(&mut command).fails(1, &[file, "there is no such file or folder"]);
    }
}
