//! The keywords of a language.

use std::collections::{BTreeMap, BTreeSet};

use mpm_train::evaluate::{
    MetricError,
    keywords::{Keyword, KeywordVocabulary},
};

use crate::{Question, Task};

/// All keywords that any question in a language expects: another one that an answer names is a
/// false alarm.
pub(super) fn vocabulary(
    questions: &[Question],
    language: &str,
) -> Result<KeywordVocabulary, MetricError> {
    let mut keywords: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let asked = questions
        .iter()
        .filter(|question| question.task == Task::Keywords && question.language == language);
    for answer in asked.flat_map(|question| &question.answers) {
        let mut names = Question::names(answer);
        if let Some(name) = names.next() {
            keywords.entry(name).or_default().extend(names);
        }
    }
    let keywords = keywords
        .into_iter()
        .map(|(name, synonyms)| Keyword::new(name, synonyms));
    KeywordVocabulary::new(keywords.collect())
}

/// The keywords that a question expects.
pub(super) fn expected(question: &Question) -> Vec<&str> {
    let answers = question.answers.iter();
    answers
        .filter_map(|answer| Question::names(answer).next())
        .collect()
}
