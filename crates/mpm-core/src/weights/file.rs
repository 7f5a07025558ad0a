//! Opening a weight file and recognising its format.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use memmap2::Mmap;

use super::{
    StoredTensor, WeightsError,
    index::{self, Shards},
    safetensors,
    source::Source,
    torch,
};

type Tensors = BTreeMap<String, StoredTensor>;

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
    /// An index in JSON, and the files of any of these formats that it names.
    Sharded,
}

/// An open weight file, or all the shards of one: the names of the tensors and where they lie.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    files: Vec<PathBuf>,
    format: Format,
    tensors: BTreeMap<String, StoredTensor>,
}

impl WeightFile {
    /// Opens a file and reads its table of contents; the tensors themselves
    /// are read when they are asked for.
    ///
    /// Of a model in several files, `path` is the index, `model.safetensors.index.json` for
    /// instance.
    ///
    /// # Errors
    /// [`WeightsError`], whose texts say what the file is instead, where it is
    /// damaged, which Python code its pickle wants to run, or which shards are missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let (source, bytes) = open(path)?;
        let mut files = vec![path.to_path_buf()];
        let (format, tensors) = match index::recognises(&bytes) {
            true => {
                let Shards { tensors, paths } = index::read(path, &bytes)?;
                files.extend(paths);
                (Format::Sharded, tensors)
            }
            false => contents(path, source, &bytes)?,
        };
        Ok(Self {
            path: path.to_path_buf(),
            files,
            format,
            tensors,
        })
    }

    /// The path the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All files that were opened: the one of [`path`](Self::path), and the shards if that is an
    /// index.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The container format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// All tensors by name, in alphabetical order.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// Puts parts of a tensor in its place: the first of equally many rows under the first of
    /// `names`, and so on. For projections that a file holds as one and a model as several.
    ///
    /// Nothing is read. Without such a tensor, or where its rows are no multiple of the names, the
    /// file stays as it is, and loading will report what is missing.
    pub fn split_rows(&mut self, key: &str, names: &[String]) {
        let parts = self
            .tensors
            .get(key)
            .and_then(|tensor| parts_of(tensor, names));
        if let Some(parts) = parts {
            self.tensors.remove(key);
            self.tensors.extend(parts);
        }
    }

    /// The sum of all tensors' bytes.
    pub fn byte_len(&self) -> usize {
        self.tensors.values().map(StoredTensor::byte_len).sum()
    }
}

/// Equal parts of the rows of a tensor, under these names.
fn parts_of(tensor: &StoredTensor, names: &[String]) -> Option<Vec<(String, StoredTensor)>> {
    let height = *tensor.shape().first()?;
    let rows = height.checked_div(names.len())?;
    if rows * names.len() != height {
        return None;
    }
    let part = |(i, name): (usize, &String)| {
        let part = tensor.rows(i * rows..(i + 1) * rows)?;
        Some((name.clone(), part))
    };
    names.iter().enumerate().map(part).collect()
}

/// Reads the table of contents of a single file.
pub(super) fn read_tensors(path: &Path) -> Result<(Format, Tensors), WeightsError> {
    let (source, bytes) = open(path)?;
    contents(path, source, &bytes)
}

fn contents(path: &Path, source: Source, bytes: &[u8]) -> Result<(Format, Tensors), WeightsError> {
    let source = Arc::new(source);
    if torch::is_zip(bytes) {
        let tensors = torch::read_zip(path, bytes, &source)?;
        Ok((Format::TorchZip, tensors))
    } else if torch::is_legacy(bytes) {
        let tensors = torch::read_legacy(path, bytes, &source)?;
        Ok((Format::TorchLegacy, tensors))
    } else if safetensors::recognises(bytes) {
        let tensors = safetensors::read(path, bytes, &source)?;
        Ok((Format::Safetensors, tensors))
    } else {
        torch::refuse_bare_pickle(path, bytes)?;
        Err(not_weights(path, describe(bytes)))
    }
}

fn open(path: &Path) -> Result<(Source, Mmap), WeightsError> {
    let io = |error| WeightsError::io(path, error);
    if path.is_dir() {
        return Err(not_weights(path, "a folder (name a file in it)"));
    }
    let source = Source::open(path).map_err(io)?;
    if source.len() == 0 {
        return Err(not_weights(path, "an empty file"));
    }
    let bytes = source.map().map_err(io)?;
    Ok((source, bytes))
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
