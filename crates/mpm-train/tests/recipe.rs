//! Recipes: the paper's values, and what is wrong with bad ones.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use mpm_train::recipe::{Assembly, ObjectiveConfig, Recipe};
use mpm_train::{Algorithm, ComputePrecision, Decay, TrainError};
use proptest::prelude::*;

fn paper(name: &str) -> Recipe {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/paper");
    Recipe::open(folder.join(name)).unwrap()
}

#[test]
fn chat_pretraining_has_the_papers_values() {
    let recipe = paper("chat-pretraining.toml");
    assert_eq!(recipe.objective, ObjectiveConfig::Captions {});
    assert_eq!(recipe.trainable, ["visual"]);
    assert_eq!(recipe.steps, 180_000);
    assert_eq!(recipe.batch.samples.get(), 768);
    assert_eq!(recipe.schedule.peak, 1e-5);
    assert_eq!(recipe.optimizer.algorithm, Algorithm::Adam);
    let members: Vec<_> = recipe.data.mix.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        members,
        ["coco", "visual-genome", "cc3m", "cc12m", "laion-coco"]
    );
    let languages = recipe.data.mix.iter().map(|it| it.dataset.language.clone());
    assert!(languages.flatten().all(|language| language == "en"));
}

#[test]
fn chat_instruction_has_the_papers_values() {
    let recipe = paper("chat-instruction.toml");
    assert_eq!(recipe.objective, ObjectiveConfig::Instructions {});
    assert_eq!(recipe.trainable, ["visual", "llm"]);
    assert_eq!(recipe.steps, 80_000);
    assert_eq!(recipe.batch.samples.get(), 64);
    assert_eq!(
        (recipe.schedule.peak, recipe.schedule.warmup_steps),
        (1e-5, 200)
    );
    assert_eq!(recipe.schedule.decay, Decay::Constant);
    let optimizer = &recipe.optimizer;
    let betas = (optimizer.beta_1, optimizer.beta_2);
    assert_eq!((betas, optimizer.weight_decay), ((0.9, 0.98), 0.01));
    let members: Vec<_> = recipe.data.mix.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        members,
        [
            "llava-en",
            "llava-zh",
            "unimm-chat-en",
            "unimm-chat-zh",
            "m3it-en"
        ]
    );
}

#[test]
fn paint_has_the_papers_values() {
    let recipe = paper("paint.toml");
    assert_eq!(recipe.model.assembly, Assembly::Paint);
    assert_eq!(recipe.trainable, ["trans_block", "unet.**.attn2"]);
    assert_eq!(recipe.steps, 300_000);
    assert_eq!(recipe.batch.samples.get(), 4096);
    assert_eq!(recipe.schedule.peak, 1e-4);
    assert_eq!(recipe.optimizer.algorithm, Algorithm::AdamW);
    assert_eq!(recipe.precision, ComputePrecision::Bf16);
    let ObjectiveConfig::Diffusion(diffusion) = &recipe.objective else {
        panic!("{:?}", recipe.objective);
    };
    let sizes = [0, 199_999, 200_000].map(|step| diffusion.resolutions.size_at(step));
    assert_eq!(sizes, [384, 384, 512]);
    assert_eq!(diffusion.resolutions.steps(), recipe.steps);
}

/// All recipes of a folder.
fn shipped(folder: &Path) -> Vec<PathBuf> {
    let entries = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| shipped(folder));
    files.iter().cloned().chain(below).collect()
}

#[test]
fn all_recipes_that_ship_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let files = shipped(&root);
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        if let Err(error) = Recipe::open(&file) {
            panic!("{}: {error}", file.display());
        }
    }
}

#[test]
fn the_example_of_the_docs_is_a_recipe() {
    let docs = include_str!("../../../docs/recipes.md");
    let example = docs.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let recipe = Recipe::from_toml(example).unwrap();
    assert_eq!(recipe.checkpoints.every.get(), 100);
}

const SMALL: &str = r#"
version = 1
name = "small"
steps = 10
trainable = ["visual"]
objective = { kind = "captions" }
model = { assembly = "chat", folder = "models/small" }
batch = { samples = 8, micro = 4 }
schedule = { peak = 1e-3 }

[[data.mix]]
name = "pairs"
dataset = { format = "json_lines", files = ["pairs.jsonl"] }
"#;

fn error(from: &str, to: &str) -> TrainError {
    assert!(SMALL.contains(from));
    Recipe::from_toml(&SMALL.replace(from, to)).unwrap_err()
}

#[test]
fn a_recipe_is_the_same_in_json() {
    let recipe = Recipe::from_toml(SMALL).unwrap();
    let json = serde_json::to_string(&recipe).unwrap();
    assert_eq!(Recipe::from_json(&json).unwrap(), recipe);
}

#[test]
fn alignment_needs_sentences_and_no_examples() {
    let start = SMALL.find("[[data.mix]]").unwrap();
    let aligned = SMALL[..start].replace(
        "{ kind = \"captions\" }",
        "{ kind = \"alignment\", files = [\"pairs.tsv\"], languages = [\"en\", \"sw\"] }",
    );
    let recipe = Recipe::from_toml(&aligned).unwrap();
    assert!(recipe.data.mix.is_empty());
    let captions = Recipe::from_toml(&SMALL[..start]).unwrap_err();
    assert!(captions.to_string().contains("data.mix"), "{captions}");
    let cold = aligned.replace("\"sw\"] }", "\"sw\"], loss = { temperature = 0.0 } }");
    assert!(Recipe::from_toml(&cold).is_err());
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_one_and_its_line() {
    let text = error("steps = 10", "stepz = 10").to_string();
    assert!(
        text.contains("`steps`?") && text.contains("line 4"),
        "{text}"
    );
    let text = error("micro", "mikro").to_string();
    assert!(text.contains("`micro`?"), "{text}");
    let text = error("\"captions\"", "\"caption\"").to_string();
    assert!(text.contains("`captions`?"), "{text}");
    let text = error("\"captions\" }", "\"captions\", prompt = 1 }").to_string();
    assert!(text.contains("prompt"), "{text}");
    let text = error("json_lines\", f", "json_lines\", sheep = 1, f").to_string();
    assert!(
        text.contains("sheep") && !text.contains("do you mean"),
        "{text}"
    );
}

#[test]
fn unsound_settings_are_named() {
    for (from, to, name) in [
        ("steps = 10", "steps = 0", "steps"),
        ("[\"visual\"]", "[]", "trainable"),
        ("micro = 4", "micro = 3", "batch.samples"),
        ("peak = 1e-3", "peak = -1.0", "schedule.peak"),
        (
            "name = \"pairs\"",
            "name = \"pairs\"\nweight = 0.0",
            "data.mix.weight",
        ),
        ("\"chat\"", "\"paint\"", "objective.kind"),
    ] {
        match error(from, to) {
            TrainError::Setting { name: found, .. } => assert_eq!(found, name),
            other => panic!("{to}: {other}"),
        }
    }
    let newer = error("version = 1", "version = 2\nfuture = true");
    assert!(newer.to_string().contains("update the program"), "{newer}");
    assert!(matches!(
        Recipe::open("no/such/recipe.toml"),
        Err(TrainError::Io { .. })
    ));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(version = 1\n)?[a-z\\[\\]{}=\" .\n0-9]{0,80}") {
        let _recipe = Recipe::from_toml(&text);
        let _recipe = Recipe::from_json(&text);
    }
}
