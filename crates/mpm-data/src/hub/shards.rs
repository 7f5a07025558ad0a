//! Models in several files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Deserialize;

use super::{HubError, HubReference};

/// How the names of indices end.
const INDEX: &str = ".index.json";

/// What of an index is read.
#[derive(Deserialize)]
struct Index {
    /// From tensors to files, relative to the index.
    weight_map: BTreeMap<String, String>,
}

/// Whether a file says which other files have the weights.
pub(super) fn is_index(reference: &HubReference) -> bool {
    reference.file().ends_with(INDEX)
}

/// The files that an index names, at the commit that it is of.
///
/// # Errors
/// [`HubError::File`], [`HubError::Index`], and [`HubError::Shard`] for a name that leads out of
/// the folder.
pub(super) fn shards(
    index: &HubReference,
    commit: &str,
    path: &Path,
) -> Result<Vec<HubReference>, HubError> {
    let bytes = fs::read(path).map_err(|source| HubError::file(path, source))?;
    let Index { weight_map } =
        serde_json::from_slice(&bytes).map_err(|source| HubError::Index {
            path: path.to_owned(),
            source,
        })?;
    let files: BTreeSet<_> = weight_map.into_values().collect();
    let folder = index.file().rsplit_once('/').map(|(folder, _)| folder);
    let shard = |file: String| {
        let file = match folder {
            Some(folder) => format!("{folder}/{file}"),
            None => file,
        };
        let repo = index.repo().at(commit);
        let shard = repo.and_then(|repo| HubReference::new(repo, &file));
        shard.map_err(|source| HubError::Shard {
            path: path.to_owned(),
            source,
        })
    };
    files.into_iter().map(shard).collect()
}
