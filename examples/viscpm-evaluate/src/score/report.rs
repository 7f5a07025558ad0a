//! All figures of a set of answers.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

use super::{Row, keywords, language::Judge};
use crate::{AnswerLine, EvaluateError, Question, QuestionSet, Task, table::Table};

/// The figures of answers, a row for each task and language.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerReport {
    /// By task, then language.
    pub rows: Vec<Row>,
    /// Questions without an answer, which no figure counts.
    pub unanswered: usize,
}

/// Compares answers with what is right. `questions` are those that were asked; what is known of
/// languages and keywords comes from all of the set.
///
/// # Errors
/// [`EvaluateError::Empty`] when none of the questions has an answer.
pub fn score(
    set: &QuestionSet,
    questions: &[Question],
    answers: &BTreeMap<u64, AnswerLine>,
) -> Result<AnswerReport, EvaluateError> {
    type Answered<'a> = Vec<(&'a Question, &'a AnswerLine)>;
    let mut groups: BTreeMap<(Task, &str), Answered<'_>> = BTreeMap::new();
    for question in questions {
        if let Some(answer) = answers.get(&question.key()) {
            let group = groups.entry((question.task, &question.language));
            group.or_default().push((question, answer));
        }
    }
    let answered: usize = groups.values().map(Vec::len).sum();
    if answered == 0 {
        return Err(EvaluateError::Empty {
            path: set.file.clone(),
            what: "questions that have answers",
        });
    }
    let judge = Judge::new(&set.questions);
    let mut rows = Vec::new();
    for ((task, language), answered) in groups {
        let vocabulary = match task {
            Task::Keywords => Some(keywords::vocabulary(&set.questions, language)?),
            _ => None,
        };
        rows.push(Row::of(
            task,
            language,
            &answered,
            &judge,
            vocabulary.as_ref(),
        )?);
    }
    Ok(AnswerReport {
        rows,
        unanswered: questions.len() - answered,
    })
}

impl AnswerReport {
    /// All figures, for programs.
    pub fn to_json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
        json!({ "rows": rows, "unanswered": self.unanswered })
    }
}

impl fmt::Display for AnswerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = || self.rows.iter();
        let percent = |part: Option<f64>| part.map(|part| format!("{:.1} %", 100.0 * part));
        let plain = |value: Option<f64>| value.map(|value| format!("{value:.4}"));
        let mut table = Table::default();
        table.names("task", rows().map(|row| row.task.name().to_owned()));
        table.names("language", rows().map(|row| row.language.clone()));
        table.numbers("count", rows().map(|row| Some(row.count.to_string())));
        let mut column = |heading, figure: &dyn Fn(&Row) -> Option<String>| {
            table.numbers(heading, rows().map(figure));
        };
        column("exact", &|row| percent(row.exact_match.accuracy()));
        column("VQA", &|row| percent(row.vqa.mean()));
        column("BLEU-4", &|row| {
            plain(row.captions.map(|captions| captions.coco_bleu[3]))
        });
        column("sacrebleu", &|row| {
            let score = row.captions.map(|captions| captions.sacrebleu);
            score.map(|score| format!("{score:.2}"))
        });
        column("ROUGE-L", &|row| {
            plain(row.captions.map(|captions| captions.rouge_l))
        });
        column("CIDEr-D", &|row| {
            plain(row.captions.map(|captions| captions.cider_d))
        });
        column("keyword F1", &|row| {
            percent(row.keywords.and_then(|score| score.f1()))
        });
        column("in language", &|row| percent(row.in_language()));
        column("told", &|row| percent(Some(row.told())));
        column("perplexity", &|row| {
            let value = row.perplexity.value();
            value.map(|value| format!("{value:.3}"))
        });
        write!(f, "{table}")?;
        match self.unanswered {
            0 => Ok(()),
            1 => writeln!(f, "1 question has no answer and counts for nothing"),
            some => writeln!(f, "{some} questions have no answer and count for nothing"),
        }
    }
}
