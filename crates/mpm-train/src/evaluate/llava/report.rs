//! What a test comes to.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::Scores;

/// A question that the judge gave scores for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Number of the question.
    pub question_id: u64,
    /// Its category.
    pub category: String,
    /// The scores.
    pub scores: Scores,
    /// All that the judge wrote.
    pub reply: String,
}

/// A question without scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeFailure {
    /// Number of the question.
    pub question_id: u64,
    /// Its category.
    pub category: String,
    /// Why there are none, as of the last time it was asked.
    pub reason: String,
}

/// The scores of a category.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CategoryScore {
    /// Questions that have scores.
    pub questions: usize,
    /// The sum of the reference's scores.
    pub reference: f64,
    /// The sum of the model's scores.
    pub model: f64,
}

impl CategoryScore {
    /// `100 · model / reference`, `10.0..=1000.0`; `None` without questions.
    pub fn relative(&self) -> Option<f64> {
        (self.questions > 0).then(|| 100.0 * self.model / self.reference)
    }

    fn add(&mut self, scores: Scores) {
        self.questions += 1;
        self.reference += scores.reference;
        self.model += scores.model;
    }
}

/// The result of a test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LlavaReport {
    /// Name of the judge.
    pub judge: String,
    /// Questions with scores, in the order of the questions.
    pub judgements: Vec<Judgement>,
    /// Questions without; no figure counts them.
    pub failures: Vec<JudgeFailure>,
}

impl LlavaReport {
    /// The scores of each category, by its name.
    pub fn categories(&self) -> BTreeMap<&str, CategoryScore> {
        let mut categories: BTreeMap<&str, CategoryScore> = BTreeMap::new();
        for judgement in &self.judgements {
            let category = categories.entry(&judgement.category).or_default();
            category.add(judgement.scores);
        }
        categories
    }

    /// The scores of all questions.
    pub fn all(&self) -> CategoryScore {
        let mut all = CategoryScore::default();
        for judgement in &self.judgements {
            all.add(judgement.scores);
        }
        all
    }
}

impl fmt::Display for LlavaReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let categories = self.categories();
        let width = categories.keys().map(|name| name.chars().count()).max();
        let width = width.unwrap_or_default().max("category".len());
        writeln!(
            f,
            "{:<width$} {:>9} {:>9} {:>9} {:>9}",
            "category", "questions", "reference", "model", "relative"
        )?;
        for (name, score) in categories.into_iter().chain([("all", self.all())]) {
            // What is shown are means: people think in the judge's scale.
            let mean = |sum: f64| sum / score.questions.max(1) as f64;
            writeln!(
                f,
                "{name:<width$} {:>9} {:>9.2} {:>9.2} {:>7.1} %",
                score.questions,
                mean(score.reference),
                mean(score.model),
                score.relative().unwrap_or_default()
            )?;
        }
        if !self.failures.is_empty() {
            writeln!(f, "{} questions have no scores", self.failures.len())?;
        }
        Ok(())
    }
}
