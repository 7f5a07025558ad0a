//! Guesses by the crate lingua.

use std::fmt;

use lingua::{Language, LanguageDetectorBuilder};

use super::LanguageDetector;
use crate::evaluate::MetricError;

/// The languages whose models are compiled in.
const LANGUAGES: [Language; 10] = [
    Language::Arabic,
    Language::Chinese,
    Language::English,
    Language::French,
    Language::German,
    Language::Italian,
    Language::Japanese,
    Language::Portuguese,
    Language::Spanish,
    Language::Swahili,
];

/// Guesses a language from the letters of a text and their neighbours.
///
/// Sentences are told apart well, single words are not. Among all ten languages, of the names of
/// emoji in each of them (`tests/metrics/detector.py`), lingua 1.8 guesses right
///
/// | | ar | zh | ja | de | fr | it | es | pt | en |
/// |---|---|---|---|---|---|---|---|---|---|
/// | of one word | 100 % | 100 % | 74 % | 77 % | 64 % | 64 % | 57 % | 57 % | 55 % |
/// | of several | 100 % | | | 97 % | 95 % | 92 % | 88 % | 89 % | 89 % |
///
/// (the Japanese words that fail have no kana; there is no list in Swahili). A share of one-word
/// answers in a Latin script that only the detector decided is therefore no measurement: give it
/// [`KnownAnswers`](super::KnownAnswers), or only the two or three languages that can occur.
pub struct LinguaDetector {
    detector: lingua::LanguageDetector,
}

impl LinguaDetector {
    /// A detector that chooses between languages, given by their codes: `ar`, `de`, `en`, `es`,
    /// `fr`, `it`, `ja`, `pt`, `sw`, `zh`. The fewer, the better it guesses.
    ///
    /// # Errors
    /// [`MetricError::UnknownLanguage`], [`MetricError::FewLanguages`].
    pub fn new(codes: &[&str]) -> Result<Self, MetricError> {
        let mut languages = Vec::new();
        for code in codes {
            let found = LANGUAGES.into_iter().find(|one| self::code(*one) == *code);
            let language = found.ok_or_else(|| MetricError::UnknownLanguage {
                code: (*code).to_owned(),
                known: LANGUAGES.map(self::code).join(", "),
            })?;
            if !languages.contains(&language) {
                languages.push(language);
            }
        }
        // The builder would panic.
        if languages.len() < 2 {
            let found = languages.len();
            return Err(MetricError::FewLanguages { found });
        }
        Ok(Self {
            detector: LanguageDetectorBuilder::from_languages(&languages).build(),
        })
    }
}

fn code(language: Language) -> String {
    language.iso_code_639_1().to_string()
}

impl LanguageDetector for LinguaDetector {
    fn detect(&self, text: &str) -> Option<String> {
        self.detector.detect_language_of(text).map(code)
    }
}

impl fmt::Debug for LinguaDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinguaDetector").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_told_apart() {
        let detector = LinguaDetector::new(&LANGUAGES.map(code).each_ref().map(String::as_str));
        let detector = detector.unwrap();
        let sentences = [
            ("ar", "هناك قطة سوداء على الأريكة"),
            ("de", "Auf dem Sofa liegt eine schwarze Katze"),
            ("en", "There is a black cat lying on the sofa"),
            ("es", "Hay un gato negro acostado en el sofá"),
            ("fr", "Il y a un chat noir couché sur le canapé"),
            ("it", "C'è un gatto nero sdraiato sul divano"),
            ("ja", "ソファの上に黒い猫がいます"),
            ("pt", "Há um gato preto deitado no sofá"),
            ("sw", "Kuna paka mweusi amelala kwenye kochi"),
            ("zh", "沙发上躺着一只黑猫"),
        ];
        for (code, sentence) in sentences {
            assert_eq!(
                detector.detect(sentence).as_deref(),
                Some(code),
                "{sentence}"
            );
        }
        for text in ["", "3", "?!", "🍓"] {
            assert_eq!(detector.detect(text), None, "{text}");
        }
    }

    #[test]
    fn a_detector_needs_two_languages_that_it_knows() {
        let error = LinguaDetector::new(&["de", "xx"]).unwrap_err();
        assert!(
            error.to_string().contains("`xx`; it knows ar, zh, en"),
            "{error}"
        );
        let error = LinguaDetector::new(&["de", "de"]).unwrap_err();
        assert_eq!(error, MetricError::FewLanguages { found: 1 });
    }
}
