//! Model folders as the libraries of Hugging Face write them: `config.json` beside the weights.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Map, Value};

use crate::{
    python_json,
    weights::{WeightFile, WeightsError},
};

/// The names under which `save_pretrained` of `transformers` writes weights, in one file or in
/// several; the first that is there is read.
const WEIGHTS_FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The name of the configuration.
pub const CONFIG_FILE: &str = "config.json";

/// A model folder, of which nothing is read before it is asked for.
#[derive(Clone, Debug)]
pub struct PretrainedFolder {
    path: PathBuf,
}

/// Why a model folder could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// There is no folder of that name.
    #[error(
        "{}: there is no such folder; name the one that has the model's {CONFIG_FILE} and weights",
        path.display()
    )]
    NoFolder {
        /// What was named.
        path: PathBuf,
    },

    /// The folder has none of the files of which it needs one.
    #[error("{}: the folder has no {}; copy or download it again", path.display(), names.join(" or "))]
    Missing {
        /// The folder.
        path: PathBuf,
        /// The names that were looked for.
        names: Vec<&'static str>,
    },

    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// A file is no JSON, or not of the form that is expected.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },

    /// A file can be read, but what it says cannot be used.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What the crate that needs it says.
        source: Box<dyn Error + Send + Sync>,
    },

    /// The weights could not be read, or they belong to another model.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl PretrainedFolder {
    /// Names a folder.
    ///
    /// # Errors
    /// [`PretrainedError::NoFolder`] when there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PretrainedError> {
        let path = path.as_ref().to_path_buf();
        match path.is_dir() {
            true => Ok(Self { path }),
            false => Err(PretrainedError::NoFolder { path }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`PretrainedError::Missing`], [`PretrainedError::Io`] and [`PretrainedError::Syntax`].
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, PretrainedError> {
        self.json(CONFIG_FILE)?
            .ok_or_else(|| self.missing(&[CONFIG_FILE]))
    }

    /// Reads a JSON file, as Python may write it ([`python_json`]); `None` when the folder has no
    /// such file.
    ///
    /// # Errors
    /// [`PretrainedError::Io`] and [`PretrainedError::Syntax`].
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, PretrainedError> {
        let Some(bytes) = self.bytes(name)? else {
            return Ok(None);
        };
        let parsed = python_json::from_slice(&bytes);
        parsed.map_err(|source| PretrainedError::Syntax {
            path: self.path.join(name),
            source,
        })
    }

    /// Reads a file; `None` when the folder has no such file.
    ///
    /// # Errors
    /// [`PretrainedError::Io`].
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, PretrainedError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PretrainedError::Io { path, source }),
        }
    }

    /// Opens `model.safetensors` or, where that is absent, `pytorch_model.bin`, or the index of
    /// their shards.
    ///
    /// # Errors
    /// [`PretrainedError::Missing`] without any of them, and what [`WeightFile::open`] returns.
    pub fn weights(&self) -> Result<WeightFile, PretrainedError> {
        let mut paths = WEIGHTS_FILES.map(|name| self.path.join(name)).into_iter();
        let path = paths
            .find(|path| path.is_file())
            .ok_or_else(|| self.missing(&WEIGHTS_FILES))?;
        Ok(WeightFile::open(path)?)
    }

    /// The error for a folder that has none of `names`.
    pub fn missing(&self, names: &[&'static str]) -> PretrainedError {
        PretrainedError::Missing {
            path: self.path.clone(),
            names: names.to_vec(),
        }
    }

    /// The error for a file of the folder whose content cannot be used.
    pub fn unusable(
        &self,
        name: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> PretrainedError {
        PretrainedError::Content {
            path: self.path.join(name),
            source: source.into(),
        }
    }
}

/// The configuration of one part of a model, such as `vision_config` of a CLIP model.
///
/// `transformers` before 4.30 wrote the part's differences from the defaults into another map,
/// `vision_config_dict`, whose values win. Keys whose value is null count as absent.
///
/// # Errors
/// When the model has no such part, or the part is not of the form that is expected.
pub fn part_of_config<T: DeserializeOwned>(
    config: &Map<String, Value>,
    part: &str,
) -> Result<T, serde_json::Error> {
    let found =
        [part, &format!("{part}_dict")].map(|key| config.get(key).and_then(Value::as_object));
    if found == [None, None] {
        return Err(serde_json::Error::custom(format!(
            "there is no `{part}`; is this the configuration of another model?"
        )));
    }
    let entries = found.into_iter().flatten().flatten();
    let given = entries.filter(|(_, value)| !value.is_null());
    let merged: Map<String, Value> = given
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    serde_json::from_value(Value::Object(merged))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_or_broken_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("model");
        let text = PretrainedFolder::open(&path).unwrap_err().to_string();
        assert!(text.contains("model: there is no such folder"), "{text}");

        fs::create_dir(&path).unwrap();
        let folder = PretrainedFolder::open(&path).unwrap();
        let config = || folder.config::<Value>();
        let text = config().unwrap_err().to_string();
        assert!(
            text.contains("model: the folder has no config.json"),
            "{text}"
        );
        assert!(folder.json::<u8>("other.json").unwrap().is_none());
        fs::write(path.join(CONFIG_FILE), "{").unwrap();
        let text = config().unwrap_err().to_string();
        assert!(text.contains("config.json: EOF while parsing"), "{text}");
        fs::write(path.join(CONFIG_FILE), "{}").unwrap();
        assert!(config().is_ok());

        let text = folder.weights().unwrap_err().to_string();
        assert!(
            text.contains("no model.safetensors or model.safetensors.index.json or pytorch"),
            "{text}"
        );
        fs::write(path.join("pytorch_model.bin"), "no weights").unwrap();
        let text = folder.weights().unwrap_err().to_string();
        assert!(
            text.contains("pytorch_model.bin: not a weight file"),
            "{text}"
        );
    }

    #[test]
    fn a_part_is_merged_from_both_its_maps() {
        let config = json!({
            "a_config": {"x": 1, "y": 2, "z": null},
            "a_config_dict": {"y": 3, "x": null},
            "b_config_dict": {"x": 4},
        });
        let part = |name| part_of_config::<Value>(config.as_object().unwrap(), name);
        assert_eq!(part("a_config").unwrap(), json!({"x": 1, "y": 3}));
        assert_eq!(part("b_config").unwrap(), json!({"x": 4}));
        let text = part("c_config").unwrap_err().to_string();
        assert!(text.contains("no `c_config`"), "{text}");
    }

    #[test]
    fn safetensors_come_first() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = PretrainedFolder::open(temporary.path()).unwrap();
        for name in WEIGHTS_FILES {
            fs::write(temporary.path().join(name), "no weights").unwrap();
        }
        let text = folder.weights().unwrap_err().to_string();
        assert!(text.contains("model.safetensors"), "{text}");
    }
}
