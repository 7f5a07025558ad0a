//! Writing the tensors of a weight file anew, in another dtype and in files of limited size.

use serde_json::json;

use super::{
    Precision, Progress, WeightFile, WeightsError,
    safetensors::{self, Entry},
    save::file_dtype,
};
use crate::partial_folder::PartialFolder;

/// How [`convert`] writes weights.
pub struct ConvertOptions<'a> {
    /// Whether a tensor is written, by its name.
    pub wanted: &'a dyn Fn(&str) -> bool,
    /// The dtype of floating-point tensors.
    pub precision: Precision,
    /// No file takes more bytes, unless a single tensor does.
    pub shard_bytes: usize,
    /// Called after each tensor.
    pub progress: Option<Progress>,
}

/// Writes the tensors of `file` as safetensors into `folder`, under their names, and returns the
/// name of the file to open: `NAME.safetensors`, or `NAME.safetensors.index.json` where there are
/// several files, as `transformers` calls them.
///
/// The memory holds one tensor at a time. Files that an earlier run has finished are not written
/// again.
///
/// # Errors
/// [`WeightsError::Folder`] when the disk is too small or cannot be written, [`WeightsError::Io`]
/// when a tensor cannot be read, [`WeightsError::Tensor`] for a dtype that safetensors lacks.
pub fn convert(
    file: &WeightFile,
    folder: &mut PartialFolder,
    name: &str,
    options: &ConvertOptions<'_>,
) -> Result<String, WeightsError> {
    let shards = shards(entries(file, options)?, options.shard_bytes);
    let count = shards.len();
    let shards: Vec<_> = shards
        .into_iter()
        .enumerate()
        .map(|(i, entries)| (shard_name(name, i + 1, count), entries))
        .collect();
    let bytes = |entries: &[Entry<'_>]| entries.iter().map(Entry::byte_len).sum::<usize>();
    let total = shards.iter().map(|(_, entries)| bytes(entries)).sum();
    let left = shards.iter().filter(|(name, _)| !folder.has(name));
    let left: usize = left.map(|(_, entries)| bytes(entries)).sum();
    folder.check_space(left as u64)?;

    let mut done = total - left;
    let report = |done| {
        if let Some(progress) = &options.progress {
            progress(done, total);
        }
    };
    report(done);
    for (name, entries) in &shards {
        let path = folder.path().join(name);
        folder.write(name, |file| {
            safetensors::write(file, &path, entries, |bytes| {
                done += bytes;
                report(done);
            })
        })?;
    }
    match shards.as_slice() {
        [(only, _)] => Ok(only.clone()),
        _ => write_index(folder, name, &shards, total),
    }
}

/// What becomes of the tensors of a file.
fn entries<'a>(
    file: &'a WeightFile,
    options: &ConvertOptions<'_>,
) -> Result<Vec<Entry<'a>>, WeightsError> {
    let tensors = file.tensors().iter();
    let wanted = tensors.filter(|(name, _)| (options.wanted)(name));
    let entries = wanted.map(|(name, tensor)| {
        let target = options.precision.resolve(tensor.burn_dtype());
        let dtype = file_dtype(target).ok_or_else(|| WeightsError::Tensor {
            path: file.path().to_path_buf(),
            key: name.clone(),
            reason: format!("safetensors has no dtype {target:?}"),
        })?;
        Ok(Entry {
            name,
            dtype,
            shape: tensor.shape().to_vec(),
            values: Box::new(move || {
                let values = tensor.read_as(target);
                values.map_err(|error| WeightsError::io(file.path(), error))
            }),
        })
    });
    entries.collect()
}

/// Splits them into files, in their order.
fn shards(entries: Vec<Entry<'_>>, limit: usize) -> Vec<Vec<Entry<'_>>> {
    let mut shards: Vec<Vec<Entry<'_>>> = Vec::new();
    let mut room = 0;
    for entry in entries {
        let bytes = entry.byte_len();
        match shards.last_mut() {
            Some(shard) if bytes <= room => shard.push(entry),
            _ => {
                shards.push(vec![entry]);
                room = limit;
            }
        }
        room = room.saturating_sub(bytes);
    }
    shards
}

fn shard_name(name: &str, number: usize, count: usize) -> String {
    match count {
        1 => format!("{name}.safetensors"),
        _ => format!("{name}-{number:05}-of-{count:05}.safetensors"),
    }
}

fn write_index(
    folder: &mut PartialFolder,
    name: &str,
    shards: &[(String, Vec<Entry<'_>>)],
    total: usize,
) -> Result<String, WeightsError> {
    let map: serde_json::Map<_, _> = shards
        .iter()
        .flat_map(|(file, entries)| {
            let file = || file.as_str().into();
            entries
                .iter()
                .map(move |entry| (entry.name.to_owned(), file()))
        })
        .collect();
    let index = json!({"metadata": {"total_size": total}, "weight_map": map});
    let text = format!("{index:#}\n");
    let name = format!("{name}.safetensors.index.json");
    folder.write_bytes(&name, text.as_bytes())?;
    Ok(name)
}
