//! How far painting has come, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use viscpm_paint::PaintProgress;

/// A bar with the time that is left; nothing where nobody looks.
pub struct Bar(ProgressBar);

impl Bar {
    /// Begins a bar for the pictures of a task.
    pub fn new(line: Option<usize>) -> Self {
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::no_length().with_style(style());
        if let Some(line) = line {
            bar.set_prefix(format!("line {line}: "));
        }
        Self(bar)
    }

    /// Shows a step.
    pub fn step(&self, PaintProgress { step, steps }: PaintProgress) {
        self.0.set_length(steps as u64);
        self.0.set_position(step as u64);
    }

    /// Makes room for something to be printed, and comes back.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for Bar {
    /// Makes room for what is printed next.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix}painting {bar:30} step {pos}/{len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
