//! Writing the tensors of a weight file anew, in another dtype and in files of limited size.

use std::{collections::BTreeMap, rc::Rc};

use burn::tensor::DType;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Precision, Progress, WeightFile, WeightsError,
    plan::matrix_dims,
    safetensors::{self, Entry},
    save::file_dtype,
    value_source::{ValueSource, WeightToQuantize},
};
use crate::{
    file_version::FileVersion,
    partial_folder::PartialFolder,
    quantization::{Layout, QuantizationScheme},
};

/// How weights are written.
#[derive(Clone)]
pub struct ConvertOptions {
    /// The dtype of floating-point tensors that are not quantized.
    pub precision: Precision,
    /// How linear layers are quantized; `None` leaves them in full.
    pub quantization: Option<QuantizationScheme>,
    /// No file takes more bytes, unless a single tensor does.
    pub shard_bytes: usize,
    /// Called after each tensor.
    pub progress: Option<Progress>,
}

/// What becomes of the tensors of a file.
pub struct Selection<'a> {
    /// Whether a tensor is written, by its name.
    pub wanted: &'a dyn Fn(&str) -> bool,
    /// The tensors that are quantized, as [`quantized_tensors`](super::quantized_tensors) lists
    /// them: in the place of `NAME` there will be `NAME.codes` and `NAME.scales`.
    pub quantized: BTreeMap<String, QuantizationScheme>,
}

/// All that the files of [`convert`] depend on: a part of the plan of their [`PartialFolder`], so
/// that a run never goes on with files of other shards, other options or another program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConvertPlan {
    files: Vec<FileVersion>,
    options: String,
    program: &'static str,
    /// A checksum of the names, dtypes and shapes of all tensors that are written.
    tensors: String,
}

impl ConvertPlan {
    /// The plan of [`convert`] with the same arguments. Nothing is read.
    ///
    /// # Errors
    /// [`WeightsError::Tensor`] for a dtype that safetensors lacks.
    pub fn new(
        file: &WeightFile,
        selection: &Selection<'_>,
        options: &ConvertOptions,
    ) -> Result<Self, WeightsError> {
        let mut tensors = Sha256::new();
        for Entry {
            name, dtype, shape, ..
        } in entries(file, selection, options)?
        {
            tensors.update(format!("{name} {dtype:?} {shape:?}\n"));
        }
        Ok(Self {
            files: file
                .files()
                .iter()
                .map(|file| FileVersion::of(file))
                .collect(),
            options: format!(
                "{:?}, {:?}, {} bytes a file",
                options.precision, options.quantization, options.shard_bytes
            ),
            program: env!("CARGO_PKG_VERSION"),
            tensors: format!("{:x}", tensors.finalize()),
        })
    }
}

/// Writes the tensors of `file` as safetensors into `folder`, under their names, and returns the
/// name of the file to open: `NAME.safetensors`, or `NAME.safetensors.index.json` where there are
/// several files, as `transformers` calls them.
///
/// The memory holds one tensor at a time. Files that an earlier run has finished are not written
/// again.
///
/// # Errors
/// [`WeightsError::Folder`] when the disk is too small or cannot be written, and
/// [`WeightsError::Tensor`] when a tensor cannot be read or quantized, or has a dtype that
/// safetensors lacks.
pub fn convert(
    file: &WeightFile,
    folder: &mut PartialFolder,
    name: &str,
    selection: &Selection<'_>,
    options: &ConvertOptions,
) -> Result<String, WeightsError> {
    let shards = shards(entries(file, selection, options)?, options.shard_bytes);
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

/// What is written of the tensors of a file.
fn entries<'a>(
    file: &'a WeightFile,
    selection: &Selection<'_>,
    options: &ConvertOptions,
) -> Result<Vec<Entry<'a>>, WeightsError> {
    let tensors = file.tensors().iter();
    let wanted = tensors.filter(|(name, _)| (selection.wanted)(name));
    let mut entries = Vec::new();
    for (name, tensor) in wanted {
        let source = |suffix: &str, source: ValueSource, dtype: DType, shape: &[usize]| {
            entry(file, format!("{name}{suffix}"), source, dtype, shape)
        };
        let layout = selection.quantized.get(name).map(|scheme| {
            let dims = matrix_dims(tensor.shape())?;
            Some((Layout::new(*scheme, dims).ok()?, dims, *scheme))
        });
        match layout.flatten() {
            Some((layout, dims, scheme)) => {
                let weight = Rc::new(WeightToQuantize::new(tensor, dims, scheme));
                let codes = ValueSource::Codes(weight.clone());
                let scales = ValueSource::Scales(weight);
                entries.push(source(".codes", codes, DType::U32, &layout.codes())?);
                entries.push(source(".scales", scales, DType::F16, &layout.scales())?);
            }
            None => {
                let stored = ValueSource::Stored(tensor.clone());
                let dtype = options.precision.resolve(tensor.burn_dtype());
                entries.push(source("", stored, dtype, tensor.shape())?);
            }
        }
    }
    Ok(entries)
}

fn entry<'a>(
    file: &'a WeightFile,
    name: String,
    source: ValueSource,
    target: DType,
    shape: &[usize],
) -> Result<Entry<'a>, WeightsError> {
    let key = name.clone();
    let error = move |reason| WeightsError::Tensor {
        path: file.path().to_path_buf(),
        key: key.clone(),
        reason,
    };
    let Some(dtype) = file_dtype(target) else {
        return Err(error(format!("safetensors has no dtype {target:?}")));
    };
    Ok(Entry {
        name,
        dtype,
        shape: shape.to_vec(),
        values: Box::new(move || {
            let values = source.read(target);
            values.map_err(|reason| error(reason.to_string()))
        }),
    })
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
                .map(move |entry| (entry.name.clone(), file()))
        })
        .collect();
    let index = json!({"metadata": {"total_size": total}, "weight_map": map});
    let text = format!("{index:#}\n");
    let name = format!("{name}.safetensors.index.json");
    folder.write_bytes(&name, text.as_bytes())?;
    Ok(name)
}
