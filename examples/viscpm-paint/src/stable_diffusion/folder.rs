//! The folder in which diffusers keeps a whole Stable Diffusion.

use std::path::Path;

use mpm_core::pretrained::{PretrainedError, PretrainedFolder};
use mpm_diffusion::unet::UNetConfig;
use serde::Deserialize;

use super::{config::StableDiffusionConfig, source::StableDiffusionSource};
use crate::diffusers::{self, DiffusersModel, SCHEDULER_FILE};

/// What tells such a folder from others.
pub(crate) const INDEX_FILE: &str = "model_index.json";

/// The class that paints from a prompt.
const CLASS: &str = "StableDiffusionPipeline";

/// The class that a UNet's configuration names.
const UNET_CLASS: &str = "UNet2DConditionModel";

#[derive(Deserialize)]
struct Index {
    _class_name: String,
}

/// Reads the configurations of a folder's parts.
pub(super) fn open(path: &Path) -> Result<StableDiffusionSource, PretrainedError> {
    let folder = PretrainedFolder::open(path)?;
    let index: Option<Index> = folder.json(INDEX_FILE)?;
    let Index { _class_name: class } = index.ok_or_else(|| folder.missing(&[INDEX_FILE]))?;
    if class != CLASS {
        let reason = format!(
            "this is a {class}, which cannot be painted with; name a {CLASS}: Stable Diffusion 1 \
             or 2"
        );
        return Err(folder.unusable(INDEX_FILE, reason));
    }
    let unet: DiffusersModel<UNetConfig> = DiffusersModel::open(&path.join("unet"), UNET_CLASS)?;
    let vae = diffusers::autoencoder(path)?;
    let checked = unet.config.validate().and_then(|()| vae.config.validate());
    checked.map_err(|error| folder.unusable(INDEX_FILE, error))?;
    let text_encoder = PretrainedFolder::open(path.join("text_encoder"))?;
    let scheduler = diffusers::scheduler(path)?;
    let config = StableDiffusionConfig {
        defaults: StableDiffusionConfig::defaults_of(&unet.config, &vae.config),
        text_encoder: text_encoder.config()?,
        pad_token_id: None,
        unet: unet.config,
        vae: vae.config,
        scheduler: scheduler.ok_or_else(|| folder.missing(&[SCHEDULER_FILE]))?,
    };
    config
        .validate()
        .map_err(|error| folder.unusable(INDEX_FILE, error))?;
    Ok(StableDiffusionSource {
        config,
        text_encoder: text_encoder.weights()?.path().to_path_buf(),
        unet: unet.weights,
        vae: vae.weights,
        tokenizer: path.join("tokenizer"),
        adapter: None,
    })
}
