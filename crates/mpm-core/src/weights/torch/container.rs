//! The two containers of `torch.save`.

use std::{collections::BTreeMap, io::Cursor, ops::Range, path::Path, sync::Arc};

use zip::{CompressionMethod, ZipArchive};

use super::{
    super::{StoredTensor, WeightsError, source::Source, tensor::burn_dtype},
    pickle::{LONGEST_NAME, Object, Pickle, PickleError},
    state_dict,
};

type Tensors = BTreeMap<String, StoredTensor>;

/// The legacy format begins with a pickle of this number, in little endian.
/// Source: `MAGIC_NUMBER` in `torch/serialization.py`.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Which pickle of a legacy file is which.
const LEGACY_PREAMBLE: usize = 3;

pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

pub(crate) fn is_legacy(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(32)];
    head.starts_with(&[0x80]) && head.windows(LEGACY_MAGIC.len()).any(|w| w == LEGACY_MAGIC)
}

/// Reads the zip container: `NAME/data.pkl`, `NAME/data/KEY`.
pub(crate) fn read_zip(
    path: &Path,
    bytes: &[u8],
    source: &Arc<Source>,
) -> Result<Tensors, WeightsError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| WeightsError::damaged(path, format!("zip archive: {error}")))?;
    let mut members = BTreeMap::new();
    for index in 0..archive.len() {
        let member = archive
            .by_index_raw(index)
            .map_err(|error| WeightsError::damaged(path, format!("zip archive: {error}")))?;
        if member.compression() != CompressionMethod::Stored {
            return Err(WeightsError::Unsupported {
                path: path.to_path_buf(),
                feature: format!("the compressed archive member `{}`", member.name()),
            });
        }
        let range = member
            .data_start()
            .and_then(|start| member_range(start, member.size(), bytes.len()))
            .ok_or_else(|| {
                WeightsError::damaged(path, format!("`{}` is cut off", member.name()))
            })?;
        members.insert(member.name().to_string(), range);
    }
    let (pickle_name, pickle_range) = members
        .iter()
        .find(|(name, _)| *name == "data.pkl" || name.ends_with("/data.pkl"))
        .ok_or_else(|| WeightsError::NotWeights {
            path: path.to_path_buf(),
            found: "a zip archive without `data.pkl`",
        })?;
    let root = pickle_name.trim_end_matches("data.pkl");
    if members
        .get(&format!("{root}byteorder"))
        .is_some_and(|range| bytes[range.clone()].starts_with(b"big"))
    {
        return Err(WeightsError::Unsupported {
            path: path.to_path_buf(),
            feature: "big-endian storage".to_string(),
        });
    }
    let pickle = parse(path, &bytes[pickle_range.clone()])?;
    let views = state_dict::views(path, &pickle)?;
    let prefix = format!("{root}data/");
    let storages = members
        .iter()
        .filter_map(|(name, range)| Some((name.strip_prefix(&prefix)?, range.clone())))
        .collect();
    state_dict::lay(path, views, &storages, source)
}

/// Reads the legacy container: pickles of the magic number, the protocol, the
/// machine, the checkpoint and the order of the storages; then each storage's
/// length and values.
pub(crate) fn read_legacy(
    path: &Path,
    bytes: &[u8],
    source: &Arc<Source>,
) -> Result<Tensors, WeightsError> {
    let mut position = 0;
    let mut next = || -> Result<Pickle, WeightsError> {
        let pickle = parse(path, &bytes[position..])?;
        position += pickle.len;
        Ok(pickle)
    };
    for _ in 0..LEGACY_PREAMBLE {
        next()?;
    }
    let checkpoint = next()?;
    let order = next()?;
    // Before the storages: it names the tensor whose storage cannot be read.
    let views = state_dict::views(path, &checkpoint)?;
    let sizes = state_dict::storage_sizes(&checkpoint);
    let mut storages = BTreeMap::new();
    for &key in order.sequence(order.root()).unwrap_or(&[]) {
        let Some(key) = order.text(key) else {
            return Err(WeightsError::damaged(path, "a storage's key is no text"));
        };
        let Some(&(class, count)) = sizes.get(key) else {
            return Err(WeightsError::damaged(
                path,
                format!("storage `{key}` belongs to no tensor"),
            ));
        };
        let dtype = state_dict::storage_dtype(class).and_then(burn_dtype);
        let dtype = dtype.ok_or_else(|| WeightsError::Unsupported {
            path: path.to_path_buf(),
            feature: format!("storage `{key}` of type `{class}`"),
        })?;
        let start = position + size_of::<u64>();
        let range = count
            .checked_mul(dtype.size())
            .and_then(|len| member_range(start as u64, len as u64, bytes.len()))
            .ok_or_else(|| WeightsError::damaged(path, format!("storage `{key}` is cut off")))?;
        position = range.end;
        storages.insert(key, range);
    }
    state_dict::lay(path, views, &storages, source)
}

/// A pickle that is no checkpoint: says what it would have called.
pub(crate) fn refuse_bare_pickle(path: &Path, bytes: &[u8]) -> Result<(), WeightsError> {
    if bytes.first() != Some(&0x80) && !names_a_class(bytes) {
        return Ok(());
    }
    match Pickle::parse(bytes) {
        Err(error @ PickleError::ForeignCode(_)) => Err(into_weights_error(path, error)),
        Err(PickleError::Damaged(_)) => Ok(()),
        Ok(pickle) => Err(WeightsError::NotWeights {
            path: path.to_path_buf(),
            found: match pickle.get(pickle.root()) {
                Object::Dict(_) => "a pickled dict without PyTorch storages",
                _ => "a Python pickle",
            },
        }),
    }
}

/// Whether a file begins as pickles of protocol 0 do, and few texts: `c`, the name of a module to
/// the end of the line, and that of a class or function on a line of its own.
fn names_a_class(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(2 * LONGEST_NAME)];
    let lines: Vec<_> = head.splitn(3, |&byte| byte == b'\n').collect();
    let [module, name, _] = lines[..] else {
        return false;
    };
    module.strip_prefix(b"c").is_some_and(|module| {
        let mut names = module.split(|&byte| byte == b'.');
        names.all(is_identifier) && is_identifier(name)
    })
}

/// Whether Python would take it for the name of something.
fn is_identifier(name: &[u8]) -> bool {
    str::from_utf8(name).is_ok_and(|name| {
        let is_part = |letter: char| letter == '_' || letter.is_alphanumeric();
        !name.is_empty() && !name.starts_with(char::is_numeric) && name.chars().all(is_part)
    })
}

fn member_range(start: u64, len: u64, file_len: usize) -> Option<Range<usize>> {
    let start = usize::try_from(start).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    (end <= file_len).then_some(start..end)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Pickle, WeightsError> {
    Pickle::parse(bytes).map_err(|error| into_weights_error(path, error))
}

fn into_weights_error(path: &Path, error: PickleError) -> WeightsError {
    match error {
        PickleError::Damaged(reason) => WeightsError::damaged(path, reason),
        PickleError::ForeignCode(callable) => WeightsError::ForeignCode {
            path: path.to_path_buf(),
            callable,
        },
    }
}
