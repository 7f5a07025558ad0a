//! Dialogues as CPM-Bee reads them: a map of texts, the reference's chat format
//! (`VisCPM/viscpm_chat.py`).

use super::CpmBeeInput;
use crate::{
    LlmError,
    dialogue::{Dialogue, DialogueBatch, PicturePlace},
    prompt::{ANSWER_KEY, Collator, EncodedPrompt, PICTURE_KEY, PromptEncoder, PromptValue, Turn},
    tokenizer::{CpmBeeTokenizer, escape},
};

/// A dialogue in ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpmBeeDialogue {
    prompt: EncodedPrompt,
    has_slots: bool,
}

impl CpmBeeDialogue {
    /// Encodes a dialogue with its answer.
    ///
    /// # Errors
    /// As [`PromptEncoder::encode`].
    pub fn new(tokenizer: &CpmBeeTokenizer, dialogue: &Dialogue) -> Result<Self, LlmError> {
        let context: String = dialogue
            .turns
            .iter()
            .map(|turn| {
                let turn = Turn {
                    question: turn.question.clone(),
                    answer: escape(&turn.answer).into_owned(),
                };
                turn.to_markup()
            })
            .collect();
        let question = escape(&dialogue.question);
        let answer = escape(&dialogue.answer);
        let prompt = match &dialogue.picture {
            PicturePlace::Empty => PromptValue::chat(0, &context, &question, &answer),
            PicturePlace::Slots(slots) => PromptValue::chat(*slots, &context, &question, &answer),
            PicturePlace::Text(text) => PromptValue::from([
                (PICTURE_KEY, &*escape(text)),
                ("context", &*context),
                ("question", &*question),
                (ANSWER_KEY, &*answer),
            ]),
        };
        Ok(Self {
            prompt: PromptEncoder::new(tokenizer).encode(&prompt)?,
            has_slots: matches!(dialogue.picture, PicturePlace::Slots(_)),
        })
    }

    /// Number of tokens, a picture's included.
    #[allow(clippy::len_without_is_empty, reason = "no dialogue is empty")]
    pub fn len(&self) -> usize {
        self.prompt.len()
    }

    /// Puts dialogues together, padded to the longest of them.
    ///
    /// # Errors
    /// As [`Collator::collate`].
    pub fn collate(
        tokenizer: &CpmBeeTokenizer,
        dialogues: Vec<Self>,
    ) -> Result<DialogueBatch<CpmBeeInput>, LlmError> {
        let longest = dialogues.iter().map(Self::len).max().unwrap_or(0);
        let (prompts, has_slots): (Vec<_>, Vec<_>) = dialogues
            .into_iter()
            .map(|dialogue| (dialogue.prompt, dialogue.has_slots))
            .unzip();
        let mut batch = Collator::new(tokenizer, longest).collate(&prompts)?;
        let mut bounds = std::mem::take(&mut batch.image_bound);
        for (bounds, has_slots) in bounds.iter_mut().zip(has_slots) {
            // Words in the picture's place are not to be replaced.
            if !has_slots {
                bounds.clear();
            }
        }
        Ok(DialogueBatch {
            targets: batch.target.iter().map(|&target| target.into()).collect(),
            bounds,
            input: batch.into(),
        })
    }
}
