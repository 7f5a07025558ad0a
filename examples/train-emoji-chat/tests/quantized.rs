//! What the shipped chat model loses when its weights are quantized.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use burn::backend::Flex;
use emoji_training::full_precision;
use mpm_core::{quantization::QuantizationScheme, weights::LoadOptions};
use mpm_data::emoji::{EmojiSet, NamingQuestion, Split, Tasks};
use mpm_train::Workers;
use train_emoji_chat::{Recipe, Respondent};
use viscpm_chat::ChatModel;

/// Every n-th training picture is asked about, in all languages.
const EVERY: usize = 60;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// How many of the questions are answered right.
fn right(
    set: &EmojiSet,
    questions: &[NamingQuestion],
    quantization: Option<QuantizationScheme>,
) -> usize {
    let options = LoadOptions {
        quantization,
        ..full_precision()
    };
    let folder = root("models/viscpm-chat-emoji");
    let model = ChatModel::<Flex>::open(folder, &Default::default(), &options).unwrap();
    let respondent = Respondent { model };
    let answers = Workers::for_each_core()
        .unwrap()
        .map(questions, |question| {
            let picture = set.compose(&question.picture).unwrap();
            let features = respondent.encode(&picture).unwrap();
            let answer = respondent.ask(features, &question.question).unwrap();
            question.accepted.contains(&answer)
        });
    answers.into_iter().filter(|right| *right).count()
}

#[test]
fn few_answers_become_wrong() {
    let set = EmojiSet::open(root("examples/build-emoji-set/emoji.tar.zst")).unwrap();
    let recipe = Recipe::read(None).unwrap();
    let tasks = Tasks::new(&set, &recipe.tasks()).unwrap();
    let languages = tasks.question_languages().iter();
    let questions: Vec<_> = languages
        .flat_map(|language| tasks.naming_questions(Split::Train, *language).unwrap())
        .step_by(EVERY)
        .collect();

    let full = right(&set, &questions, None);
    assert!(
        full * 10 > questions.len() * 9,
        "{full} of {}",
        questions.len()
    );
    // one percent of all answers, and three
    for (scheme, percent) in [(QuantizationScheme::INT8, 1), (QuantizationScheme::INT4, 3)] {
        let quantized = right(&set, &questions, Some(scheme));
        assert!(
            quantized + questions.len() * percent / 100 >= full,
            "{scheme}: {quantized} of {}, and {full} in full",
            questions.len()
        );
    }
}
