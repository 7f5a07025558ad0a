//! The folders in which diffusers keeps an autoencoder.

use std::path::{Path, PathBuf};

use mpm_core::pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder};
use mpm_diffusion::{schedule::NoiseScheduleConfig, vae::VaeConfig};
use serde::Deserialize;

/// The names of the weights; the first that is there is read.
const WEIGHTS_FILES: [&str; 3] = [
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
];

/// The autoencoder within the folder of a whole Stable Diffusion.
const VAE: &str = "vae";

/// What that folder says about the noise.
const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";

/// The class that an autoencoder's configuration names.
const CLASS: &str = "AutoencoderKL";

/// What such a folder holds.
#[derive(Debug)]
pub(crate) struct DiffusersFolder {
    pub vae: VaeConfig,
    pub vae_weights: PathBuf,
    /// Only the folder of a whole Stable Diffusion has it.
    pub scheduler: Option<NoiseScheduleConfig>,
}

#[derive(Deserialize)]
struct Class {
    _class_name: Option<String>,
}

impl DiffusersFolder {
    /// Looks into a folder: an autoencoder's own, or one that has it in `vae/`.
    pub fn open(path: &Path) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(path)?;
        let nested = path.join(VAE);
        if !nested.is_dir() {
            return Self::autoencoder(&folder, None);
        }
        let scheduler = folder.json(SCHEDULER_FILE)?;
        Self::autoencoder(&PretrainedFolder::open(nested)?, scheduler)
    }

    fn autoencoder(
        folder: &PretrainedFolder,
        scheduler: Option<NoiseScheduleConfig>,
    ) -> Result<Self, PretrainedError> {
        let Class { _class_name: class } = folder.config()?;
        if let Some(other) = class.filter(|class| class != CLASS) {
            let reason = format!("this is a {other}; name the folder of an {CLASS}");
            return Err(folder.unusable(CONFIG_FILE, reason));
        }
        let mut weights = WEIGHTS_FILES.iter().map(|name| folder.path().join(name));
        Ok(Self {
            vae: folder.config()?,
            vae_weights: weights
                .find(|path| path.is_file())
                .ok_or_else(|| folder.missing(&WEIGHTS_FILES))?,
            scheduler,
        })
    }
}
