//! The folders in which diffusers keeps a model, and a whole Stable Diffusion.

use std::path::{Path, PathBuf};

use mpm_core::pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder};
use mpm_diffusion::{schedule::NoiseScheduleConfig, vae::VaeConfig};
use serde::{Deserialize, de::DeserializeOwned};

/// The names of the weights; the first that is there is read.
const WEIGHTS_FILES: [&str; 3] = [
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
];

/// The autoencoder within the folder of a whole Stable Diffusion.
const VAE: &str = "vae";

/// What that folder says about the noise.
pub(crate) const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";

/// The class that an autoencoder's configuration names.
const VAE_CLASS: &str = "AutoencoderKL";

/// A model of diffusers: its configuration, and where its weights are.
#[derive(Debug)]
pub(crate) struct DiffusersModel<C> {
    pub config: C,
    pub weights: PathBuf,
}

#[derive(Deserialize)]
struct Class {
    _class_name: Option<String>,
}

impl<C: DeserializeOwned> DiffusersModel<C> {
    /// Looks into a model's own folder, for a model of this class.
    pub fn open(path: &Path, expected: &str) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(path)?;
        let Class { _class_name: class } = folder.config()?;
        if let Some(other) = class.filter(|class| class != expected) {
            let reason = format!("this is a {other}; name the folder of an {expected}");
            return Err(folder.unusable(CONFIG_FILE, reason));
        }
        let mut weights = WEIGHTS_FILES.iter().map(|name| path.join(name));
        Ok(Self {
            config: folder.config()?,
            weights: weights
                .find(|path| path.is_file())
                .ok_or_else(|| folder.missing(&WEIGHTS_FILES))?,
        })
    }
}

/// Finds an autoencoder in its own folder, or in one that has it in `vae/`.
pub(crate) fn autoencoder(path: &Path) -> Result<DiffusersModel<VaeConfig>, PretrainedError> {
    let nested = path.join(VAE);
    let path = if nested.is_dir() { &nested } else { path };
    DiffusersModel::open(path, VAE_CLASS)
}

/// Reads what the folder of a whole Stable Diffusion says about the noise; others say nothing.
pub(crate) fn scheduler(path: &Path) -> Result<Option<NoiseScheduleConfig>, PretrainedError> {
    PretrainedFolder::open(path)?.json(SCHEDULER_FILE)
}
