//! Conversations as LLaVA writes them, and most data sets after it.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Dialogue, DialogueTurn, Flaw};

/// What stands in a text where a picture belongs.
const MARKER: &str = "<image>";

/// What one side says.
#[derive(Debug, Deserialize)]
pub(super) struct Utterance {
    from: Speaker,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    #[serde(alias = "user")]
    Human,
    #[serde(alias = "assistant")]
    Gpt,
}

/// A question and its answer.
pub(super) fn exchange(question: &str, answer: &str) -> Vec<Utterance> {
    let said = [(Speaker::Human, question), (Speaker::Gpt, answer)];
    said.map(|(from, text)| Utterance {
        from,
        value: text.to_owned(),
    })
    .into()
}

/// A list of objects, which tables may hold as JSON or turned into an object of lists.
pub(super) fn utterances(conversation: &Value) -> Result<Vec<Utterance>, Flaw> {
    #[derive(Deserialize)]
    struct Turned {
        from: Vec<Speaker>,
        value: Vec<String>,
    }

    Ok(match conversation {
        Value::String(json) => serde_json::from_str(json)?,
        Value::Object(_) => {
            let Turned { from, value } = Turned::deserialize(conversation)?;
            let both = from.into_iter().zip(value);
            both.map(|(from, value)| Utterance { from, value })
                .collect()
        }
        _ => Vec::deserialize(conversation)?,
    })
}

/// Pairs questions with answers. Markers of pictures are taken out; a text without any is about
/// all of them.
pub(super) fn dialogue(
    utterances: Vec<Utterance>,
    pictures: usize,
    language: Option<String>,
) -> Result<Dialogue, Flaw> {
    let marked = utterances.iter();
    let marked: usize = marked.map(|one| one.value.matches(MARKER).count()).sum();
    if marked > 0 && marked != pictures {
        return Err(Flaw::Markers { marked, pictures });
    }
    let mut turns = Vec::with_capacity(utterances.len() / 2);
    let mut utterances = utterances.into_iter().enumerate();
    while let Some((turn, question)) = utterances.next() {
        if question.from != Speaker::Human {
            let expected = "the user";
            return Err(Flaw::OutOfTurn { turn, expected });
        }
        let answer = utterances.next().map(|(_, answer)| answer);
        let Some(answer) = answer.filter(|answer| answer.from == Speaker::Gpt) else {
            return Err(Flaw::OutOfTurn {
                turn: turn + 1,
                expected: "the assistant",
            });
        };
        let text = |value: &str| value.replace(MARKER, "").trim().to_owned();
        let answer = text(&answer.value);
        if answer.is_empty() {
            return Err(Flaw::Missing { what: "answer" });
        }
        turns.push(DialogueTurn {
            question: text(&question.value),
            answer,
        });
    }
    match turns.is_empty() {
        false => Ok(Dialogue { language, turns }),
        true => Err(Flaw::Missing {
            what: "conversation",
        }),
    }
}
