//! Loading a model, with a progress bar when it takes long.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
    sync::Arc,
};

use indicatif::{ProgressBar, ProgressStyle};
use mpm_core::{
    MpmBackend,
    weights::{LoadOptions, Precision},
};
use viscpm_chat::{CONFIG_FILE, ChatError, ChatModel, ModelConfig, VisCpmChatConfig};

use super::{BoxError, args::ModelArgs};

/// The model that ships with the repository.
const DEFAULT_MODEL: &str = "models/viscpm-chat-emoji";

/// Below this size a bar would only flicker.
const SHOW_PROGRESS_FROM: usize = 256 << 20;

/// A model before its weights are read, which may take long.
pub struct Source {
    /// All but the weights and the vocabulary.
    pub config: ModelConfig,
    weights: PathBuf,
    vocabulary: PathBuf,
    precision: Precision,
}

impl Source {
    /// Finds what the arguments name.
    pub fn find(args: &ModelArgs) -> Result<Self, BoxError> {
        let precision = args.dtype.precision();
        if let (Some(weights), Some(vocabulary)) = (&args.checkpoint, &args.vocab) {
            return Ok(Self {
                config: match &args.config {
                    Some(file) => ModelConfig::open(file)?,
                    None => ModelConfig::new(VisCpmChatConfig::viscpm_chat())?,
                },
                weights: weights.clone(),
                vocabulary: vocabulary.clone(),
                precision,
            });
        }
        let folder = match &args.model {
            Some(folder) => folder.clone(),
            None => default_model()?,
        };
        let config = ModelConfig::open(folder.join(CONFIG_FILE))?;
        Ok(Self {
            weights: folder.join(&config.weights),
            vocabulary: folder.join(&config.vocabulary),
            config,
            precision,
        })
    }

    /// Loads it.
    pub fn load<B: MpmBackend>(self, device: &B::Device) -> Result<ChatModel<B>, ChatError> {
        let bar = ProgressBar::hidden().with_style(style());
        let shown = bar.clone();
        let options = LoadOptions {
            precision: self.precision,
            progress: Some(Arc::new(move |done, total| {
                if shown.length().is_none() {
                    shown.set_length(total as u64);
                    if total >= SHOW_PROGRESS_FROM && io::stderr().is_terminal() {
                        shown.set_draw_target(indicatif::ProgressDrawTarget::stderr());
                    }
                }
                shown.set_position(done as u64);
            })),
            ..LoadOptions::default()
        };
        let model = ChatModel::from_checkpoint(
            self.weights,
            self.vocabulary,
            self.config,
            device,
            &options,
        )?;
        bar.finish_and_clear();
        Ok(model)
    }
}

/// Looks for the shipped model above the working folder and above the program,
/// which cargo puts into the repository.
fn default_model() -> Result<PathBuf, BoxError> {
    let starts = [env::current_dir(), env::current_exe()];
    starts
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|folder| folder.join(DEFAULT_MODEL))
        .find(|folder| folder.join(CONFIG_FILE).is_file())
        .ok_or_else(|| {
            format!(
                "{DEFAULT_MODEL} was not found: run this in the repository, or name a model \
                 with --model or --checkpoint"
            )
            .into()
        })
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("loading {bar:30} {bytes}/{total_bytes}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
