//! The model that a run starts from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which parts make the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assembly {
    /// VisCPM-Chat: `llm` and `visual`.
    Chat,
    /// VisCPM-Paint: `llm`, `unet` and `trans_block`; the autoencoder is always frozen.
    Paint,
}

/// The model that a run starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Which parts it has.
    pub assembly: Assembly,
    /// A folder with the sizes of all parts, their weights and the vocabulary.
    pub folder: PathBuf,
    /// Patterns of parameters that start anew, with random values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub random: Vec<String>,
    /// Files of single parts (`llm`, `visual`, …), instead of what the folder has of them:
    /// safetensors or `torch.save`, with names as in the official checkpoints but without the
    /// part's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, PathBuf>,
}
