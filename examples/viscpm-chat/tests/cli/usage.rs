//! Arguments: help, ranges and contradictions.

use crate::sandbox::{Sandbox, run};

#[test]
fn help_explains_every_option() {
    let sandbox = Sandbox::new();
    let outcome = run(sandbox.without_model().arg("--help"));
    let help = outcome.line();
    let mut lines = help.lines().peekable();
    let mut options = 0;
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("--") || line.trim_start().starts_with("-h,") {
            options += 1;
            let text = lines.peek().unwrap_or(&"").trim();
            assert!(
                text.len() > 10 && !text.starts_with('['),
                "{line} is not explained: {text}"
            );
        }
    }
    assert!(options >= 23, "{options} options: {help}");
    assert!(
        help.contains("exit code is 1 when any line failed"),
        "{help}"
    );
}

#[test]
fn parameters_out_of_range_are_usage_errors() {
    let sandbox = Sandbox::new();
    for (arguments, reasons) in [
        (
            &["--strategy", "sample", "--temperature", "0"][..],
            &["temperature is 0", "above 0"][..],
        ),
        (
            &["--strategy", "beam", "--temperature", "NaN"],
            &["temperature is NaN"],
        ),
        (
            &["--strategy", "beam", "--temperature", "-1"],
            &["temperature is -1"],
        ),
        (&["--beams", "0"], &["beams is 0"]),
        (
            &["--beams", "18446744073709551615"],
            &["beams is 18446744073709551615", "256"],
        ),
        (&["--length-penalty", "inf"], &["length_penalty"]),
        (
            &["--repetition-penalty", "0.5"],
            &["repetition_penalty is 0.5", "at least 1"],
        ),
        (&["--repetition-window", "0"], &["repetition_window"]),
        (&["--top-k", "0"], &["top_k"]),
        (&["--top-p", "1.5"], &["top_p"]),
        (&["--min-p", "-0.1"], &["min_p"]),
        (&["--max-new-tokens", "0"], &["max_new_tokens"]),
        (
            &["--max-new-tokens", "18446744073709551615"],
            &["max_new_tokens", "65536"],
        ),
        (&["--stop", ""], &["stop"]),
        (
            &["--beams", "3", "--top-k", "5"],
            &["sampling has no --beams"],
        ),
        (
            &["--strategy", "greedy", "--top-p", "0.5"],
            &["greedy decoding has no --top-p"],
        ),
        (&["--beams", "many"], &["--beams", "invalid"]),
        (&["--strategy", "luck"], &["luck", "beam, greedy, sample"]),
        (&["--dtype", "f8"], &["f8", "bf16"]),
        (&["--seed", "-1"], &["-1"]),
        (&["--batch", "x.jsonl"], &["--batch", "--question"]),
        (&["--checkpoint", "x.pt"], &["--model"]),
        (&["--colour"], &["--colour"]),
    ] {
        println!("{arguments:?}");
        sandbox.ask(arguments).fails(2, reasons);
    }
    run(sandbox.without_model().args(["--checkpoint", "x.pt"])).fails(2, &["--vocab"]);
    run(sandbox.chat().arg("--json")).fails(2, &["--question"]);
}

#[test]
fn mistakes_come_to_light_before_the_weights_are_read() {
    let sandbox = Sandbox::new();
    sandbox.write("model/model.safetensors", "no weights");
    sandbox.ask(&["--beams", "0"]).fails(2, &["beams"]);
    let command = |arguments: &[&str]| run(sandbox.chat().args(arguments));
    command(&["--image", "missing.png", "--question", "?"]).fails(1, &["missing.png"]);
    command(&["--batch", "missing.jsonl"]).fails(1, &["missing.jsonl"]);
    sandbox
        .ask(&[])
        .fails(1, &["model.safetensors", "a text file"]);
}

#[test]
fn a_backend_has_to_exist_and_to_be_compiled_in() {
    let sandbox = Sandbox::new();
    sandbox
        .ask(&["--backend", "abacus"])
        .fails(2, &["abacus", "flex, cuda, wgpu, vulkan, metal"]);
    if !cfg!(feature = "cuda") {
        let outcome = sandbox.ask(&["--backend", "cuda"]);
        outcome.fails(1, &["without the backend `cuda`", "--features cuda"]);
    }
}

#[test]
fn the_default_model_is_looked_for_in_the_repository() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("models")).unwrap();
    std::fs::rename(
        sandbox.path("model"),
        sandbox.path("models/viscpm-chat-emoji"),
    )
    .unwrap();
    std::fs::create_dir(sandbox.path("below")).unwrap();
    let mut command = sandbox.without_model();
    command.current_dir(sandbox.path("below"));
    let outcome = run(command.args(["--image", "../picture.png", "--question", "?"]));
    assert!(!outcome.line().is_empty());
}
