//! Vocabularies, which are no part of the workspace.

use std::path::PathBuf;

use crate::folder::{folder, workspace};

/// The small vocabulary that cases with whole models were made with; `None`, and a note, where it
/// is absent.
pub fn small() -> Option<PathBuf> {
    const FILE: &str = "small_vocab/vocabs/bee.txt";
    let shared = workspace().join("../shared/fixtures");
    existing("small", &[folder().join(FILE), shared.join(FILE)])
}

/// CPM-Bee's published vocabulary: the file that `MPM_CPM_BEE_VOCAB` names; `None`, and a note,
/// where it is absent.
pub fn published() -> Option<PathBuf> {
    let path = std::env::var_os("MPM_CPM_BEE_VOCAB").map_or_else(
        || workspace().join("../shared/reference/cpm_bee_vocab.txt"),
        PathBuf::from,
    );
    existing("published", &[path])
}

fn existing(name: &str, candidates: &[PathBuf]) -> Option<PathBuf> {
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    if found.is_none() {
        println!("parity: SKIPPED, no {name} vocabulary at any of {candidates:?}");
    }
    found
}
