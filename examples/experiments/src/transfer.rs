//! Experiment 1: visual pretraining in English, beside pretraining in each language.

use std::path::Path;

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::Language;
use viscpm_common::cli::show;

use crate::{
    figures::Figures,
    lab::{Lab, Languages, Sighted},
    measure::{HELD_OUT, NAMED, NAMED_BLINDLY, TRAINING, measure},
    plot::{Bars, Series},
};

const SPLITS: [&str; 2] = [TRAINING, HELD_OUT];

/// The arm that has seen English names and captions only.
const ZERO_SHOT: &str = "zero-shot";

/// Trains and measures what has no figures yet, and plots all.
///
/// # Errors
/// Those of training and of files.
pub fn run<B: MpmBackend>(lab: &Lab, results: &Path, device: &B::Device) -> Result<(), BoxError> {
    let file = results.join("transfer.jsonl");
    let mut figures = Figures::read(&file)?;
    for &seed in &lab.settings.seeds {
        for &pictures in &lab.settings.languages {
            let of = Sighted {
                languages: Languages::Together,
                pictures,
                seed,
            };
            let arm = arm(pictures);
            if !figures.has(&arm, seed) {
                let model = lab.pretrained::<B>(of, device)?;
                figures.add(measure(lab, model, of, &arm)?);
                figures.write(&file)?;
            }
        }
    }
    let languages = &lab.settings.languages;
    let arms: Vec<_> = languages.iter().map(|&language| arm(language)).collect();
    for split in SPLITS {
        for quantity in [NAMED, NAMED_BLINDLY] {
            show(&(figures.table(&arms, languages, split, quantity) + "\n"))?;
        }
    }
    plot(lab, &figures, results)
}

fn arm(pictures: Language) -> String {
    match pictures {
        Language::English => ZERO_SHOT.to_owned(),
        other => format!("native {other}"),
    }
}

fn plot(lab: &Lab, figures: &Figures, results: &Path) -> Result<(), BoxError> {
    let languages = &lab.settings.languages;
    for split in SPLITS {
        let series = |name: &str, arm: &dyn Fn(Language) -> String, quantity| Series {
            name: name.to_owned(),
            means: languages
                .iter()
                .map(|&language| figures.mean(&arm(language), language, split, quantity))
                .collect(),
        };
        let zero_shot = |_| ZERO_SHOT.to_owned();
        Bars {
            title: format!("Pictures named right, {split} pictures"),
            groups: languages
                .iter()
                .map(|language| language.code().to_owned())
                .collect(),
            series: vec![
                series("trained with English", &zero_shot, NAMED),
                series("trained with the language itself", &arm, NAMED),
                series("without a picture", &zero_shot, NAMED_BLINDLY),
            ],
        }
        .write(&results.join(format!("transfer-{split}.svg")))?;
    }
    Ok(())
}
