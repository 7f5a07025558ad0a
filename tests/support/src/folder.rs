//! Where cases are found.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Case;

/// The environment variable that names another folder of cases.
const VARIABLE: &str = "MPM_FIXTURES";

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with the cases: `MPM_FIXTURES`, else `tests/fixtures` of the workspace.
pub fn folder() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(own_folder, PathBuf::from)
}

/// The cases that this repository has.
fn own_folder() -> PathBuf {
    workspace().join("tests/fixtures")
}

/// Every case whose name begins with `prefix`, by name.
///
/// # Panics
/// When there is none, for a suite that tests nothing must not pass, and when the folder or the
/// JSON of a case cannot be read.
pub fn cases(prefix: &str) -> Vec<Case> {
    cases_of(&folder(), prefix)
}

/// As [`cases`], but always those of the workspace: no other folder has any of this kind.
///
/// # Panics
/// As [`cases`].
pub fn own_cases(prefix: &str) -> Vec<Case> {
    cases_of(&own_folder(), prefix)
}

fn cases_of(folder: &Path, prefix: &str) -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    paths.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix) && name.ends_with(".json"))
    });
    paths.sort();
    assert!(
        !paths.is_empty(),
        "no case `{prefix}*.json` in {}; does {VARIABLE} name the right folder?",
        folder.display()
    );
    paths.into_iter().map(Case::open).collect()
}

/// Prints how many cases of a kind were compared.
pub fn report(count: usize, kind: &str) {
    println!("parity: {count} cases ({kind})");
}
