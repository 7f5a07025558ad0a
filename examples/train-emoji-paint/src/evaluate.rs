//! How often the judge sees in a picture what the prompt asked for.

use std::{
    io::{Write, stdout},
    num::NonZeroUsize,
    path::PathBuf,
};

use burn::tensor::backend::Backend;
use emoji_training::BoxError;
use indicatif::{ProgressBar, ProgressStyle};
use mpm_core::{MpmBackend, backend::BackendTask};
use mpm_data::{
    emoji::{EmojiSet, Language},
    picture::Picture,
};
use train_emoji_paint::{Exam, Recipe, agreement, write_sheet};

use crate::report::Report;

/// What is measured.
#[derive(clap::Args)]
pub struct Evaluate {
    /// The model folder.
    #[arg(long, default_value = "models/viscpm-paint-emoji")]
    model: PathBuf,

    /// The judge's weights.
    #[arg(long, default_value = "models/viscpm-paint-emoji/judge.safetensors")]
    judge: PathBuf,

    /// Paint every n-th thing only.
    #[arg(long, default_value = "1")]
    every: NonZeroUsize,

    /// The seed of the pictures; training never saw it.
    #[arg(long, default_value = "1")]
    seed: u64,

    /// Write a contact sheet to this PNG: a row for each language, one below the other.
    #[arg(long)]
    sheet: Option<PathBuf>,

    /// How many things the contact sheet shows.
    #[arg(long, default_value = "24")]
    sheet_things: NonZeroUsize,

    /// The guidance scale instead of the model's own.
    #[arg(long)]
    guidance: Option<f64>,
}

pub struct EvaluateTask {
    pub options: Evaluate,
    pub recipe: Recipe,
    pub set: &'static EmojiSet,
}

impl BackendTask for EvaluateTask {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let Self {
            options,
            recipe,
            set,
        } = self;
        let things = recipe.things(set)?;
        let exam = Exam::<B>::open(things, &options.model, &options.judge, device)?;
        let evaluation = Evaluation {
            asked: (0..exam.things.len())
                .step_by(options.every.get())
                .collect(),
            exam,
            options,
        };
        evaluation.run(&recipe)
    }
}

/// Paints and judges.
struct Evaluation<B: Backend> {
    exam: Exam<B>,
    asked: Vec<usize>,
    options: Evaluate,
}

impl<B: MpmBackend> Evaluation<B> {
    fn run(&self, recipe: &Recipe) -> Result<(), BoxError> {
        let Self { exam, asked, .. } = self;
        let mut report = Report::default();
        let mut add = |row: &str, pictures: &[Picture]| -> Result<(), BoxError> {
            report.add(row, &exam.ranks(pictures, asked)?, &exam.things, asked);
            Ok(())
        };
        let drawn = exam.drawn(asked, !recipe.seed)?;
        add("drawn", &drawn)?;
        add("decoded", &exam.reconstructed(&drawn)?)?;
        let mut rows = Vec::new();
        for &language in &recipe.languages {
            let name = |thing| exam.things.name(thing, language);
            let painted = self.painted(language.code(), name)?;
            add(language.code(), &painted)?;
            rows.push(self.shown(&painted));
        }
        add("no prompt", &self.painted("no prompt", |_| "")?)?;
        write!(stdout(), "{report}")?;
        let others = recipe.languages.iter();
        for &language in others.filter(|&&of| of != Language::English) {
            let agreement = agreement(&exam.model.text_encoder, &exam.things, asked, language)?;
            writeln!(
                stdout(),
                "\n{language}: states nearest to the English ones of the same thing: {:.1} %",
                100.0 * agreement
            )?;
        }
        if let Some(file) = &self.options.sheet {
            write_sheet(file, &rows)?;
            let names = self.shown(asked);
            let names = names.iter().map(|&thing| {
                let languages = recipe.languages.iter();
                let names = languages.map(|&language| exam.things.name(thing, language));
                names.collect::<Vec<_>>().join(" ")
            });
            let names: Vec<_> = names.collect();
            writeln!(stdout(), "\nsheet: {}", names.join(", "))?;
        }
        Ok(())
    }

    /// Those of all asked things that the contact sheet shows.
    fn shown<T: Clone>(&self, all: &[T]) -> Vec<T> {
        let count = self.options.sheet_things.get().min(all.len());
        let places = (0..count).map(|i| i * all.len() / count);
        places.map(|place| all[place].clone()).collect()
    }

    /// A picture for each thing, from the prompt that `prompt` makes of it.
    fn painted<'t>(
        &self,
        what: &str,
        prompt: impl Fn(usize) -> &'t str,
    ) -> Result<Vec<Picture>, BoxError> {
        let bar = progress(self.asked.len(), what);
        let Evaluate { seed, guidance, .. } = self.options;
        let paint = |&thing: &usize| {
            let number = thing as u64;
            let picture = self.exam.paint(prompt(thing), seed, number, guidance)?;
            bar.inc(1);
            Ok(picture)
        };
        let pictures = self.asked.iter().map(paint).collect();
        bar.finish_and_clear();
        pictures
    }
}

fn progress(count: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(count as u64).with_style(style);
    bar.set_message(what.to_owned());
    bar
}
