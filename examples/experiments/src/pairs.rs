//! Experiment 2: instruction tuning in English with a few translated pairs.

use std::path::Path;

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::Language;
use viscpm_common::cli::show;

use crate::{
    figures::{Figures, Mean},
    lab::{Lab, Languages, Sighted, Words},
    measure::{HELD_OUT, IN_THE_LANGUAGE, NAMED, TRAINING, measure},
    plot::{Curves, Series},
};

/// Trains and measures what has no figures yet, and plots all.
///
/// # Errors
/// Those of training and of files.
pub fn run<B: MpmBackend>(lab: &Lab, results: &Path, device: &B::Device) -> Result<(), BoxError> {
    let file = results.join("pairs.jsonl");
    let mut figures = Figures::read(&file)?;
    for &seed in &lab.settings.seeds {
        for &pairs in &lab.settings.pairs.counts {
            let of = Sighted {
                languages: Languages::Together,
                pictures: Language::English,
                words: Words::Published,
                seed,
            };
            if !figures.has(&arm(pairs), seed) {
                let model = lab.tuned::<B>(of, pairs, device)?;
                figures.add(measure(lab, model, of, &arm(pairs))?);
                figures.write(&file)?;
            }
        }
    }
    let arms: Vec<_> = lab
        .settings
        .pairs
        .counts
        .iter()
        .map(|&pairs| arm(pairs))
        .collect();
    for split in [TRAINING, HELD_OUT] {
        for quantity in [IN_THE_LANGUAGE, NAMED] {
            let languages = &lab.settings.languages;
            let table = figures.table(&arms, languages, (split, quantity), Mean::percent);
            show(&(table + "\n"))?;
        }
    }
    for (quantity, title) in [
        (IN_THE_LANGUAGE, "Answers in the language of the question"),
        (NAMED, "Pictures named right"),
    ] {
        let pairs = &lab.settings.pairs.counts;
        let curve = |&language: &Language| Series {
            name: language.code().to_owned(),
            means: pairs
                .iter()
                .map(|&pairs| figures.mean(&arm(pairs), language, HELD_OUT, quantity))
                .collect(),
        };
        Curves {
            title: format!("{title}, held-out pictures"),
            x: "translated pairs of each language",
            points: pairs.iter().map(u64::to_string).collect(),
            series: lab.settings.languages.iter().map(curve).collect(),
        }
        .write(&results.join(format!("pairs-{}.svg", quantity.replace(' ', "-"))))?;
    }
    Ok(())
}

fn arm(pairs: u64) -> String {
    format!("{pairs} pairs")
}
