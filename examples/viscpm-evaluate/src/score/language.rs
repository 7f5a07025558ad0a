//! In which language answers are.

use std::collections::BTreeSet;

use mpm_train::evaluate::language::{KnownAnswers, LanguageDetector, NoDetector};

use crate::Question;

/// What tells the language of an answer.
pub(super) struct Judge {
    known: KnownAnswers,
    detector: Box<dyn LanguageDetector>,
    /// What the detector knows.
    detected: BTreeSet<String>,
}

impl Judge {
    /// Knows the right answers of all questions.
    pub fn new(questions: &[Question]) -> Self {
        let mut known = KnownAnswers::default();
        let mut languages = BTreeSet::new();
        for question in questions {
            known.add(&question.language, question.right_texts());
            languages.insert(question.language.as_str());
        }
        let detected = detectable(&languages);
        Self {
            known,
            detector: detector(&detected),
            detected,
        }
    }

    /// The right answers of each language.
    pub fn known(&self) -> &KnownAnswers {
        &self.known
    }

    /// What guesses where these do not say it: nothing for answers in a language that it does not
    /// know, which it would take for another.
    pub fn detector(&self, language: &str) -> &dyn LanguageDetector {
        match self.detected.contains(language) {
            true => &*self.detector,
            false => &NoDetector,
        }
    }
}

#[cfg(feature = "lingua")]
fn detectable(languages: &BTreeSet<&str>) -> BTreeSet<String> {
    use mpm_train::evaluate::language::LinguaDetector;

    // It tells of a language that it does not know; any second one makes the smallest detector.
    let knows = |code: &&&str| {
        let other = if **code == "en" { "de" } else { "en" };
        LinguaDetector::new(&[code, other]).is_ok()
    };
    let known = languages.iter().filter(knows);
    known.map(|code| (*code).to_owned()).collect()
}

#[cfg(not(feature = "lingua"))]
fn detectable(_: &BTreeSet<&str>) -> BTreeSet<String> {
    BTreeSet::new()
}

/// One that chooses between languages, if there are several.
#[cfg(feature = "lingua")]
fn detector(languages: &BTreeSet<String>) -> Box<dyn LanguageDetector> {
    use mpm_train::evaluate::language::LinguaDetector;

    let codes: Vec<&str> = languages.iter().map(String::as_str).collect();
    match LinguaDetector::new(&codes) {
        Ok(detector) => Box::new(detector),
        // Of one language it would say that all texts are in it.
        Err(_) => Box::new(NoDetector),
    }
}

#[cfg(not(feature = "lingua"))]
fn detector(_: &BTreeSet<String>) -> Box<dyn LanguageDetector> {
    Box::new(NoDetector)
}
