//! Figures of the experiments, kept as JSON lines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use emoji_training::BoxError;
use mpm_core::atomic;
use mpm_data::emoji::Language;
use serde::{Deserialize, Serialize};

/// What a figure is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Which model, such as `zero-shot`.
    pub arm: String,
    /// The seed of the model.
    pub seed: u64,
    /// The language of the questions.
    pub language: Language,
    /// The part of the set.
    pub split: String,
    /// What is measured.
    pub quantity: String,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What it is about.
    pub subject: Subject,
    /// Mostly a share, 0 to 1.
    pub value: f64,
}

impl Figure {
    /// A figure about a subject.
    pub fn new(subject: Subject, value: f64) -> Self {
        Self { subject, value }
    }
}

/// All figures of an experiment.
#[derive(Clone, Debug, Default)]
pub struct Figures(BTreeMap<Subject, f64>);

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its standard error, which a single seed does not have.
    pub error: Option<f64>,
}

impl Mean {
    /// As it is, with its error.
    pub fn plain(self) -> String {
        let error = self.error.map(|error| format!(" ± {error:.1}"));
        format!("{:.1}{}", self.value, error.unwrap_or_default())
    }

    /// A share in percent, with its error.
    pub fn percent(self) -> String {
        let percent = Self {
            value: 100.0 * self.value,
            error: self.error.map(|error| 100.0 * error),
        };
        percent.plain()
    }
}

impl Figures {
    /// Reads a file, if it is there.
    ///
    /// # Errors
    /// When it cannot be read, or is not one of figures.
    pub fn read(file: &Path) -> Result<Self, BoxError> {
        let mut figures = Self::default();
        if !file.exists() {
            return Ok(figures);
        }
        for line in fs::read_to_string(file)?.lines() {
            let figure: Figure = serde_json::from_str(line)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            figures.add([figure]);
        }
        Ok(figures)
    }

    /// Adds figures; one about the same subject is replaced.
    pub fn add(&mut self, figures: impl IntoIterator<Item = Figure>) {
        let figures = figures.into_iter();
        self.0
            .extend(figures.map(|figure| (figure.subject, figure.value)));
    }

    /// Whether there are figures of a model.
    pub fn has(&self, arm: &str, seed: u64) -> bool {
        let mut subjects = self.0.keys();
        subjects.any(|subject| (subject.arm.as_str(), subject.seed) == (arm, seed))
    }

    /// The seeds that there are figures of, also those that the settings no longer name.
    pub fn seeds(&self) -> BTreeSet<u64> {
        self.0.keys().map(|subject| subject.seed).collect()
    }

    /// The arms that there are figures of, in the order of their names.
    pub fn arms(&self) -> BTreeSet<&str> {
        self.0.keys().map(|subject| subject.arm.as_str()).collect()
    }

    /// Writes all figures.
    ///
    /// # Errors
    /// When the file cannot be written; an older one stays then.
    pub fn write(&self, file: &Path) -> Result<(), BoxError> {
        let mut text = String::new();
        for (subject, &value) in &self.0 {
            let figure = Figure::new(subject.clone(), value);
            text.push_str(&serde_json::to_string(&figure)?);
            text.push('\n');
        }
        Ok(atomic::write_bytes(file, text.as_bytes())?)
    }

    /// The mean over all seeds; `None` without a figure.
    pub fn mean(&self, arm: &str, language: Language, split: &str, quantity: &str) -> Option<Mean> {
        let values = self.0.iter().filter(|(subject, _)| {
            subject.arm == arm
                && subject.language == language
                && subject.split == split
                && subject.quantity == quantity
        });
        let values: Vec<f64> = values.map(|(_, &value)| value).collect();
        mean(&values)
    }

    /// A table in Markdown: a row for each arm, a column for each language, means as `show` writes
    /// them.
    pub fn table(
        &self,
        arms: &[String],
        languages: &[Language],
        (split, quantity): (&str, &str),
        show: impl Fn(Mean) -> String,
    ) -> String {
        let codes = codes(languages).join(" | ");
        let mut text = format!("{quantity}, {split}\n\n| | {codes} |\n");
        text.push_str(&format!("|---|{}\n", "---|".repeat(languages.len())));
        for arm in arms {
            let cells = languages.iter().map(|&language| {
                let mean = self.mean(arm, language, split, quantity);
                mean.map_or("–".to_owned(), &show)
            });
            let cells: Vec<_> = cells.collect();
            text.push_str(&format!("| {arm} | {} |\n", cells.join(" | ")));
        }
        text
    }

    /// The figure of one seed.
    pub fn value(&self, subject: &Subject) -> Option<f64> {
        self.0.get(subject).copied()
    }
}

/// What tables and plots call languages.
pub fn codes(languages: &[Language]) -> Vec<String> {
    let codes = languages.iter().map(|language| language.code().to_owned());
    codes.collect()
}

fn mean(values: &[f64]) -> Option<Mean> {
    let count = values.len() as f64;
    let value = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return (!values.is_empty()).then_some(Mean { value, error: None });
    }
    let squares = values.iter().map(|other| (other - value).powi(2));
    let variance = squares.sum::<f64>() / (count - 1.0);
    Some(Mean {
        value,
        error: Some((variance / count).sqrt()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn subject(seed: u64) -> Subject {
        Subject {
            arm: "zero-shot".into(),
            seed,
            language: Language::German,
            split: "held-out".into(),
            quantity: "named".into(),
        }
    }

    #[test]
    fn means_are_over_seeds() {
        let mut figures = Figures::default();
        assert_eq!(
            figures.mean("zero-shot", Language::German, "held-out", "named"),
            None
        );
        for (seed, value) in [(1, 0.1), (2, 0.2), (3, 0.6)] {
            figures.add([Figure::new(subject(seed), value)]);
        }
        figures.add([Figure::new(subject(3), 0.3)]);
        let mean = figures.mean("zero-shot", Language::German, "held-out", "named");
        let mean = mean.unwrap();
        assert!((mean.value - 0.2).abs() < 1e-12);
        assert!((mean.error.unwrap() - 0.1 / 3f64.sqrt()).abs() < 1e-12);
        assert_eq!(
            figures.mean("zero-shot", Language::French, "held-out", "named"),
            None
        );
        let table = figures.table(
            &["zero-shot".into()],
            &[Language::German],
            ("held-out", "named"),
            Mean::percent,
        );
        assert!(
            table.ends_with("| | de |\n|---|---|\n| zero-shot | 20.0 ± 5.8 |\n"),
            "{table}"
        );
        assert!(figures.has("zero-shot", 2) && !figures.has("zero-shot", 4));
        assert_eq!(figures.seeds(), BTreeSet::from([1, 2, 3]));
        assert_eq!(figures.arms(), BTreeSet::from(["zero-shot"]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("figures.jsonl");
        let mut figures = Figures::read(&file).unwrap();
        figures.add([Figure::new(subject(1), 0.25)]);
        figures.write(&file).unwrap();
        let again = Figures::read(&file).unwrap();
        assert_eq!(again.value(&subject(1)), Some(0.25));
        fs::write(&file, "{}").unwrap();
        assert!(Figures::read(&file).is_err());
    }
}
