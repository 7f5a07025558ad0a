//! The stages, and where they are.

use std::path::{Path, PathBuf};

use mpm_core::model_folder::CONFIG_FILE;

/// The weights of a finished stage but the painter.
pub(crate) const WEIGHTS_FILE: &str = "weights.safetensors";

/// The measured `scaling_factor` of a finished autoencoder.
pub(crate) const SCALING_FILE: &str = "scaling.json";

/// A stage of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StageName {
    /// Pictures to latents and back.
    Autoencoder,
    /// English prompts to latents; the language model is frozen.
    Painter,
    /// Pictures to things, to judge the painter.
    Judge,
}

/// The folder of each stage: checkpoints, metrics, and the weights in the end.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Of the autoencoder.
    pub autoencoder: PathBuf,
    /// Of the painter: the whole model.
    pub painter: PathBuf,
    /// Of the judge.
    pub judge: PathBuf,
}

impl Folders {
    /// All in the folder of a run.
    pub fn of(run: &Path) -> Self {
        Self {
            autoencoder: run.join("autoencoder"),
            painter: run.join("painter"),
            judge: run.join("judge"),
        }
    }

    /// That of one stage.
    pub fn stage(&self, name: StageName) -> &Path {
        match name {
            StageName::Autoencoder => &self.autoencoder,
            StageName::Painter => &self.painter,
            StageName::Judge => &self.judge,
        }
    }

    /// Whether a stage is done: what it writes last is there.
    pub fn is_done(&self, name: StageName) -> bool {
        let last = match name {
            StageName::Painter => CONFIG_FILE,
            StageName::Autoencoder => SCALING_FILE,
            StageName::Judge => WEIGHTS_FILE,
        };
        self.stage(name).join(last).is_file()
    }

    /// The judge's weights.
    pub fn judge_weights(&self) -> PathBuf {
        self.judge.join(WEIGHTS_FILE)
    }
}
