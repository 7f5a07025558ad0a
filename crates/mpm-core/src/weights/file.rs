//! Opening a weight file and recognising its format.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use memmap2::Mmap;

use super::{StoredTensor, WeightsError, safetensors, torch};

/// The container of a weight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// <https://github.com/huggingface/safetensors>
    Safetensors,
    /// `torch.save` since PyTorch 1.6: a zip archive around a pickle.
    TorchZip,
    /// `torch.save` up to PyTorch 1.5: a row of pickles, then raw storages.
    TorchLegacy,
}

/// A mapped weight file: the names of its tensors and where they lie.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    format: Format,
    tensors: BTreeMap<String, StoredTensor>,
}

impl WeightFile {
    /// Opens a file and reads its table of contents; the tensors themselves
    /// are read when they are asked for.
    ///
    /// The file is mapped into memory and must not change as long as it is open, or a tensor of
    /// it is held: whoever cuts it off ends the program.
    ///
    /// # Errors
    /// [`WeightsError`], whose texts say what the file is instead, where it is
    /// damaged, or which Python code its pickle wants to run.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let io = |error| WeightsError::io(path, error);
        if path.is_dir() {
            return Err(not_weights(path, "a folder (name a file in it)"));
        }
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.len() == 0 {
            return Err(not_weights(path, "an empty file"));
        }
        // SAFETY: the map is read only. Another process that truncates the
        // file while it is in use could still fault, as with any mapped file.
        let map = Arc::new(unsafe { Mmap::map(&file) }.map_err(io)?);
        let (format, tensors) = if torch::is_zip(&map) {
            (Format::TorchZip, torch::read_zip(path, &map)?)
        } else if torch::is_legacy(&map) {
            (Format::TorchLegacy, torch::read_legacy(path, &map)?)
        } else if safetensors::recognises(&map) {
            (Format::Safetensors, safetensors::read(path, &map)?)
        } else {
            torch::refuse_bare_pickle(path, &map)?;
            return Err(not_weights(path, describe(&map)));
        };
        Ok(Self {
            path: path.to_path_buf(),
            format,
            tensors,
        })
    }

    /// The path the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The container format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// All tensors by name, in alphabetical order.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// The sum of all tensors' bytes.
    pub fn byte_len(&self) -> usize {
        self.tensors.values().map(StoredTensor::byte_len).sum()
    }
}

fn not_weights(path: &Path, found: &'static str) -> WeightsError {
    WeightsError::NotWeights {
        path: path.to_path_buf(),
        found,
    }
}

/// Names what the first bytes look like, for the message to the user.
fn describe(bytes: &[u8]) -> &'static str {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x89PNG", "a PNG picture"),
        (b"\xFF\xD8\xFF", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"GGUF", "a GGUF model"),
        (b"\x1F\x8B", "a gzip archive"),
        (b"\x28\xB5\x2F\xFD", "a zstd archive"),
        (b"\x89HDF", "an HDF5 file"),
        (
            b"version https://git-lfs",
            "a Git LFS pointer (run `git lfs pull`)",
        ),
        (b"<!DOCTYPE", "a web page"),
        (b"<html", "a web page"),
    ];
    if let Some((_, name)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return name;
    }
    let head = &bytes[..bytes.len().min(512)];
    let is_text = match std::str::from_utf8(head) {
        Ok(_) => true,
        // The cut may have split a character.
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    if is_text && !head.contains(&0) {
        "a text file"
    } else {
        "a file of unknown kind"
    }
}
