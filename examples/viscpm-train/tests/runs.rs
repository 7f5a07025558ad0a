//! Whole runs of the program: on small data, with the models that ship.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "not every test uses every helper")]

mod common;

use std::{fs, thread, time::Duration};

use burn::{backend::Flex, tensor::DType};
use common::{STEPS, Workplace, fails, shipped, succeeds};
use mpm_core::weights::{LoadOptions, StoredTensor, WeightFile};
use mpm_llm::{any::AnyLlm, template::TextTemplate};
use serde_json::{Value, json};
use viscpm_chat::ChatModel;
use viscpm_paint::{PaintModel, TextEncoder};

#[test]
fn a_dry_run_shows_parameters_memory_and_the_first_batch() {
    let workplace = Workplace::new();
    let text = succeeds(workplace.run(&workplace.recipe(), &["--run", "run", "--dry-run"]));
    for expected in [
        "trains  visual.query",
        "frozen  llm.input_embedding",
        "MiB  moments",
        "MiB  in all",
        "[0] ",
        " picture.",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(workplace.path("run/first-batch.png").is_file());
    assert!(!workplace.path("run/metrics.jsonl").exists());

    let text = succeeds(workplace.run(&workplace.paint_recipe(), &["--run", "paint", "--dry-run"]));
    assert!(text.contains("trains  trans_block"), "{text}");
    assert!(text.contains("noise of timestep"), "{text}");
}

/// Kills a run again and again, at times that differ, and goes on until it is done.
fn killed_and_resumed(workplace: &Workplace, recipe: &Value, run: &str) -> usize {
    let mut kills = 0;
    for attempt in 0.. {
        let exists = workplace
            .path(&format!("{run}/checkpoints"))
            .read_dir()
            .is_ok_and(|mut entries| {
                entries.any(|entry| {
                    entry
                        .is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("step-"))
                })
            });
        let mut arguments = vec!["--run", run];
        if exists {
            arguments.push("--resume");
        }
        let mut child = workplace.command(recipe, &arguments).spawn().unwrap();
        // The first kill comes before any machine can be done; later ones ever later, so that
        // every run gets on.
        let patience = Duration::from_millis(100).mul_f64(1.3f64.powi(attempt));
        let started = std::time::Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(
                    status.success(),
                    "{}",
                    fails(child.wait_with_output().unwrap())
                );
                return kills;
            }
            if started.elapsed() > patience {
                // SIGKILL: nothing is cleaned up.
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                break;
            }
            thread::sleep(Duration::from_millis(7));
        }
    }
    unreachable!("attempts do not end")
}

#[test]
fn a_chat_run_killed_at_any_time_ends_like_the_uninterrupted_one() {
    let workplace = Workplace::new();
    let recipe = workplace.recipe();
    succeeds(workplace.run(&recipe, &["--run", "whole"]));
    let kills = killed_and_resumed(&workplace, &recipe, "killed");
    assert!(kills > 0, "the run was never killed");
    assert!(workplace.last_weights("killed") == workplace.last_weights("whole"));
    assert_eq!(workplace.losses("killed"), workplace.losses("whole"));
    assert_eq!(workplace.losses("whole").len(), STEPS);
    assert!(workplace.path("whole/model/config.json").is_file());
    let read =
        |run: &str| fs::read(workplace.path(&format!("{run}/model/model.safetensors"))).unwrap();
    assert!(read("killed") == read("whole"));
}

#[test]
fn a_paint_run_killed_at_any_time_ends_like_the_uninterrupted_one() {
    let workplace = Workplace::new();
    let recipe = workplace.paint_recipe();
    succeeds(workplace.run(&recipe, &["--run", "whole"]));
    let kills = killed_and_resumed(&workplace, &recipe, "killed");
    assert!(kills > 0, "the run was never killed");
    assert!(workplace.last_weights("killed") == workplace.last_weights("whole"));
    assert_eq!(workplace.losses("killed"), workplace.losses("whole"));
}

/// The models that ship: VisCPM-Chat's parts, and a LLaMA behind SigLIP.
const CHAT_MODELS: [&str; 2] = ["viscpm-chat-emoji", "llama-siglip-emoji"];

#[test]
fn half_precision_and_computing_again_change_little() {
    for model in CHAT_MODELS {
        let workplace = Workplace::new();
        let mut recipe = workplace.recipe();
        recipe["model"]["folder"] = json!(shipped(model));
        recipe["steps"] = json!(3);
        let mut losses = |run: &str, precision: &str, recompute: Value| {
            recipe["precision"] = json!(precision);
            recipe["recompute"] = recompute;
            succeeds(workplace.run(&recipe, &["--run", run]));
            workplace.losses(run)
        };
        let kept = losses("kept", "f32", json!([]));
        let again = losses("again", "f32", json!(["llm", "visual"]));
        assert_eq!(
            kept, again,
            "{model}: the same operations in the same order"
        );
        let half = losses("half", "bf16", json!(["llm"]));
        for ((step, full), (_, half)) in kept.into_iter().zip(half) {
            // bf16 has 8 bits of precision, and errors add up over the layers.
            let error = (full - half).abs();
            assert!(error < 0.05 * full, "{model} {step}: {full} {half}");
        }
    }
}

