//! Exact-match accuracy of answers, by split and language.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Marks that may end an answer without changing it. Full-width forms are mapped
/// to these first.
const FINAL_PUNCTUATION: [char; 8] = ['.', '!', '?', ',', ';', ':', '~', '…'];

/// The form in which two answers are compared: full-width forms and Chinese
/// punctuation as ASCII, lower case, single spaces, no surrounding space and no
/// final punctuation.
pub fn normalize_answer(answer: &str) -> String {
    let folded: String = answer.chars().map(fold_width).collect();
    let lower = folded.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    words
        .join(" ")
        .trim_end_matches(|mark: char| FINAL_PUNCTUATION.contains(&mark) || mark == ' ')
        .to_owned()
}

/// Maps full-width ASCII (U+FF01 to U+FF5E) and the Chinese full stop, comma and
/// space to ASCII.
fn fold_width(character: char) -> char {
    match character {
        '\u{3000}' => ' ',
        '。' | '｡' => '.',
        '、' | '､' => ',',
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(character as u32 - 0xff01 + 0x21).unwrap_or(character)
        }
        _ => character,
    }
}

/// Whether an answer equals one of the accepted ones after
/// [normalisation](normalize_answer). An empty answer never does.
pub fn is_exact_match<'a>(answer: &str, accepted: impl IntoIterator<Item = &'a str>) -> bool {
    let answer = normalize_answer(answer);
    !answer.is_empty()
        && accepted
            .into_iter()
            .any(|accepted| normalize_answer(accepted) == answer)
}

/// Right answers among all answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Number of right answers.
    pub right: usize,
    /// Number of answers.
    pub total: usize,
}

impl Tally {
    /// Counts one answer.
    pub fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.total += 1;
    }

    /// Part of right answers, `0.0..=1.0`; `None` before the first answer.
    pub fn accuracy(&self) -> Option<f64> {
        (self.total > 0).then(|| self.right as f64 / self.total as f64)
    }
}

/// One row of an [`ExactMatch`] table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactMatchRow {
    /// Name of the split, e.g. `held-out`.
    pub split: String,
    /// Language code, e.g. `zh`.
    pub language: String,
    /// The answers counted.
    pub tally: Tally,
}

/// Exact-match counters by split and language; its [`Display`](fmt::Display) is a
/// table for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExactMatch {
    tallies: BTreeMap<(String, String), Tally>,
}

impl ExactMatch {
    /// Compares an answer with the accepted ones and counts it; returns whether it
    /// is right.
    pub fn add<'a>(
        &mut self,
        split: &str,
        language: &str,
        answer: &str,
        accepted: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        let right = is_exact_match(answer, accepted);
        let key = (split.to_owned(), language.to_owned());
        self.tallies.entry(key).or_default().add(right);
        right
    }

    /// The counter of a split and language, zero where nothing was counted.
    pub fn tally(&self, split: &str, language: &str) -> Tally {
        let key = (split.to_owned(), language.to_owned());
        self.tallies.get(&key).copied().unwrap_or_default()
    }

    /// All counters, ordered by split, then language.
    pub fn rows(&self) -> Vec<ExactMatchRow> {
        self.tallies
            .iter()
            .map(|((split, language), &tally)| ExactMatchRow {
                split: split.clone(),
                language: language.clone(),
                tally,
            })
            .collect()
    }
}

impl fmt::Display for ExactMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let splits = self.tallies.keys().map(|(split, _)| split.chars().count());
        let width = splits.max().unwrap_or(0).max("split".len());
        writeln!(
            f,
            "{:<width$} {:<8} {:>13} {:>8}",
            "split", "language", "right/total", "exact"
        )?;
        for ((split, language), tally) in &self.tallies {
            let counts = format!("{}/{}", tally.right, tally.total);
            let percent = 100.0 * tally.accuracy().unwrap_or_default();
            writeln!(
                f,
                "{split:<width$} {language:<8} {counts:>13} {percent:>7.1}%"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_space_and_final_punctuation_do_not_count() {
        assert!(is_exact_match("  A  Red\tapple. ", ["a red apple"]));
        assert!(is_exact_match("红苹果。", ["红苹果"]));
        assert!(is_exact_match("ＣＡＴ！", ["cat"]));
        assert!(is_exact_match("猫　", ["dog", "猫"]));
        assert!(is_exact_match("…well ...", ["…well"]));
    }

    #[test]
    fn other_differences_do_count() {
        assert!(!is_exact_match("red apples", ["red apple"]));
        assert!(!is_exact_match("st. bernard", ["st bernard"]));
        assert!(!is_exact_match("", [""]));
        assert!(!is_exact_match("。", ["."]));
        assert!(!is_exact_match("cat", []));
    }

    #[test]
    fn tallies_are_kept_by_split_and_language() {
        let mut exact = ExactMatch::default();
        assert!(exact.add("train", "en", "Cat.", ["cat"]));
        assert!(!exact.add("train", "en", "dog", ["cat"]));
        assert!(exact.add("held-out", "zh", "猫", ["猫"]));
        assert_eq!(exact.tally("train", "en"), Tally { right: 1, total: 2 });
        assert_eq!(exact.tally("train", "en").accuracy(), Some(0.5));
        assert_eq!(exact.tally("train", "zh").accuracy(), None);
        let splits: Vec<_> = exact.rows().into_iter().map(|row| row.split).collect();
        assert_eq!(splits, ["held-out", "train"]);
        assert!(exact.to_string().contains("1/2    50.0%"));
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(answer in "\\PC{0,40}") {
            let once = normalize_answer(&answer);
            prop_assert_eq!(normalize_answer(&once), once);
        }
    }
}
