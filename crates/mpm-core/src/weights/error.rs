//! What can go wrong with a weight file.

use std::path::{Path, PathBuf};

use super::KeyReport;
use crate::model_folder::FolderError;

/// Why a weight file could not be read, loaded or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file could not be opened, mapped or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// A parameter could not be taken from another module.
    #[error("parameter `{name}`: {reason}")]
    Parameter {
        /// Its name in the module.
        name: String,
        /// What does not fit.
        reason: String,
    },

    /// The file is something else than a weight file.
    #[error(
        "{}: not a weight file but {found}; expected safetensors or a file that torch.save wrote",
        path.display()
    )]
    NotWeights {
        /// The file.
        path: PathBuf,
        /// What it looks like instead.
        found: &'static str,
    },

    /// The container is recognised but cut off or damaged.
    #[error("{}: {reason}; the file is damaged or incomplete, fetch it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },

    /// A pickle asks for Python code to be run, as a malicious file would and
    /// as a model saved as a whole Python object does.
    #[error(
        "{}: the pickle asks to call `{callable}`; only plain tensors are read and nothing was \
         executed. Save the model's `state_dict()` instead, if you trust its origin",
        path.display()
    )]
    ForeignCode {
        /// The file.
        path: PathBuf,
        /// The Python callable, `module.name`.
        callable: String,
    },

    /// The container uses a feature that this reader does not know.
    #[error("{}: {feature} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The feature.
        feature: String,
    },

    /// A JSON file is no index of shards.
    #[error(
        "{}: no index of a model's files: {source}; name the weights, or the index beside them, \
         such as model.safetensors.index.json",
        path.display()
    )]
    Index {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },

    /// Some of the files that an index names are not there.
    #[error(
        "{}: {} of the {total} files that it names are missing: {}; download them into its folder",
        path.display(),
        files.len(),
        files.join(", ")
    )]
    MissingShards {
        /// The index.
        path: PathBuf,
        /// The missing ones, relative to the index.
        files: Vec<String>,
        /// How many it names.
        total: usize,
    },

    /// Files do not have the tensors that their index says they have.
    #[error(
        "{}: its files are mixed up, or some are of another model: {} tensors are not where it \
         says; `{}` should be in {}, for instance; download them again",
        path.display(),
        misplaced.len(),
        misplaced[0].0,
        misplaced[0].1
    )]
    MixedShards {
        /// The index.
        path: PathBuf,
        /// The tensors, with the files that should have them; at least one.
        misplaced: Vec<(String, String)>,
    },

    /// Names, shapes or kinds of values do not match the model.
    #[error("{}: {report}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Everything that does not match.
        report: Box<KeyReport>,
    },

    /// There is no room even if all layers that can wait in the file do.
    #[error(
        "{}: {:.1} GB are there for the weights, but {:.1} GB are needed even if all layers wait \
         in the file; allow more memory, or convert the model to int8 or int4 first",
        path.display(),
        *limit as f64 / 1e9,
        *needed as f64 / 1e9
    )]
    MemoryLimit {
        /// The file.
        path: PathBuf,
        /// Bytes that the weights may take.
        limit: u64,
        /// Bytes that they need at least.
        needed: u64,
    },

    /// Layers cannot be quantized whenever they come from the file.
    #[error(
        "{}: weights are quantized while they are loaded, and layers that wait in the file are \
         loaded again and again; convert the model with the quantization first",
        path.display()
    )]
    QuantizeWaiting {
        /// The file.
        path: PathBuf,
    },

    /// The folder that weights are written into.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// A tensor's values could not be moved into the model.
    #[error("{}: tensor `{key}`: {reason}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        key: String,
        /// What went wrong.
        reason: String,
    },
}

impl WeightsError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
            reason: reason.into(),
        }
    }
}
