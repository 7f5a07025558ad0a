//! How well, and in which language, a model names pictures.

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::{Language, Split, Tasks};
use mpm_train::evaluate::{
    is_exact_match,
    language::{KnownAnswers, LanguageShare, NoDetector},
};
use train_emoji_chat::Respondent;
use viscpm_chat::ChatModel;

use crate::{
    figures::{Figure, Subject},
    lab::{Lab, Sighted},
};

/// Pictures that the model was trained with.
pub const TRAINING: &str = "training";

/// Pictures of things that it knows, in styles in which it never saw them.
pub const HELD_OUT: &str = "held-out";

/// Names alone, without pictures.
pub const NAMES: &str = "names";

/// The part of the pictures that are named right.
pub const NAMED: &str = "named";

/// The same, if the model is asked without a picture.
pub const NAMED_BLINDLY: &str = "named blindly";

/// The part of the answers that are a name in the language of the question.
pub const IN_THE_LANGUAGE: &str = "in the language";

/// The parts of the set that are asked about.
const SPLITS: [(Split, &str); 2] = [(Split::Train, TRAINING), (Split::HeldOutPair, HELD_OUT)];

/// Asks a model about pictures in all languages: "What is this?", and the same about an empty
/// ground.
///
/// # Errors
/// Those of the model.
pub fn measure<B: MpmBackend>(
    lab: &Lab,
    model: ChatModel<B>,
    of: Sighted,
    arm: &str,
) -> Result<Vec<Figure>, BoxError> {
    let tasks = Tasks::new(lab.set, &lab.recipe(of).tasks())?;
    let known = known_answers(&tasks, &lab.settings.languages);
    let respondent = Respondent { model };
    let mut figures = Vec::new();
    for (split, name) in SPLITS {
        let every = match split {
            Split::Train => lab.settings.every,
            _ => 1,
        };
        for &language in &lab.settings.languages {
            let subject = |quantity: &str| Subject {
                arm: arm.to_owned(),
                seed: of.seed,
                language,
                split: name.to_owned(),
                quantity: quantity.to_owned(),
            };
            let questions = tasks.naming_questions(split, language)?;
            let Some(first) = questions.first() else {
                continue;
            };
            let blind = respondent.ask_blindly(lab.set, &first.question)?;
            let (mut right, mut right_blindly, mut asked) = (0, 0, 0);
            let mut share = LanguageShare::new(language.code());
            for question in questions.iter().step_by(every) {
                let features = respondent.encode(&lab.set.compose(&question.picture)?)?;
                let answer = respondent.ask(features, &question.question)?;
                let accepted = || question.accepted.iter().map(String::as_str);
                right += usize::from(is_exact_match(&answer, accepted()));
                right_blindly += usize::from(is_exact_match(&blind, accepted()));
                share.add(&answer, &known, &NoDetector);
                asked += 1;
            }
            let part = |count: usize| count as f64 / asked as f64;
            figures.push(Figure::new(subject(NAMED), part(right)));
            figures.push(Figure::new(subject(NAMED_BLINDLY), part(right_blindly)));
            if let Some(share) = share.share() {
                figures.push(Figure::new(subject(IN_THE_LANGUAGE), share));
            }
        }
    }
    Ok(figures)
}

/// The names of all things, by language.
fn known_answers(tasks: &Tasks<'_>, languages: &[Language]) -> KnownAnswers {
    let mut known = KnownAnswers::default();
    for &language in languages {
        let accepted = tasks
            .classes()
            .iter()
            .flat_map(|class| class.accepted(language));
        known.add(language.code(), accepted.map(String::as_str));
    }
    known
}
