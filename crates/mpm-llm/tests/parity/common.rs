//! Where cases and vocabularies are found.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with the cases: `MPM_FIXTURES`, else the workspace's `tests/fixtures`.
pub fn fixtures() -> PathBuf {
    std::env::var_os("MPM_FIXTURES")
        .map_or_else(|| workspace().join("tests/fixtures"), PathBuf::from)
}

/// The names (without extension) of all cases that begin with `prefix`, sorted.
///
/// # Panics
/// When there is none: a suite that tests nothing must not pass.
pub fn cases(prefix: &str) -> Vec<String> {
    let folder = fixtures();
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("cannot read {}: {e}", folder.display()))
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let stem = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "json" && stem.starts_with(prefix)).then_some(stem)
        })
        .collect();
    names.sort();
    assert!(
        !names.is_empty(),
        "no case `{prefix}*.json` in {}",
        folder.display()
    );
    names
}

/// The JSON of a case.
pub fn json(name: &str) -> Value {
    let path = fixtures().join(format!("{name}.json"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The bytes of a case's tensors.
pub fn safetensors(name: &str) -> Vec<u8> {
    let path = fixtures().join(format!("{name}.safetensors"));
    fs::read(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()))
}

fn existing(name: &str, candidates: &[PathBuf]) -> Option<PathBuf> {
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    if found.is_none() {
        println!("parity: SKIPPED, no {name} vocabulary at any of {candidates:?}");
    }
    found
}

/// The small vocabulary that belongs to the cases; `None` (and a note) where it is absent.
pub fn small_vocabulary() -> Option<PathBuf> {
    const FILE: &str = "small_vocab/vocabs/bee.txt";
    existing(
        "small",
        &[
            fixtures().join(FILE),
            workspace().join("../shared/fixtures").join(FILE),
        ],
    )
}

/// The published vocabulary; `None` (and a note) where it is absent.
pub fn real_vocabulary() -> Option<PathBuf> {
    let path = std::env::var_os("MPM_CPM_BEE_VOCAB").map_or_else(
        || workspace().join("../shared/reference/cpm_bee_vocab.txt"),
        PathBuf::from,
    );
    existing("published", &[path])
}
