//! The share of answers in a wanted language.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::KnownAnswers;

/// Something that guesses the language of a text.
pub trait LanguageDetector {
    /// The code of the language (ISO 639-1), or `None` where it cannot tell.
    fn detect(&self, text: &str) -> Option<String>;
}

/// Never guesses: then the known answers alone decide.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDetector;

impl LanguageDetector for NoDetector {
    fn detect(&self, _text: &str) -> Option<String> {
        None
    }
}

/// What told the language of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecidedBy {
    /// It is one of the known answers.
    KnownAnswers,
    /// The detector guessed.
    Detector,
    /// Neither could tell.
    Nothing,
}

/// How many answers are in the wanted language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageShare {
    /// Code of the wanted language.
    pub wanted: String,
    /// Answers by their language, the wanted one among them.
    pub languages: BTreeMap<String, usize>,
    /// Answers whose language was among the known ones.
    pub known: usize,
    /// Answers whose language was guessed.
    pub detected: usize,
    /// Answers whose language nothing could tell; they count as not in the wanted one.
    pub undecided: usize,
}

impl LanguageShare {
    /// No answers so far.
    pub fn new(wanted: impl Into<String>) -> Self {
        Self {
            wanted: wanted.into(),
            languages: BTreeMap::new(),
            known: 0,
            detected: 0,
            undecided: 0,
        }
    }

    /// Adds an answer; returns whether it is in the wanted language, and what told so.
    pub fn add(
        &mut self,
        answer: &str,
        known: &KnownAnswers,
        detector: &dyn LanguageDetector,
    ) -> (bool, DecidedBy) {
        let known = known.language(answer, &self.wanted).map(str::to_owned);
        let (language, decided) = match known {
            Some(language) => (Some(language), DecidedBy::KnownAnswers),
            None => match detector.detect(answer) {
                Some(language) => (Some(language), DecidedBy::Detector),
                None => (None, DecidedBy::Nothing),
            },
        };
        *match decided {
            DecidedBy::KnownAnswers => &mut self.known,
            DecidedBy::Detector => &mut self.detected,
            DecidedBy::Nothing => &mut self.undecided,
        } += 1;
        let wanted = language.as_ref() == Some(&self.wanted);
        if let Some(language) = language {
            *self.languages.entry(language).or_default() += 1;
        }
        (wanted, decided)
    }

    /// Number of answers.
    pub fn answers(&self) -> usize {
        self.known + self.detected + self.undecided
    }

    /// Part of the answers in the wanted language, `0.0..=1.0`; `None` before the first answer.
    pub fn share(&self) -> Option<f64> {
        let wanted = self
            .languages
            .get(&self.wanted)
            .copied()
            .unwrap_or_default();
        (self.answers() > 0).then(|| wanted as f64 / self.answers() as f64)
    }
}

impl fmt::Display for LanguageShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.share().unwrap_or_default();
        let (wanted, answers) = (&self.wanted, self.answers());
        write!(f, "{percent:.1} % of {answers} answers in `{wanted}`")?;
        for (language, count) in self.languages.iter().filter(|(code, _)| *code != wanted) {
            write!(f, ", {count} in `{language}`")?;
        }
        match self.undecided {
            0 => Ok(()),
            undecided => write!(f, ", {undecided} undecided"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes ASCII for English.
    struct Ascii;

    impl LanguageDetector for Ascii {
        fn detect(&self, text: &str) -> Option<String> {
            (!text.is_empty() && text.is_ascii()).then(|| "en".to_owned())
        }
    }

    #[test]
    fn known_answers_decide_first() {
        let mut known = KnownAnswers::default();
        known.add("de", ["Erdbeere", "Hotel", ""]);
        known.add("en", ["strawberry", "hotel"]);
        let mut share = LanguageShare::new("de");
        assert_eq!(share.share(), None);
        assert_eq!(
            share.add("erdbeere.", &known, &Ascii),
            (true, DecidedBy::KnownAnswers)
        );
        assert_eq!(
            share.add("hotel", &known, &Ascii),
            (true, DecidedBy::KnownAnswers)
        );
        assert_eq!(
            share.add("strawberry", &known, &Ascii),
            (false, DecidedBy::KnownAnswers)
        );
        assert_eq!(
            share.add("a berry", &known, &Ascii),
            (false, DecidedBy::Detector)
        );
        assert_eq!(
            share.add("", &known, &NoDetector),
            (false, DecidedBy::Nothing)
        );
        assert_eq!(share.share(), Some(0.4));
        assert_eq!((share.known, share.detected, share.undecided), (3, 1, 1));
        let text = "40.0 % of 5 answers in `de`, 2 in `en`, 1 undecided";
        assert_eq!(share.to_string(), text);
    }
}
