//! Loading a model, with a progress bar when it takes long.

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
};

use indicatif::{ProgressBar, ProgressStyle};
use mpm_core::{MpmBackend, weights::LoadOptions};
use viscpm_chat::{CONFIG_FILE, ChatModel, ModelConfig, VisCpmChatConfig};

use super::{BoxError, args::ModelArgs};

/// The model that ships with the repository.
const DEFAULT_MODEL: &str = "models/viscpm-chat-emoji";

/// Below this size a bar would only flicker.
const SHOW_PROGRESS_FROM: usize = 256 << 20;

/// Loads what the arguments name.
pub fn model<B: MpmBackend>(
    args: &ModelArgs,
    device: &B::Device,
) -> Result<ChatModel<B>, BoxError> {
    let bar = ProgressBar::hidden().with_style(style());
    let shown = bar.clone();
    let options = LoadOptions {
        precision: args.dtype.precision(),
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
    let model = match (&args.checkpoint, &args.vocab) {
        (Some(checkpoint), Some(vocabulary)) => {
            let config = match &args.config {
                Some(file) => read_config(file)?,
                None => ModelConfig::new(VisCpmChatConfig::viscpm_chat())?,
            };
            ChatModel::from_checkpoint(checkpoint, vocabulary, config, device, &options)?
        }
        _ => {
            let folder = match &args.model {
                Some(folder) => folder.clone(),
                None => default_model()?,
            };
            ChatModel::open(folder, device, &options)?
        }
    };
    bar.finish_and_clear();
    Ok(model)
}

fn read_config(file: &Path) -> Result<ModelConfig, BoxError> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?)
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
