//! Finding and loading a model, with a progress bar when it takes long.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
    sync::Arc,
};

use burn::tensor::DType;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mpm_core::{
    model_folder::CONFIG_FILE,
    streaming::{LayerList, StreamedLayers},
    weights::{LoadOptions, Precision},
};

use super::{BoxError, note};

/// Below this size a bar would only flicker.
const SHOW_PROGRESS_FROM: usize = 256 << 20;

/// The dtypes of weights to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DtypeArg {
    /// As the file has them
    Stored,
    /// 32 bits
    F32,
    /// 16 bits, IEEE half precision
    F16,
    /// 16 bits, bfloat16
    Bf16,
}

impl DtypeArg {
    /// The precision to load with.
    pub fn precision(self) -> Precision {
        match self {
            Self::Stored => Precision::AsStored,
            Self::F32 => Precision::Cast(DType::F32),
            Self::F16 => Precision::Cast(DType::F16),
            Self::Bf16 => Precision::Cast(DType::BF16),
        }
    }
}

/// Looks for a model folder that ships with the repository, such as `models/viscpm-chat-emoji`,
/// above the working folder and above the program, which cargo puts into the repository.
///
/// # Errors
/// Says what was looked for, and which options name a model.
pub fn find_model(folder: &str) -> Result<PathBuf, BoxError> {
    let starts = [env::current_dir(), env::current_exe()];
    starts
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|above| above.join(folder))
        .find(|folder| folder.join(CONFIG_FILE).is_file())
        .ok_or_else(|| {
            format!(
                "{folder} was not found: run this in the repository, or name a model \
                 with --model or --checkpoint"
            )
            .into()
        })
}

/// Loads or writes something in the given precision, with a bar on a terminal if it is large;
/// `doing` says before it what goes on.
///
/// # Errors
/// What `load` returns.
pub fn with_progress<T, E>(
    doing: &'static str,
    precision: Precision,
    load: impl FnOnce(&LoadOptions) -> Result<T, E>,
) -> Result<T, E> {
    let bar = ProgressBar::hidden().with_style(style()).with_prefix(doing);
    let shown = bar.clone();
    let options = LoadOptions {
        precision,
        progress: Some(Arc::new(move |done, total| {
            if shown.length() != Some(total as u64) {
                shown.set_length(total as u64);
                if total >= SHOW_PROGRESS_FROM && io::stderr().is_terminal() {
                    shown.set_draw_target(ProgressDrawTarget::stderr());
                }
            }
            shown.set_position(done as u64);
        })),
        ..LoadOptions::default()
    };
    let loaded = load(&options);
    bar.finish_and_clear();
    loaded
}

/// Tells how many layers of a language model wait in their file, if some do.
pub fn note_waiting(llm: &mut impl StreamedLayers) {
    let LayerList { waiting, count, .. } = llm.layer_list();
    if !waiting.is_empty() {
        note(&format!(
            "{} of {count} layers of the language model wait in the file\n",
            waiting.len()
        ));
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {bar:30} {bytes}/{total_bytes}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