#[test]
fn a_model_of_other_parts_trains_and_is_written() {
    let workplace = Workplace::new();
    let mut recipe = workplace.recipe();
    recipe["model"]["folder"] = json!(shipped("llama-siglip-emoji"));
    recipe["trainable"] = json!(["**.lora", "visual.connector"]);
    recipe["lora"] = json!({
        "rank": 2, "alpha": 4.0, "targets": ["llm.**.q_proj", "visual.encoder.**.fc1"],
    });
    succeeds(workplace.run(&recipe, &["--run", "run"]));
    let options = LoadOptions::default();
    let trained = workplace.path("run/model");
    let model = ChatModel::<Flex>::open(trained, &Default::default(), &options).unwrap();
    assert!(matches!(model.model.llm, AnyLlm::Llama(_)));
}

#[test]
fn a_painter_behind_another_language_model_trains() {
    let workplace = Workplace::new();
    let (device, options) = (Default::default(), LoadOptions::default());
    // Both language models have states of the same width.
    let mut start =
        PaintModel::<Flex>::open(shipped("viscpm-paint-emoji"), &device, &options).unwrap();
    let chat = ChatModel::<Flex>::open(shipped("llama-siglip-emoji"), &device, &options).unwrap();
    let line = "<|user|>{text}\nWhat is this?<|end|><|assistant|>";
    start.config.llm = chat.config.model.llm;
    start.config.prompt.parts = TextTemplate::Line(line.to_owned());
    start.text_encoder = TextEncoder {
        llm: chat.model.llm,
        prompts: start.config.prompt_tokenizer(chat.tokenizer),
    };
    start.save(workplace.path("start"), DType::F16).unwrap();

    let mut recipe = workplace.paint_recipe();
    recipe["model"]["folder"] = json!("start");
    recipe["schedule"] = json!({"peak": 1e-3});
    recipe["trainable"] = json!(["trans_block"]);
    succeeds(workplace.run(&recipe, &["--run", "run"]));
    let of_part = |folder: &str, part: &str| {
        let file = workplace.path(folder).join("model.safetensors");
        let file = WeightFile::open(file).unwrap();
        let of_part = |(key, tensor): (&String, &StoredTensor)| {
            let key = key.starts_with(part).then(|| key.clone())?;
            Some((key, tensor.read().unwrap()))
        };
        let tensors: Vec<_> = file.tensors().iter().filter_map(of_part).collect();
        assert!(!tensors.is_empty(), "{part}");
        tensors
    };
    for (part, learns) in [("llm.", false), ("unet.", false), ("trans_block.", true)] {
        let same = of_part("start", part) == of_part("run/model", part);
        assert_eq!(same, !learns, "{part}");
    }
    let trained = PaintModel::<Flex>::open(workplace.path("run/model"), &device, &options).unwrap();
    assert!(matches!(trained.text_encoder.llm, AnyLlm::Llama(_)));
    assert_eq!(trained.config.prompt, start.config.prompt);
}

#[test]
fn what_starts_anew_is_drawn_by_the_seed() {
    let workplace = Workplace::new();
    let mut recipe = workplace.recipe();
    recipe["steps"] = json!(1);
    recipe.as_object_mut().unwrap().remove("evaluation");
    let mut first_loss = |run: &str, seed: u64, random: Value| {
        recipe["seed"] = json!(seed);
        recipe["model"]["random"] = random;
        succeeds(workplace.run(&recipe, &["--run", run]));
        workplace.losses(run)[0].1
    };
    let kept = first_loss("kept", 7, json!([]));
    let one = first_loss("one", 7, json!(["visual"]));
    let same = first_loss("same", 7, json!(["visual"]));
    assert!(kept != one);
    assert!(one == same, "{one} {same}");
}

#[test]
fn languages_are_aligned_by_a_recipe() {
    for model in CHAT_MODELS {
        languages_of_a_model_are_aligned(model);
    }
}

