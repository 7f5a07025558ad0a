//! Files by their names on the Hugging Face Hub.

use std::collections::BTreeMap;
use std::fs;

use mpm_test_support::hub_server::{REPO, Server};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::sandbox::{Outcome, Sandbox, run};

const INDEX: &str = "model.safetensors.index.json";
const SHARDS: [&str; 2] = ["model-00001-of-00002.bin", "model-00002-of-00002.bin"];

/// The sandbox's model as it could be on the Hub: its weights in two files with an index.
fn published(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    let weights = fs::read(sandbox.path("model/model.safetensors")).unwrap();
    let weights = SafeTensors::deserialize(&weights).unwrap();
    let mut files = BTreeMap::new();
    let mut map = BTreeMap::new();
    for (place, shard) in SHARDS.into_iter().enumerate() {
        let tensors = weights.tensors().into_iter().enumerate();
        let tensors: Vec<_> = tensors
            .filter_map(|(i, tensor)| (i % SHARDS.len() == place).then_some(tensor))
            .collect();
        map.extend(tensors.iter().map(|(name, _)| (name.clone(), shard)));
        let bytes = safetensors::serialize(tensors, None).unwrap();
        files.insert(shard.to_owned(), bytes);
    }
    let index = json!({"metadata": {}, "weight_map": map});
    files.insert(INDEX.to_owned(), index.to_string().into_bytes());
    for name in ["vocab.txt", "config.json"] {
        let bytes = fs::read(sandbox.path("model").join(name)).unwrap();
        files.insert(name.to_owned(), bytes);
    }
    files
}

fn serve(files: &BTreeMap<String, Vec<u8>>) -> Server {
    let files = files.iter();
    let files: Vec<_> = files
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    Server::new(&files)
}

/// Asks the model of a server that these arguments name; downloads come into the sandbox.
fn ask_by(sandbox: &Sandbox, endpoint: &str, offline: bool, model: &[&str]) -> Outcome {
    let mut command = sandbox.without_model();
    command.args(model);
    command.args(["--image", "picture.png", "--question", "What is this?"]);
    command.env("HF_ENDPOINT", endpoint);
    command.env("HF_HUB_CACHE", sandbox.path("cache"));
    command.env("HF_HUB_OFFLINE", if offline { "1" } else { "0" });
    run(&mut command)
}

/// Asks the model of a server, by the names of its files.
fn ask(sandbox: &Sandbox, endpoint: &str, offline: bool) -> Outcome {
    let [index, vocabulary, config] =
        [INDEX, "vocab.txt", "config.json"].map(|file| format!("hf://{REPO}/{file}"));
    let model = [
        "--checkpoint",
        &index,
        "--vocab",
        &vocabulary,
        "--config",
        &config,
    ];
    ask_by(sandbox, endpoint, offline, &model)
}

#[test]
fn a_model_in_several_files_is_downloaded_and_answers() {
    let sandbox = Sandbox::new();
    let expected = sandbox.ask(&[]);
    let server = serve(&published(&sandbox));
    let outcome = ask(&sandbox, &server.endpoint, false);
    assert_eq!(outcome.line(), expected.line());

    // The cache has it now.
    let asked = server.asked().len();
    let outcome = ask(&sandbox, &server.endpoint, true);
    assert_eq!(outcome.line(), expected.line());
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn a_folder_is_downloaded_and_answers() {
    let sandbox = Sandbox::new();
    let expected = sandbox.ask(&[]);
    let mut files = published(&sandbox);
    let mut config: Value = serde_json::from_slice(&files["config.json"]).unwrap();
    config["weights"] = INDEX.into();
    files.insert("config.json".to_owned(), config.to_string().into_bytes());
    files.insert("README.md".to_owned(), b"# A model".to_vec());
    let server = serve(&files);
    let model = ["--model", &format!("hf://{REPO}")];
    for offline in [false, true] {
        let outcome = ask_by(&sandbox, &server.endpoint, offline, &model);
        assert_eq!(outcome.line(), expected.line());
    }
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| !asked.path.contains("README"))
    );

    let model = ["--model", &format!("hf://{REPO}/other/")];
    let outcome = ask_by(&sandbox, &server.endpoint, false, &model);
    outcome.fails(1, &["no model folder"]);
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let sandbox = Sandbox::new();
    let mut files = published(&sandbox);
    let first = files[SHARDS[0]].clone();
    files.insert(SHARDS[1].to_owned(), first);
    let outcome = ask(&sandbox, &serve(&files).endpoint, false);
    outcome.fails(1, &[SHARDS[1]]);

    let sandbox = Sandbox::new();
    let mut files = published(&sandbox);
    files.remove(SHARDS[1]);
    let outcome = ask(&sandbox, &serve(&files).endpoint, false);
    outcome.fails(1, &[SHARDS[1]]);

    let sandbox = Sandbox::new();
    let mut files = published(&sandbox);
    let mut config: Value = serde_json::from_slice(&files["config.json"]).unwrap();
    config["model"]["llm"]["dim_ff"] = 32.into();
    files.insert("config.json".to_owned(), config.to_string().into_bytes());
    let outcome = ask(&sandbox, &serve(&files).endpoint, false);
    outcome.fails(1, &["w_0", "32", "24"]);
}
