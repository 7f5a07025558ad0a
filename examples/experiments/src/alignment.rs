//! Experiment 3: transfer with a language model whose languages never met.

use std::path::Path;

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::{Language, Tasks};
use mpm_llm::template::TextTemplate;
use mpm_train::alignment::{LlmSentences, Pooling, measure_alignment};
use viscpm_chat::ChatModel;
use viscpm_common::cli::show;

use crate::{
    figures::{Figure, Figures, Mean, Subject},
    lab::{Lab, Languages, Sighted, Words},
    measure::{HELD_OUT, NAMED, NAMES, TRAINING, measure},
    plot::{Scatter, ScatterSeries},
    settings::Settings,
};

/// Names that are read at a time.
const BATCH: std::num::NonZeroUsize = std::num::NonZeroUsize::new(32).unwrap();

/// The part of names whose nearest neighbour in the other language is their translation.
const ALIGNED: &str = "aligned";

/// Trains and measures what has no figures yet, and plots all.
///
/// # Errors
/// Those of training and of files.
pub fn run<B: MpmBackend>(lab: &Lab, results: &Path, device: &B::Device) -> Result<(), BoxError> {
    let file = results.join("alignment.jsonl");
    let mut figures = Figures::read(&file)?;
    for &seed in &lab.settings.seeds {
        for languages in [Languages::Together, Languages::Apart] {
            let of = Sighted {
                languages,
                pictures: Language::English,
                words: Words::Published,
                seed,
            };
            if !figures.has(languages.name(), seed) {
                let model = lab.pretrained::<B>(of, device)?;
                figures.add(aligned(lab, &model, of)?);
                figures.add(measure(lab, model, of, languages.name())?);
                figures.write(&file)?;
            }
        }
    }
    let arms = [Languages::Together, Languages::Apart].map(|arm| arm.name().to_owned());
    let Settings { languages, .. } = &lab.settings;
    for of in [(NAMES, ALIGNED), (TRAINING, NAMED), (HELD_OUT, NAMED)] {
        show(&(figures.table(&arms, languages, of, Mean::percent) + "\n"))?;
    }
    plot(lab, &figures, results)
}

/// How near the states of names are to those of the English names, behind the name in a question:
/// where an answer begins.
fn aligned<B: MpmBackend>(
    lab: &Lab,
    model: &ChatModel<B>,
    of: Sighted,
) -> Result<Vec<Figure>, BoxError> {
    let tasks = Tasks::new(lab.set, &lab.recipe(of).tasks())?;
    let template = TextTemplate::parts(&[
        ("image", "{text}"),
        ("context", ""),
        ("question", "What is this?"),
        ("<ans>", ""),
    ]);
    let (llm, tokenizer) = (&model.model.llm, &model.tokenizer);
    let sentences = LlmSentences::new(llm, tokenizer, &template, Pooling::Behind, BATCH)?;
    let rows: Vec<_> = (0..tasks.classes().len())
        .map(|class| {
            let languages = lab.settings.languages.iter();
            languages
                .map(|&language| {
                    (
                        language.code().to_owned(),
                        tasks.name(class, language).to_owned(),
                    )
                })
                .collect()
        })
        .collect();
    let mut figures = Vec::new();
    for &language in lab.settings.targets() {
        let pair = [Language::English.code(), language.code()];
        let report = measure_alignment(&sentences, &rows, &pair)?;
        let last = report.pairs.first().and_then(|pair| pair.layers.last());
        if let Some(layer) = last {
            let subject = Subject {
                arm: of.languages.name().to_owned(),
                seed: of.seed,
                language,
                split: NAMES.to_owned(),
                quantity: ALIGNED.to_owned(),
            };
            figures.push(Figure::new(subject, layer.centred.forward_accuracy));
        }
    }
    Ok(figures)
}

fn plot(lab: &Lab, figures: &Figures, results: &Path) -> Result<(), BoxError> {
    let point = |languages: Languages, seed, language, split: &str, quantity: &str| {
        figures.value(&Subject {
            arm: languages.name().to_owned(),
            seed,
            language,
            split: split.to_owned(),
            quantity: quantity.to_owned(),
        })
    };
    let series = |languages: Languages, name: &str| ScatterSeries {
        name: name.to_owned(),
        points: figures
            .seeds()
            .into_iter()
            .flat_map(|seed| {
                let targets = lab.settings.targets().iter();
                targets.map(move |&target| (seed, target))
            })
            .filter_map(|(seed, language)| {
                let aligned = point(languages, seed, language, NAMES, ALIGNED)?;
                let named = point(languages, seed, language, TRAINING, NAMED)?;
                Some((aligned, named))
            })
            .collect(),
    };
    Scatter {
        title: "Transfer and alignment, a point for each language and seed".to_owned(),
        x: "names found among those of English by their states",
        y: "training pictures named right",
        series: vec![
            series(Languages::Together, "languages met in training"),
            series(Languages::Apart, "languages kept apart"),
        ],
    }
    .write(&results.join("alignment.svg"))
}
