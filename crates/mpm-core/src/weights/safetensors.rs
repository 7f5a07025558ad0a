//! Reading the header of a safetensors file, and writing such a file.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use ::safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use burn::tensor::TensorData;
use sha2::{Digest, Sha256};

use super::{StoredTensor, WeightsError, source::Source, tensor::burn_dtype};

/// Whether `bytes` begin as a safetensors file does: the header's length, then
/// a JSON object.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    rest.first() == Some(&b'{') && u64::from_le_bytes(*length) < (1 << 40)
}

pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    source: &Arc<Source>,
) -> Result<BTreeMap<String, StoredTensor>, WeightsError> {
    let (header_len, header) = ::safetensors::SafeTensors::read_metadata(bytes)
        .map_err(|error| WeightsError::damaged(path, format!("safetensors header: {error}")))?;
    let data_start = header_len + size_of::<u64>();
    header
        .tensors()
        .into_iter()
        .map(|(name, info)| {
            if burn_dtype(info.dtype).is_none() {
                return Err(WeightsError::Unsupported {
                    path: path.to_path_buf(),
                    feature: format!("tensor `{name}` of dtype {:?}", info.dtype),
                });
            }
            let (start, end) = info.data_offsets;
            let tensor = StoredTensor::contiguous(
                info.dtype,
                info.shape.clone(),
                data_start + start..data_start + end,
                source.clone(),
            )
            .ok_or_else(|| {
                WeightsError::damaged(
                    path,
                    format!(
                        "tensor `{name}` ({:?}) does not fit in the file",
                        info.dtype
                    ),
                )
            })?;
            Ok((name, tensor))
        })
        .collect()
}

/// A tensor that is to be written.
pub(super) struct Entry<'a> {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Called when its turn comes; the values are of `dtype` and `shape`.
    pub values: Box<dyn Fn() -> Result<TensorData, WeightsError> + 'a>,
}

impl Entry<'_> {
    /// The size of the values in bytes.
    pub fn byte_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Writes tensors, one at a time in the memory, and returns the checksum of the file. `path` is
/// for messages; `written` is called after each tensor with its bytes.
pub(super) fn write(
    mut file: impl Write,
    path: &Path,
    entries: &[Entry<'_>],
    mut written: impl FnMut(usize),
) -> Result<Sha256, WeightsError> {
    let mut hash = Sha256::new();
    let mut put = |bytes: &[u8]| {
        hash.update(bytes);
        let put = file.write_all(bytes);
        put.map_err(|error| WeightsError::io(path, error))
    };
    let header = header(entries).map_err(|error| WeightsError::io(path, error))?;
    put(&(header.len() as u64).to_le_bytes())?;
    put(&header)?;
    for entry in entries {
        put((entry.values)()?.as_bytes())?;
        written(entry.byte_len());
    }
    Ok(hash)
}

fn header(entries: &[Entry<'_>]) -> io::Result<Vec<u8>> {
    let mut end = 0;
    let tensors = entries.iter().map(|entry| {
        let start = end;
        end += entry.byte_len();
        let info = TensorInfo {
            dtype: entry.dtype,
            shape: entry.shape.clone(),
            data_offsets: (start, end),
        };
        (entry.name.clone(), info)
    });
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(format), tensors.collect()).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    // The values begin at a multiple of 8 bytes.
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    Ok(header)
}
