//! Reading the header of a safetensors file.

use std::{collections::BTreeMap, path::Path, sync::Arc};

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
