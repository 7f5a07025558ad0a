//! How often the judge sees in a picture what the prompt asked for.

use std::{
    collections::HashMap,
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

/// What stands for the name in a prompt.
const NAME: &str = "{name}";

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

    /// The prompts: a thing's name stands for `{name}`, in each language.
    #[arg(long, default_value = NAME, value_parser = template)]
    prompt: String,

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

fn template(text: &str) -> Result<String, String> {
    match text.contains(NAME) {
        true => Ok(text.to_owned()),
        false => Err(format!("put {NAME} where the name of a thing belongs")),
    }
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
        let mut add = |row: &str, asked: &[usize], pictures: &[Picture]| {
            let ranks = exam.ranks(pictures, asked)?;
            report.add(row, &ranks, &exam.things, asked);
            Ok::<_, BoxError>(ranks)
        };
        let drawn = exam.drawn(asked, !recipe.seed)?;
        add("drawn", asked, &drawn)?;
        add("decoded", asked, &exam.reconstructed(&drawn)?)?;
        let shown = self.shown(&recipe.languages);
        let (mut ranks, mut rows) = (Vec::new(), Vec::new());
        for &language in &recipe.languages {
            let named = self.named_in(language);
            let prompt = |thing| {
                let name = exam.things.name(thing, language);
                self.options.prompt.replace(NAME, name)
            };
            let painted = self.painted(language.code(), &named, prompt)?;
            let seen = add(language.code(), &named, &painted)?;
            let by_thing: HashMap<_, _> = named.iter().copied().zip(seen).collect();
            ranks.push((language, by_thing));
            let pictures = named.iter().zip(painted);
            let pictures = pictures.filter(|(thing, _)| shown.contains(thing));
            rows.push(pictures.map(|(_, picture)| picture).collect());
        }
        let unprompted = self.painted("no prompt", asked, |_| String::new())?;
        add("no prompt", asked, &unprompted)?;
        compare(&mut report, &ranks);
        write!(stdout(), "{report}")?;
        let others = recipe.languages.iter();
        for &language in others.filter(|&&of| of != Language::English) {
            let named = self.named_in(language);
            let agreement = agreement(&exam.model.text_encoder, &exam.things, &named, language)?;
            writeln!(
                stdout(),
                "\n{language}: states nearest to the English ones of the same thing: {:.1} %",
                100.0 * agreement
            )?;
        }
        if let Some(file) = &self.options.sheet {
            write_sheet(file, &rows)?;
            let names = shown.iter().map(|&thing| {
                let languages = recipe.languages.iter();
                let names = languages.map(|&language| exam.things.name(thing, language));
                names.collect::<Vec<_>>().join(" ")
            });
            let names: Vec<_> = names.collect();
            writeln!(stdout(), "\nsheet: {}", names.join(", "))?;
        }
        Ok(())
    }

    /// Those of the asked things that a language has a name for.
    fn named_in(&self, language: Language) -> Vec<usize> {
        let named = |thing: &usize| self.exam.things.is_named_in(*thing, language);
        self.asked.iter().copied().filter(named).collect()
    }

    /// Those of the asked things that the contact sheet shows: each has a name in all languages.
    fn shown(&self, languages: &[Language]) -> Vec<usize> {
        let named = |thing: &usize| {
            let mut languages = languages.iter();
            languages.all(|&language| self.exam.things.is_named_in(*thing, language))
        };
        let all: Vec<_> = self.asked.iter().copied().filter(named).collect();
        let count = self.options.sheet_things.get().min(all.len());
        (0..count).map(|i| all[i * all.len() / count]).collect()
    }

    /// A picture for each of the things, from the prompt that `prompt` makes of it.
    fn painted(
        &self,
        what: &str,
        things: &[usize],
        prompt: impl Fn(usize) -> String,
    ) -> Result<Vec<Picture>, BoxError> {
        let bar = progress(things.len(), what);
        let Evaluate { seed, guidance, .. } = self.options;
        let prompts: Vec<_> = things.iter().map(|&thing| prompt(thing)).collect();
        let numbered = prompts.iter().map(String::as_str);
        let numbered: Vec<_> = numbered.zip(things.iter().map(|&of| of as u64)).collect();
        let done = || bar.inc(1);
        let pictures = self.exam.paint_all(&numbered, seed, guidance, done);
        bar.finish_and_clear();
        pictures
    }
}

/// Compares each language with English, on the things that both have a name for.
fn compare(report: &mut Report, ranks: &[(Language, HashMap<usize, usize>)]) {
    let is_english = |(language, _): &&(Language, _)| *language == Language::English;
    let Some((_, english)) = ranks.iter().find(is_english) else {
        return;
    };
    for (language, own) in ranks.iter().filter(|of| !is_english(of)) {
        let both = own.iter();
        let both = both.filter_map(|(thing, &rank)| Some((rank, *english.get(thing)?)));
        let (own, english): (Vec<_>, Vec<_>) = both.unzip();
        report.compare(*language, &own, &english);
    }
}

fn progress(count: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(count as u64).with_style(style);
    bar.set_message(what.to_owned());
    bar
}
