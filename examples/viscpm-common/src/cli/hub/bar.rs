//! How far a download is, to see.

use std::io::{self, IsTerminal};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mpm_data::hub::HubProgress;

use crate::cli::note;

/// Below this size a bar would only flicker.
const SHOW_FROM: u64 = 4 << 20;

/// A bar for one file after the other, on a terminal. Elsewhere a line for each.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    /// The file that is downloaded, once its size is known.
    file: Option<String>,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self {
            bar: ProgressBar::hidden().with_style(style()),
            file: None,
        }
    }

    pub(super) fn show(&mut self, progress: HubProgress<'_>) {
        if progress.total == 0 {
            return;
        }
        if self.file.as_deref() != Some(progress.file) {
            self.file = Some(progress.file.to_owned());
            self.begin(progress);
        }
        self.bar.set_position(progress.done);
    }

    fn begin(&self, progress: HubProgress<'_>) {
        let name = progress.file.rsplit('/').next().unwrap_or(progress.file);
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        self.bar.reset();
        self.bar.set_message(name.to_owned());
        self.bar.set_length(progress.total);
        if progress.total < SHOW_FROM {
            return;
        }
        if io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        } else {
            note(&format!(
                "downloading {name}, {}\n",
                HumanBytes(progress.total)
            ));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("downloading {msg} {bar:30} {bytes}/{total_bytes}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
