//! Names as a language model translates them: training data without a person who knows the language.

use std::collections::HashMap;

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::{EmojiSet, Language, Tasks};
use train_emoji_chat::{Names, Respondent};
use viscpm_chat::ChatModel;

use crate::{
    figures::{Figure, Subject},
    measure::NAMES,
};

/// What figures of translations are about.
pub const TRANSLATIONS: &str = "translations";

/// The part of the names whose translation is an accepted name.
pub const TRANSLATED_RIGHT: &str = "translated right";

/// The names of all things in one language, each translated from English alone.
pub struct Translations {
    language: Language,
    /// By the English names.
    names: HashMap<String, String>,
    right: usize,
}

impl Translations {
    /// Asks a language model, in the language, what it is that each English name stands for. The
    /// name is where a picture will be, which it reads better than in a question for a
    /// translation. What it leaves empty stays in English.
    ///
    /// # Errors
    /// Those of the model.
    pub fn new<B: MpmBackend>(
        model: &Respondent<B>,
        tasks: &Tasks<'_>,
        language: Language,
    ) -> Result<Self, BoxError> {
        let ChatModel {
            model: parts,
            tokenizer,
            ..
        } = &model.model;
        let slots = parts.picture_slots();
        let embedded = Names::new(tokenizer, tasks, Language::English, slots)?.embed(&parts.llm)?;
        let question = tasks.naming_question(language)?;
        let (mut names, mut right) = (HashMap::new(), 0);
        for (place, class) in tasks.classes().iter().enumerate() {
            let answer = model.ask(embedded.features(place), question)?;
            right += usize::from(class.accepts(&answer, language));
            let english = tasks.name(place, Language::English);
            let name = match answer.trim() {
                "" => english,
                name => name,
            };
            names.insert(english.to_owned(), name.to_owned());
        }
        Ok(Self {
            language,
            names,
            right,
        })
    }

    /// How much of them is right.
    pub fn figure(&self, seed: u64) -> Figure {
        let subject = Subject {
            arm: TRANSLATIONS.to_owned(),
            seed,
            language: self.language,
            split: NAMES.to_owned(),
            quantity: TRANSLATED_RIGHT.to_owned(),
        };
        Figure::new(subject, self.right as f64 / self.names.len() as f64)
    }

    /// The set with these names in the place of the published ones.
    pub fn apply(&self, set: &EmojiSet) -> EmojiSet {
        let mut set = set.clone();
        set.rename(self.language, &self.names);
        set
    }
}
