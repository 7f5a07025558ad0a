//! The figures of one task in one language.

use mpm_train::evaluate::{
    Example, MetricError, Tally, is_exact_match, keywords::KeywordScore,
    keywords::KeywordVocabulary, language::LanguageShare, perplexity::Perplexity, vqa::VqaAccuracy,
};
use serde_json::{Value, json};

use super::{CaptionFigures, keywords, language::Judge};
use crate::{AnswerLine, Question, Task};

/// With so many answers of people, VQA's rule is the official one.
const PEOPLE: usize = 10;

/// The figures of one task in one language: those that fit the task, and of them those that the
/// answers allow.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was asked for.
    pub task: Task,
    /// Of question and answers, ISO 639-1.
    pub language: String,
    /// Answers.
    pub count: usize,
    /// Answers that equal a right one: tasks `exact`, and `vqa` with fewer than ten answers.
    pub exact_match: Tally,
    /// Task `vqa` with ten answers.
    pub vqa: VqaAccuracy,
    /// Task `caption`.
    pub captions: Option<CaptionFigures>,
    /// Task `keywords`.
    pub keywords: Option<KeywordScore>,
    /// In which languages the answers are.
    pub languages: LanguageShare,
    /// How well the model foresees the first right answers.
    pub perplexity: Perplexity,
}

impl Row {
    /// Compares answers to questions of one task in one language.
    pub(super) fn of(
        task: Task,
        language: &str,
        answered: &[(&Question, &AnswerLine)],
        judge: &Judge,
        vocabulary: Option<&KeywordVocabulary>,
    ) -> Result<Self, MetricError> {
        let mut row = Self {
            task,
            language: language.to_owned(),
            count: answered.len(),
            exact_match: Tally::default(),
            vqa: VqaAccuracy::default(),
            captions: None,
            keywords: vocabulary.map(|_| KeywordScore::default()),
            languages: LanguageShare::new(language),
            perplexity: Perplexity::default(),
        };
        for (question, line) in answered {
            let (right, answer) = (&question.answers, line.answer.as_str());
            match task {
                Task::Vqa if right.len() >= PEOPLE => {
                    row.vqa.add(answer, right)?;
                }
                Task::Exact | Task::Vqa => {
                    let right = right.iter().map(String::as_str);
                    row.exact_match.add(is_exact_match(answer, right));
                }
                Task::Caption | Task::Keywords => {}
            }
            if let (Some(sum), Some(vocabulary)) = (&mut row.keywords, vocabulary) {
                *sum += vocabulary.score(answer, &keywords::expected(question))?;
            }
            let detector = judge.detector(language);
            row.languages.add(answer, judge.known(), detector);
            if let Some(reference) = &line.reference
                && question.reference() == Some(reference.text.as_str())
            {
                row.perplexity.merge(reference.loss);
            }
        }
        if task == Task::Caption {
            let examples = answered
                .iter()
                .map(|(question, line)| Example::new(&*line.answer, question.answers.clone()));
            let examples: Vec<_> = examples.collect();
            row.captions = Some(CaptionFigures::of(&examples, language)?);
        }
        Ok(row)
    }

    /// Part of the answers whose language could be told, `0.0..=1.0`.
    pub fn told(&self) -> f64 {
        let told = self.languages.known + self.languages.detected;
        told as f64 / self.languages.answers().max(1) as f64
    }

    /// Part of the answers in the question's language, `0.0..=1.0`; `None` where the language of
    /// none could be told.
    pub fn in_language(&self) -> Option<f64> {
        self.languages.share().filter(|_| self.told() > 0.0)
    }

    /// All figures, for programs. What has no value is `null`.
    pub fn to_json(&self) -> Value {
        json!({
            "task": self.task,
            "language": self.language,
            "count": self.count,
            "exact_match": self.exact_match.accuracy(),
            "exact_match_answers": self.exact_match.total,
            "vqa_accuracy": self.vqa.mean(),
            "vqa_answers": self.vqa.answers,
            "captions": self.captions,
            "keyword_f1": self.keywords.and_then(|score| score.f1()),
            "keyword_precision": self.keywords.and_then(|score| score.precision()),
            "keyword_recall": self.keywords.and_then(|score| score.recall()),
            "in_language": self.in_language(),
            "answer_languages": self.languages,
            "perplexity": self.perplexity.value(),
            "perplexity_tokens": self.perplexity.tokens,
        })
    }
}