fn languages_of_a_model_are_aligned(model: &str) {
    let workplace = Workplace::new();
    let pairs = workplace.path("names.tsv");
    let names = [
        ("a dog", "狗"),
        ("a cat", "猫"),
        ("a bus", "公交车"),
        ("a tree", "树"),
    ];
    let rows = names.map(|(english, chinese)| format!("{english}\t{chinese}\n"));
    fs::write(&pairs, format!("en\tzh\n{}", rows.concat())).unwrap();
    let mut recipe = workplace.recipe();
    recipe["trainable"] = json!(["llm"]);
    recipe["model"]["folder"] = json!(shipped(model));
    recipe["objective"] =
        json!({"kind": "alignment", "files": [&pairs], "languages": ["en", "zh"]});
    recipe["batch"] = json!({"samples": 4, "micro": 4});
    recipe["schedule"]["peak"] = json!(1e-3);
    let fields = recipe.as_object_mut().unwrap();
    fields.remove("data");
    fields.remove("evaluation");
    succeeds(workplace.run(&recipe, &["--run", "run"]));
    let losses = workplace.losses("run");
    assert!(losses[STEPS - 1].1 < 0.8 * losses[0].1, "{losses:?}");

    let align = |model: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_viscpm-align"))
            .args(["--json", "--model", model, "--pairs"])
            .arg(&pairs)
            .current_dir(workplace.folder.path())
            .output()
            .unwrap();
        let report: Value = serde_json::from_str(&succeeds(output)).unwrap();
        let layers = report["pairs"][0]["layers"].as_array().unwrap();
        layers.last().unwrap()["raw"]["margin"].as_f64().unwrap()
    };
    let before = align(recipe["model"]["folder"].as_str().unwrap());
    assert!(align("run/model") > before);
    recipe["objective"]["languages"] = json!(["en", "sw"]);
    let text = fails(workplace.run(&recipe, &["--run", "other"]));
    assert!(text.contains("0 pairs of `en` and `sw`"), "{text}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_with_a_checkpoint() {
    let workplace = Workplace::new();
    let mut recipe = workplace.recipe();
    recipe["steps"] = json!(10_000);
    // At a step whose checkpoint is due, and at others.
    for (devices, every) in [("1", 10_000), ("2", 10_000), ("2", 1)] {
        recipe["checkpoints"]["every"] = json!(every);
        let run = format!("run-{devices}-{every}");
        let arguments = ["--run", &run, "--devices", devices];
        let child = workplace.command(&recipe, &arguments).spawn().unwrap();
        let metrics = workplace.path(&format!("{run}/metrics.jsonl"));
        while fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() < 2)
            || !metrics.exists()
        {
            thread::sleep(Duration::from_millis(20));
        }
        let id = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &id])
            .status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{text}");
        assert!(text.contains("--resume goes on"), "{text}");
        let steps = workplace.losses(&run).len();
        let checkpoint = format!("{run}/checkpoints/step-{steps:08}/manifest.json");
        assert!(workplace.path(&checkpoint).is_file(), "{checkpoint}");
    }
}

#[test]
fn two_workers_train_one_model() {
    let workplace = Workplace::new();
    let mut recipe = workplace.recipe();
    recipe["steps"] = json!(3);
    succeeds(workplace.run(&recipe, &["--run", "run", "--devices", "2"]));
    assert_eq!(workplace.losses("run").len(), 3);
    let manifest = workplace.path("run/checkpoints/step-00000003/manifest.json");
    let manifest: Value = serde_json::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
    assert_eq!(manifest["positions"].as_array().unwrap().len(), 2);
}

#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    let workplace = Workplace::new();
    let recipe = workplace.recipe();
    succeeds(workplace.run(&recipe, &["--run", "whole"]));
    let mut short = recipe.clone();
    short["checkpoints"]["every"] = json!(3);
    let program = workplace.command(&short, &["--run", "run"]);
    // The first checkpoint fits, the metrics grow until nothing does.
    let quoted: Vec<String> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let limited = |blocks: u32, more: &str| {
        std::process::Command::new("sh")
            .arg("-c")
            .arg(format!(
                "trap '' XFSZ; ulimit -f {blocks}; {}{more}",
                quoted.join(" ")
            ))
            .current_dir(workplace.folder.path())
            .output()
            .unwrap()
    };
    for more in ["", " --devices 2"] {
        // Also where the other worker has long done its part.
        // Room for the records of the run, not for its parameters.
        let text = fails(limited(64, more));
        assert!(text.contains("model.safetensors"), "{text}");
        let left = fs::read_dir(workplace.path("run/checkpoints")).unwrap();
        let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [".lock"], "nothing half written stays");
    }
    succeeds(workplace.run(&recipe, &["--run", "run"]));
    assert!(workplace.last_weights("run") == workplace.last_weights("whole"));
}

/// Makes a data set of two archives, of which the second one is cut off.
fn cut_off(dataset: &mut Value) {
    dataset["format"] = json!("webdataset");
    dataset["files"] = json!(["whole.tar", "cut.tar"]);
}

