//! Experiment 4: pictures from prompts in languages that the painter never saw.

use std::path::Path;

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::{emoji::Language, picture::Picture};
use mpm_train::picture_metrics::{FeatureStatistics, frechet_distance};
use train_emoji_paint::{Exam, Judge, write_sheet};
use viscpm_common::cli::show;

use crate::{
    figures::{Figure, Figures, Mean, Subject, codes},
    lab::Lab,
    plot::{Bars, Series},
};

/// What is painted from names.
const PAINTED: &str = "painted";

/// What is painted without a prompt, and what was drawn: these have no language, and are kept as
/// English ones.
const UNPROMPTED: &str = "without a prompt";
const DRAWN: &str = "drawn";

/// There is one split: all things, with noise that training never saw.
const SPLIT: &str = "all things";

/// The part of the pictures in which the judge sees first what was asked for.
const SEEN_FIRST: &str = "seen first";

/// The same, among the first five.
const SEEN: &str = "seen among five";
const FEW: usize = 5;

/// How far the pictures are from as many drawings, in what the judge compares them by.
const DISTANCE: &str = "Fréchet distance";

/// Things on a contact sheet.
const SHOWN: usize = 12;

/// Trains and measures what has no figures yet, and plots all.
///
/// # Errors
/// Those of training and of files.
pub fn run<B: MpmBackend>(lab: &Lab, results: &Path, device: &B::Device) -> Result<(), BoxError> {
    let file = results.join("paint.jsonl");
    let mut figures = Figures::read(&file)?;
    let languages = &lab.settings.languages;
    for &seed in &lab.settings.seeds {
        if !figures.has(PAINTED, seed) {
            let gallery = Gallery::new(lab, lab.painter::<B>(seed, device)?, seed)?;
            let (measured, sheet) = gallery.measure(languages)?;
            figures.add(measured);
            write_sheet(&results.join(format!("paint-{seed}.png")), &sheet)?;
            figures.write(&file)?;
        }
    }
    let arms = [PAINTED, UNPROMPTED, DRAWN].map(str::to_owned);
    for quantity in [SEEN_FIRST, SEEN] {
        show(&(figures.table(&arms, languages, (SPLIT, quantity), Mean::percent) + "\n"))?;
    }
    show(&(figures.table(&arms, languages, (SPLIT, DISTANCE), Mean::plain) + "\n"))?;
    plot(&figures, languages, results)
}

/// A painter at work.
struct Gallery<B: MpmBackend> {
    exam: Exam<B>,
    /// Each thing as often as it is painted.
    asked: Vec<usize>,
    seed: u64,
    /// What the judge compares drawings by.
    drawings: FeatureStatistics,
}

impl<B: MpmBackend> Gallery<B> {
    fn new(lab: &Lab, exam: Exam<B>, seed: u64) -> Result<Self, BoxError> {
        let versions = 0..lab.settings.paintings;
        let things = 0..exam.things.len();
        let asked: Vec<_> = versions.flat_map(|_| things.clone()).collect();
        let drawings = statistics(&exam, &exam.drawn(&asked, !seed)?)?;
        Ok(Self {
            exam,
            asked,
            seed,
            drawings,
        })
    }

    /// Figures, and the first paintings in a row for each language.
    fn measure(
        &self,
        languages: &[Language],
    ) -> Result<(Vec<Figure>, Vec<Vec<Picture>>), BoxError> {
        let mut figures = Vec::new();
        let mut sheet = Vec::new();
        for &language in languages {
            let painted = self.paint(|thing| self.exam.things.name(thing, language))?;
            figures.extend(self.judge(PAINTED, language, &painted)?);
            let things = self.exam.things.len();
            let shown = (0..SHOWN.min(things)).map(|place| place * things / SHOWN.min(things));
            sheet.push(shown.map(|place| painted[place].clone()).collect());
        }
        let unprompted = self.paint(|_| "")?;
        figures.extend(self.judge(UNPROMPTED, Language::English, &unprompted)?);
        // Others than those that the distance is from.
        let drawn = self.exam.drawn(&self.asked, !self.seed - 1)?;
        figures.extend(self.judge(DRAWN, Language::English, &drawn)?);
        Ok((figures, sheet))
    }

    fn paint<'t>(&self, prompt: impl Fn(usize) -> &'t str) -> Result<Vec<Picture>, BoxError> {
        let prompts = self.asked.iter().map(|&thing| prompt(thing));
        let numbered: Vec<_> = prompts.zip(0..).collect();
        self.exam.paint_all(&numbered, self.seed, None, || ())
    }

    fn judge(
        &self,
        arm: &str,
        language: Language,
        pictures: &[Picture],
    ) -> Result<[Figure; 3], BoxError> {
        let ranks = self.exam.ranks(pictures, &self.asked)?;
        let share = |places: usize| {
            let seen = ranks.iter().filter(|&&rank| rank < places).count();
            seen as f64 / ranks.len() as f64
        };
        let distance = frechet_distance(&statistics(&self.exam, pictures)?, &self.drawings)?;
        let values = [
            (SEEN_FIRST, share(1)),
            (SEEN, share(FEW)),
            (DISTANCE, distance),
        ];
        Ok(values.map(|(quantity, value)| {
            let subject = Subject {
                arm: arm.to_owned(),
                seed: self.seed,
                language,
                split: SPLIT.to_owned(),
                quantity: quantity.to_owned(),
            };
            Figure::new(subject, value)
        }))
    }
}

fn statistics<B: MpmBackend>(
    exam: &Exam<B>,
    pictures: &[Picture],
) -> Result<FeatureStatistics, BoxError> {
    let mut statistics = FeatureStatistics::new(Judge::<B>::WIDTH);
    for features in exam.features(pictures) {
        statistics.add(features?)?;
    }
    Ok(statistics)
}

fn plot(figures: &Figures, languages: &[Language], results: &Path) -> Result<(), BoxError> {
    let series = |quantity: &str| Series {
        name: quantity.to_owned(),
        means: languages
            .iter()
            .map(|&language| figures.mean(PAINTED, language, SPLIT, quantity))
            .collect(),
    };
    Bars {
        title: "Pictures in which the judge sees what the prompt names".to_owned(),
        groups: codes(languages),
        series: vec![series(SEEN_FIRST), series(SEEN)],
    }
    .write(&results.join("paint.svg"))
}
