//! Models in several files, whose index says which file has which tensor.
//!
//! Source: `model.safetensors.index.json` and `pytorch_model.bin.index.json` of `transformers`,
//! `diffusion_pytorch_model.safetensors.index.json` of `diffusers`.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use super::{StoredTensor, WeightsError, file::read_tensors, safetensors};

/// What of an index is read; the total size beside it is not always right.
#[derive(Deserialize)]
struct Index {
    /// From tensors to files, relative to the index.
    weight_map: BTreeMap<String, String>,
}

/// Whether `bytes` begin as JSON objects do, and are no safetensors, whose length may begin so too.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{") && !safetensors::recognises(bytes)
}

/// What an index leads to.
pub(super) struct Shards {
    pub tensors: BTreeMap<String, StoredTensor>,
    /// Their files.
    pub paths: Vec<PathBuf>,
}

/// Opens all shards. A tensor of a shard that the index does not mention is listed too, so that
/// strict loading can refuse it.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Shards, WeightsError> {
    let Index { weight_map } =
        serde_json::from_slice(bytes).map_err(|source| WeightsError::Index {
            path: path.to_path_buf(),
            source,
        })?;
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, file) in &weight_map {
        shards.entry(file).or_default().push(key);
    }
    if let Some(outside) = shards.keys().find(|file| !is_inside(file)) {
        let reason = format!("its shard `{outside}` is outside of the folder");
        return Err(WeightsError::damaged(path, reason));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let is_absent = |file: &&&str| !folder.join(file).is_file();
    let absent: Vec<_> = shards.keys().filter(is_absent).collect();
    if !absent.is_empty() {
        return Err(WeightsError::MissingShards {
            path: path.to_path_buf(),
            files: absent.into_iter().map(|&file| file.to_owned()).collect(),
            total: shards.len(),
        });
    }
    let mut tensors = BTreeMap::new();
    let (mut paths, mut misplaced) = (Vec::new(), Vec::new());
    for (file, keys) in shards {
        let shard = folder.join(file);
        let (_, mut found) = read_tensors(&shard)?;
        paths.push(shard);
        for key in keys {
            match found.remove(key) {
                Some(tensor) => drop(tensors.insert(key.to_owned(), tensor)),
                None => misplaced.push((key.to_owned(), file.to_owned())),
            }
        }
        found.retain(|key, _| !weight_map.contains_key(key));
        tensors.extend(found);
    }
    if misplaced.is_empty() {
        return Ok(Shards { tensors, paths });
    }
    Err(WeightsError::MixedShards {
        path: path.to_path_buf(),
        misplaced,
    })
}

/// Whether a name leads no further than into the folder or those within it.
fn is_inside(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}
