//! Answers whose language is known.

use std::collections::{BTreeMap, HashSet};

use crate::evaluate::normalize_answer;

/// The answers that are right in each language, such as the names of all classes. They are compared
/// after [`normalize_answer`], so case and final punctuation do not count.
#[derive(Debug, Clone, Default)]
pub struct KnownAnswers {
    languages: BTreeMap<String, HashSet<String>>,
}

impl KnownAnswers {
    /// Adds answers of a language.
    pub fn add<'a>(&mut self, language: &str, answers: impl IntoIterator<Item = &'a str>) {
        let known = self.languages.entry(language.to_owned()).or_default();
        let answers = answers.into_iter().map(normalize_answer);
        known.extend(answers.filter(|answer| !answer.is_empty()));
    }

    /// The language of an answer: the wanted one if it is an answer there, else the first of those
    /// that have it, by their codes.
    pub fn language(&self, answer: &str, wanted: &str) -> Option<&str> {
        let answer = normalize_answer(answer);
        let has = |(_, known): &(&String, &HashSet<String>)| known.contains(&answer);
        let mut having = self
            .languages
            .iter()
            .filter(has)
            .map(|(code, _)| code.as_str());
        having
            .clone()
            .find(|code| *code == wanted)
            .or_else(|| having.next())
    }
}