#[test]
fn bad_input_is_refused_before_the_work_starts() {
    let workplace = Workplace::new();
    let archive = workplace.archive();
    fs::write(workplace.path("whole.tar"), &archive).unwrap();
    fs::write(workplace.path("cut.tar"), &archive[..archive.len() - 1500]).unwrap();
    type Spoil = fn(&mut Value);
    let cases: [(Spoil, &[&str], &str); 12] = [
        (|recipe| recipe["stepz"] = json!(5), &[], "`steps`?"),
        (
            |recipe| recipe["trainable"] = json!(["vision"]),
            &[],
            "`vision`",
        ),
        (
            |recipe| recipe["data"]["mix"][0]["dataset"]["files"] = json!(["no/such.jsonl"]),
            &[],
            "no/such.jsonl",
        ),
        (
            |recipe| cut_off(&mut recipe["data"]["mix"][0]["dataset"]),
            &[],
            "cut.tar",
        ),
        (
            |recipe| cut_off(&mut recipe["evaluation"]["mix"][0]["dataset"]),
            &["--devices", "2"],
            "`held out` of the mixture: data set cut.tar",
        ),
        (
            |recipe| cut_off(&mut recipe["data"]["mix"][0]["dataset"]),
            &["--dry-run"],
            "cut.tar",
        ),
        (
            |recipe| recipe["model"]["folder"] = json!("no/such/model"),
            &[],
            "no/such/model",
        ),
        (
            |recipe| recipe["model"]["weights"] = json!({"vision": "x.pt"}),
            &[],
            "`visual`",
        ),
        (
            |recipe| recipe["model"]["random"] = json!(["visual.stem"]),
            &[],
            "`visual.stem`",
        ),
        (|_| {}, &["--memory", "0.001"], "lower `batch.micro`"),
        (|_| {}, &["--resume"], "no checkpoint"),
        (|_| {}, &["--devices", "3"], "batch.samples"),
    ];
    for (spoil, arguments, expected) in cases {
        let mut recipe = workplace.recipe();
        spoil(&mut recipe);
        let mut all = vec!["--run", "run"];
        all.extend(arguments);
        let text = fails(workplace.run(&recipe, &all));
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!workplace.path("run/metrics.jsonl").exists(), "{expected}");
    }
}

#[test]
fn a_run_goes_on_only_with_its_own_recipe() {
    let workplace = Workplace::new();
    let mut recipe = workplace.recipe();
    recipe["steps"] = json!(2);
    succeeds(workplace.run(&recipe, &["--run", "run"]));
    let again = fails(workplace.run(&recipe, &["--run", "run"]));
    assert!(again.contains("--resume"), "{again}");
    let records = || {
        ["recipe.json", "parameters.txt"]
            .map(|name| fs::read_to_string(workplace.path(&format!("run/{name}"))).unwrap())
    };
    let first = records();
    recipe["steps"] = json!(3);
    recipe["recompute"] = json!(["llm"]);
    recipe["batch"]["threads"] = json!(2);
    recipe["trainable"] = json!(["visual.query"]);
    let more = fails(workplace.run(&recipe, &["--run", "run", "--resume"]));
    assert!(more.contains("steps"), "{more}");
    assert_eq!(records(), first, "those of a recipe that is refused");
    recipe["steps"] = json!(2);
    recipe["trainable"] = json!(["visual"]);
    succeeds(workplace.run(&recipe, &["--run", "run", "--resume"]));
    assert!(records() != first, "`recompute` is another");
    recipe["data"]["mix"][0]["weight"] = json!(2.0);
    let other = fails(workplace.run(&recipe, &["--run", "run", "--resume"]));
    assert!(other.contains("data.mix[0].weight"), "{other}");
}

#[test]
fn two_processes_do_not_train_in_one_folder() {
    let workplace = Workplace::new();
    let mut recipe = workplace.recipe();
    recipe["steps"] = json!(10_000);
    let arguments = ["--run", "run"];
    let mut first = workplace.command(&recipe, &arguments).spawn().unwrap();
    let metrics = workplace.path("run/metrics.jsonl");
    while !metrics.exists() {
        assert!(first.try_wait().unwrap().is_none(), "it ended early");
        thread::sleep(Duration::from_millis(20));
    }
    let second = fails(workplace.run(&recipe, &arguments));
    let third = fails(workplace.run(&recipe, &["--run", "run", "--resume"]));
    let goes_on = first.try_wait().unwrap().is_none();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(goes_on, "the first one was disturbed");
    for text in [second, third] {
        assert!(text.contains("another process trains in"), "{text}");
    }
}
