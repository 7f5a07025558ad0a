//! How often the judge sees in a picture what the prompt asked for.

use std::{
    io::{Write, stdout},
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use burn::tensor::backend::Backend;
use emoji_training::{BoxError, full_precision, sample_rng};
use indicatif::{ProgressBar, ProgressStyle};
use mpm_core::{
    MpmBackend, atomic,
    backend::BackendTask,
    weights::{WeightFile, load},
};
use mpm_data::{
    emoji::{EmojiSet, Language},
    picture::{Picture, contact_sheet},
};
use viscpm_paint::{PaintModel, PaintRequest, from_pictures, to_pictures};

use crate::{judge::Judge, recipe::Recipe, report::Report, states::agreement, things::Things};

/// Pictures of a line of the contact sheet; longer rows go on below.
const COLUMNS: usize = 12;

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

    /// Write a contact sheet to this PNG: English prompts in one row, Chinese ones below.
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
        let judge = Judge::<B>::new(things.len(), &device);
        let file = WeightFile::open(&options.judge)?;
        let evaluation = Evaluation {
            judge: load(judge, &file, &full_precision())?,
            model: PaintModel::open(&options.model, &device, &full_precision())?,
            asked: (0..things.len()).step_by(options.every.get()).collect(),
            things,
            options,
            device,
        };
        evaluation.run(recipe.seed)
    }
}

/// Paints and judges.
struct Evaluation<B: Backend> {
    things: Things,
    judge: Judge<B>,
    model: PaintModel<B>,
    asked: Vec<usize>,
    options: Evaluate,
    device: B::Device,
}

impl<B: MpmBackend> Evaluation<B> {
    fn run(&self, training_seed: u64) -> Result<(), BoxError> {
        let mut report = Report::default();
        let drawn = self.drawn(!training_seed)?;
        report.add("drawn", &self.judge_all(&drawn)?, &self.things, &self.asked);
        let decoded = self.reconstructed(&drawn)?;
        report.add(
            "decoded",
            &self.judge_all(&decoded)?,
            &self.things,
            &self.asked,
        );
        let mut rows = Vec::new();
        for language in [Language::English, Language::Chinese] {
            let painted = self.painted(language.code(), |thing| {
                self.things.name(thing, language).to_owned()
            })?;
            report.add(
                language.code(),
                &self.judge_all(&painted)?,
                &self.things,
                &self.asked,
            );
            rows.push(self.shown(&painted));
        }
        let unconditional = self.painted("no prompt", |_| String::new())?;
        let ranks = self.judge_all(&unconditional)?;
        report.add("no prompt", &ranks, &self.things, &self.asked);
        let agreement = agreement(&self.model.text_encoder, &self.things, &self.asked)?;
        write!(stdout(), "{report}")?;
        writeln!(
            stdout(),
            "\nChinese states nearest to the English ones of the same thing: {:.1} %",
            100.0 * agreement
        )?;
        if let Some(file) = &self.options.sheet {
            write_sheet(file, &rows)?;
            let names = self.shown(&self.asked);
            let names = names.iter().map(|&thing| {
                let name = |language| self.things.name(thing, language);
                format!("{} {}", name(Language::English), name(Language::Chinese))
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

    /// Fresh drawings, which neither painter nor judge has seen.
    fn drawn(&self, seed: u64) -> Result<Vec<Picture>, BoxError> {
        let draw = |(index, &thing): (usize, &usize)| {
            let mut rng = sample_rng(seed, index as u64);
            Ok(self.things.draw_to_paint(thing, &mut rng)?)
        };
        self.asked.iter().enumerate().map(draw).collect()
    }

    /// Pictures through the autoencoder: no painter is better than this.
    fn reconstructed(&self, pictures: &[Picture]) -> Result<Vec<Picture>, BoxError> {
        let vae = &self.model.painter.vae;
        let mut decoded = Vec::with_capacity(pictures.len());
        for picture in pictures {
            let pixels = from_pictures::<B>(std::slice::from_ref(picture), &self.device)?;
            decoded.extend(to_pictures(vae.decode(vae.encode(pixels)?.mean)?)?);
        }
        Ok(decoded)
    }

    /// A picture for each thing, from the prompt that `prompt` makes of it.
    fn painted(
        &self,
        what: &str,
        prompt: impl Fn(usize) -> String,
    ) -> Result<Vec<Picture>, BoxError> {
        let usual = self.options.guidance;
        let usual = usual.unwrap_or(self.model.config.defaults.guidance);
        let bar = progress(self.asked.len(), what);
        let mut pictures = Vec::with_capacity(self.asked.len());
        for &thing in &self.asked {
            let prompt = prompt(thing);
            let guidance = match prompt.is_empty() {
                true => 1.0,
                false => usual,
            };
            let request = PaintRequest {
                guidance,
                ..self.model.config.default_request(self.options.seed)
            };
            let hidden = self.model.text_encoder.encode(&[prompt.as_str(), ""])?;
            let states = viscpm_paint::PromptStates {
                prompt: hidden.clone().narrow(0, 0, 1),
                negative: hidden.narrow(0, 1, 1),
            };
            let number = thing as u64;
            let painted =
                self.model
                    .painter
                    .paint(&states, &request, None, number..number + 1, |_| {
                        ControlFlow::Continue(())
                    })?;
            pictures.extend(painted.into_iter().flatten());
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(pictures)
    }

    /// The place of each asked thing in the judge's opinion of its picture.
    fn judge_all(&self, pictures: &[Picture]) -> Result<Vec<usize>, BoxError> {
        self.judge.ranks(pictures, &self.asked, &self.device)
    }
}

/// Writes rows of pictures, one below the other, in as many lines as they take.
fn write_sheet(file: &Path, rows: &[Vec<Picture>]) -> Result<(), BoxError> {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let columns = COLUMNS.min(longest);
    let Some(first) = rows.iter().flatten().next() else {
        return Err("there is nothing to put on the sheet".into());
    };
    let white = vec![255; first.pixels().len()];
    let blank = Picture::from_rgb(first.width(), first.height(), white)?;
    let lines = (0..longest).step_by(COLUMNS);
    let pictures: Vec<_> = lines
        .flat_map(|start| rows.iter().map(move |row| row.iter().skip(start)))
        .flat_map(|line| line.chain(std::iter::repeat(&blank)).take(columns))
        .cloned()
        .collect();
    let bytes = contact_sheet(&pictures, columns)?.encode_png(&[])?;
    Ok(
        atomic::write_bytes(file, &bytes)
            .map_err(|error| format!("{}: {error}", file.display()))?,
    )
}

fn progress(count: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(count as u64).with_style(style);
    bar.set_message(what.to_owned());
    bar
}
