//! What a judge is asked about.

use std::{collections::HashMap, path::Path};

use super::{Answer, Context, LlavaError, Question, read_lines};

/// A question with its picture's context and the two answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The question.
    pub question: Question,
    /// What is in its picture.
    pub context: Context,
    /// The answer that the model's is compared with.
    pub reference: String,
    /// The model's answer.
    pub answer: String,
}

/// Reads the four files of a test.
///
/// # Errors
/// [`LlavaError::Read`], [`LlavaError::Line`], and those of [`cases`].
pub fn read_cases(
    questions: &Path,
    contexts: &Path,
    references: &Path,
    answers: &Path,
) -> Result<Vec<Case>, LlavaError> {
    cases(
        read_lines(questions)?,
        read_lines(contexts)?,
        read_lines(references)?,
        read_lines(answers)?,
    )
}

/// Puts together what belongs together, by the numbers of the questions and the names of the
/// pictures. The order is that of the questions; contexts and answers that belong to none are
/// ignored.
///
/// # Errors
/// [`LlavaError::NoQuestions`], [`LlavaError::Duplicate`], [`LlavaError::Missing`] with everything
/// that lacks.
pub fn cases(
    questions: Vec<Question>,
    contexts: Vec<Context>,
    references: Vec<Answer>,
    answers: Vec<Answer>,
) -> Result<Vec<Case>, LlavaError> {
    if questions.is_empty() {
        return Err(LlavaError::NoQuestions);
    }
    let ids = questions.iter().map(|question| (question.question_id, ()));
    by_key("question", ids)?;
    let contexts = contexts
        .into_iter()
        .map(|context| (context.image.clone(), context));
    let contexts = by_key("context of the picture", contexts)?;
    let texts = |answer: Answer| (answer.question_id, answer.text);
    let references = by_key(
        "reference answer to question",
        references.into_iter().map(texts),
    )?;
    let answers = by_key("answer to question", answers.into_iter().map(texts))?;
    let (mut cases, mut missing) = (Vec::new(), Vec::new());
    for question in questions {
        let id = question.question_id;
        let (context, reference, answer) = (
            contexts.get(&question.image),
            references.get(&id),
            answers.get(&id),
        );
        if let (Some(context), Some(reference), Some(answer)) = (context, reference, answer) {
            cases.push(Case {
                context: context.clone(),
                reference: reference.clone(),
                answer: answer.clone(),
                question,
            });
            continue;
        }
        let lacks = [
            ("context", context.is_none()),
            ("reference answer", reference.is_none()),
            ("answer", answer.is_none()),
        ];
        let lacks = lacks
            .iter()
            .filter(|(_, lacks)| *lacks)
            .map(|(what, _)| *what);
        let lacks = lacks.collect::<Vec<_>>().join(" and ");
        missing.push(format!("question {id} has no {lacks}"));
    }
    match missing.is_empty() {
        true => Ok(cases),
        false => Err(LlavaError::Missing { missing }),
    }
}

fn by_key<K: std::hash::Hash + Eq + ToString + Clone, V>(
    what: &'static str,
    entries: impl Iterator<Item = (K, V)>,
) -> Result<HashMap<K, V>, LlavaError> {
    let mut by_key = HashMap::new();
    for (key, value) in entries {
        if by_key.insert(key.clone(), value).is_some() {
            let key = key.to_string();
            return Err(LlavaError::Duplicate { what, key });
        }
    }
    Ok(by_key)
}
