//! Dialogues as a model of the family reads them: written by its chat template.

use std::ops::Range;

use super::{
    chat_template::{ChatMessage, ChatOptions},
    language_model::LlamaBatch,
    text::{ASSISTANT, LlamaText, USER, without_mark},
};
use crate::{
    LlmError,
    dialogue::{Dialogue, DialogueBatch, PicturePlace},
};

/// The target of what is not learnt.
const IGNORED: i64 = -100;

/// A dialogue in ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlamaDialogue {
    ids: Vec<i32>,
    /// Where the answer begins.
    answer: usize,
    pictures: Vec<Range<usize>>,
}

impl LlamaDialogue {
    /// Encodes a dialogue with its answer and the token that ends it. What comes before is cut into
    /// tokens as when the question is asked.
    ///
    /// # Errors
    /// As [`LlamaText::encode_chat`].
    pub fn new(text: &LlamaText, dialogue: &Dialogue) -> Result<Self, LlmError> {
        let mut messages = Vec::new();
        for turn in &dialogue.turns {
            messages.push(ChatMessage::new(USER, &turn.question));
            messages.push(ChatMessage::new(ASSISTANT, &turn.answer));
        }
        messages.push(ChatMessage::new(USER, &dialogue.question));
        let slots = match &dialogue.picture {
            PicturePlace::Empty => 0,
            PicturePlace::Slots(slots) => *slots,
            PicturePlace::Text(description) => {
                let first = &mut messages[0].content;
                *first = format!("{description}\n{first}");
                0
            }
        };
        let has_picture = slots > 0;
        let asked = text.write(&messages, has_picture, &ChatOptions::default())?;
        messages.push(ChatMessage::new(ASSISTANT, &dialogue.answer));
        let finished = ChatOptions {
            add_generation_prompt: false,
            ..ChatOptions::default()
        };
        let answered = text.write(&messages, has_picture, &finished)?;

        let prompt = text.cut(&asked, slots)?;
        let whole = text.cut(&answered, slots)?;
        let answer = prompt.ids.len();
        // Templates may write the beginning of an answer otherwise than a finished one, and
        // tokenizers may cut the border otherwise. The model will stand behind the prompt.
        let mut ids = match whole.ids.strip_prefix(prompt.ids.as_slice()) {
            Some(_) => whole.ids,
            None => {
                let answer = without_mark(&dialogue.answer);
                let answer = text.tokenizer.encode_rendered(&answer)?;
                [prompt.ids, answer].concat()
            }
        };
        let is_end = |id: &i32| text.ends.contains(id);
        match ids[answer..].iter().position(is_end) {
            Some(end) => ids.truncate(answer + end + 1),
            None => ids.extend(text.ends.first()),
        }
        Ok(Self {
            ids,
            answer,
            pictures: prompt.pictures,
        })
    }

    /// Number of tokens, a picture's included.
    #[allow(clippy::len_without_is_empty, reason = "no dialogue is empty")]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Puts dialogues together, padded to the longest of them on the right.
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without dialogues.
    pub fn collate(dialogues: Vec<Self>) -> Result<DialogueBatch<LlamaBatch>, LlmError> {
        let seq_len = dialogues.iter().map(Self::len).max();
        let seq_len = seq_len.ok_or(LlmError::EmptyBatch)?;
        let (mut rows, mut targets, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        for dialogue in dialogues {
            let end = targets.len() + seq_len;
            let next = dialogue.ids.iter().enumerate().skip(1);
            targets.extend(
                next.map(|(position, &id)| match position < dialogue.answer {
                    true => IGNORED,
                    false => i64::from(id),
                }),
            );
            targets.resize(end, IGNORED);
            rows.push(dialogue.ids);
            bounds.push(dialogue.pictures);
        }
        Ok(DialogueBatch {
            input: LlamaBatch::right_padded(rows)?,
            targets,
            bounds,
        })
    }
}
