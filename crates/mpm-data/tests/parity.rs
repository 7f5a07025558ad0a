//! Parity with the pixels and tensors of the reference implementation.
//!
//! Runs every case `f_*` of the folder named by `MPM_FIXTURES`, by default `tests/fixtures` of
//! the workspace.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking and report their counts"
)]

#[path = "parity/augment.rs"]
mod augment;
#[path = "parity/preprocess.rs"]
mod preprocess;

use std::path::{Path, PathBuf};

const PREFIX: &str = "f_";

fn fixtures() -> PathBuf {
    std::env::var_os("MPM_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures"),
        PathBuf::from,
    )
}

/// The JSON files of all cases, in order.
fn cases(folder: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
                && path
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(PREFIX)
        })
        .collect();
    cases.sort();
    cases
}

#[test]
fn pictures() {
    let folder = fixtures();
    let cases = cases(&folder);
    assert!(
        !cases.is_empty(),
        "no case {PREFIX}* in {}",
        folder.display()
    );
    for case in &cases {
        println!("{}", case.display());
        if case
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("f_augment")
        {
            augment::check(case);
        } else {
            preprocess::check(&folder, case);
        }
    }
    println!("parity: {} cases", cases.len());
}
