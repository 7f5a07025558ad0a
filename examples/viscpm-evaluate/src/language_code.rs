//! Codes of languages.

use isolang::Language;

use crate::LineError;

/// The language of a line that names none.
pub(crate) fn english() -> String {
    "en".to_owned()
}

/// Refuses what is no code of ISO 639-1: a mistyped one would get a row of its own.
pub(crate) fn check(code: &str) -> Result<(), LineError> {
    match Language::from_639_1(code) {
        Some(_) => Ok(()),
        None => Err(LineError::UnknownLanguage {
            code: code.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn two_small_letters_are_a_language() {
        for code in ["en", "de", "zh", "sw", "ar", "ja"] {
            assert!(check(code).is_ok(), "{code}");
        }
        for code in ["", "xx", "EN", "deu", "zh-CN", "german"] {
            assert!(check(code).is_err(), "{code}");
        }
    }
}
