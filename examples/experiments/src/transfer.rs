//! Experiment 1: visual pretraining in English, beside pretraining in each language, with names from
//! people and with translated ones.

use std::path::Path;

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::Language;
use viscpm_common::cli::show;

use crate::{
    figures::{Figures, Mean, codes},
    lab::{Lab, Languages, Sighted, Words},
    measure::{DESCRIBED, HELD_OUT, NAMED, NAMED_BLINDLY, NAMES, TRAINING, measure},
    plot::{Bars, Series},
    translate::{TRANSLATED_RIGHT, TRANSLATIONS},
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
    let arms = arms(&lab.settings.languages);
    for &seed in &lab.settings.seeds {
        for &(pictures, words) in &arms {
            let of = Sighted {
                languages: Languages::Together,
                pictures,
                words,
                seed,
            };
            let arm = name(pictures, words);
            if figures.has(&arm, seed) {
                continue;
            }
            let model = lab.pretrained::<B>(of, device)?;
            figures.add(measure(lab, model, of, &arm)?);
            if words == Words::Translated {
                let translations = lab.translations::<B>(of, device)?;
                figures.add([translations.figure(seed)]);
            }
            figures.write(&file)?;
        }
    }
    show(&tables(&figures, lab, &arms))?;
    plot(lab, &figures, results)
}

/// English, then all others with names from people, then with translated ones.
fn arms(languages: &[Language]) -> Vec<(Language, Words)> {
    let published = languages.iter().map(|&of| (of, Words::Published));
    let targets = languages.iter().filter(|&&of| of != Language::English);
    let translated = targets.map(|&of| (of, Words::Translated));
    published.chain(translated).collect()
}

fn name(pictures: Language, words: Words) -> String {
    match (pictures, words) {
        (Language::English, _) => ZERO_SHOT.to_owned(),
        (other, Words::Published) => format!("native {other}"),
        (other, Words::Translated) => format!("translated {other}"),
    }
}

fn tables(figures: &Figures, lab: &Lab, arms: &[(Language, Words)]) -> String {
    let languages = &lab.settings.languages;
    let names: Vec<_> = arms.iter().map(|&(of, words)| name(of, words)).collect();
    let table =
        |arms: &[String], languages, of| figures.table(arms, languages, of, Mean::percent) + "\n";
    let zero_shot = [ZERO_SHOT.to_owned()];
    let mut text = String::new();
    for split in SPLITS {
        text += &table(&names, languages, (split, NAMED));
        text += &table(&zero_shot, languages, (split, NAMED_BLINDLY));
    }
    text += &table(&names, languages, (HELD_OUT, DESCRIBED));
    let translations = [TRANSLATIONS.to_owned()];
    let right = (NAMES, TRANSLATED_RIGHT);
    text + &table(&translations, lab.settings.targets(), right)
}

fn plot(lab: &Lab, figures: &Figures, results: &Path) -> Result<(), BoxError> {
    let languages = &lab.settings.languages;
    for split in SPLITS {
        let series = |label: &str, arm: &dyn Fn(Language) -> String, quantity| Series {
            name: label.to_owned(),
            means: languages
                .iter()
                .map(|&language| figures.mean(&arm(language), language, split, quantity))
                .collect(),
        };
        let zero_shot = |_| ZERO_SHOT.to_owned();
        let published = |language| name(language, Words::Published);
        let translated = |language| name(language, Words::Translated);
        Bars {
            title: format!("Pictures named right, {split} pictures"),
            groups: codes(languages),
            series: vec![
                series("trained with English", &zero_shot, NAMED),
                series("trained with the language itself", &published, NAMED),
                series("trained with translated names", &translated, NAMED),
                series("without a picture", &zero_shot, NAMED_BLINDLY),
            ],
        }
        .write(&results.join(format!("transfer-{split}.svg")))?;
    }
    Ok(())
}
