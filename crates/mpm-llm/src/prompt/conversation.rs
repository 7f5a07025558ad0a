//! Conversations of several turns.

use super::{PromptEncoder, PromptValue};
use crate::LlmError;
use crate::tokenizer::escape;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// What the user wrote: plain text.
    pub question: String,
    /// What the model answered: markup, as [`CpmBeeTokenizer::decode`] gives it. An answer that is
    /// plain text is to be [escaped](escape).
    ///
    /// [`CpmBeeTokenizer::decode`]: crate::tokenizer::CpmBeeTokenizer::decode
    pub answer: String,
}

impl Turn {
    /// The turn as the model reads it in later prompts: markup.
    pub fn to_markup(&self) -> String {
        format!("User: {}\nAI: {}\n", escape(&self.question), self.answer)
    }
}

/// What a prompt has to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptLimits {
    /// The most tokens of a prompt, its answer slot included.
    pub max_tokens: usize,
    /// The tokens that the features of the picture take the place of; 0 without a picture.
    pub picture_slots: usize,
}

/// A prompt that fits its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FittedPrompt {
    /// The prompt; its answer is empty.
    pub prompt: PromptValue,
    /// Its tokens, the answer slot included.
    pub tokens: usize,
    /// How many turns, the oldest ones, are not in it.
    pub dropped_turns: usize,
}

/// The turns so far.
///
/// CPM-Bee reads the turns as one text of its prompt and attends to it in both directions. Turns
/// are kept apart nevertheless: a causal model can keep the states of those it has read.
///
/// ```
/// # use mpm_llm::tokenizer::{CpmBeeTokenizer, VocabularyBuilder};
/// use mpm_llm::prompt::{Conversation, PromptEncoder, PromptLimits};
///
/// # fn main() -> Result<(), mpm_llm::LlmError> {
/// # let tokenizer = CpmBeeTokenizer::new(VocabularyBuilder::new(120).build(["a"])?)?;
/// let encoder = PromptEncoder::new(&tokenizer);
/// let limits = PromptLimits { max_tokens: 300, picture_slots: 64 };
/// let mut conversation = Conversation::new();
/// conversation.push("What is this?", "A cat.");
///
/// let fitted = conversation.prompt(&encoder, "Is 1 < 2?", limits)?;
/// assert_eq!(fitted.dropped_turns, 0);
/// assert_eq!(fitted.prompt.get("context"), Some(&"User: What is this?\nAI: A cat.\n".into()));
/// assert_eq!(fitted.prompt.get("question"), Some(&"Is 1 << 2?".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    turns: Vec<Turn>,
}

impl Conversation {
    /// A conversation without turns.
    pub fn new() -> Self {
        Self::default()
    }

    /// The turns, the oldest first.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Adds a turn: a question in plain text and its answer in markup (see [`Turn`]).
    pub fn push(&mut self, question: impl Into<String>, answer: impl Into<String>) {
        self.turns.push(Turn {
            question: question.into(),
            answer: answer.into(),
        });
    }

    /// Forgets all turns.
    pub fn clear(&mut self) {
        self.turns.clear();
    }

    /// The prompt that asks a question (plain text) after these turns. Where it would be longer
    /// than the limit, the oldest turns are left out, and only whole ones; the conversation itself
    /// keeps them.
    ///
    /// # Errors
    /// [`LlmError::QuestionTooLong`] when the question does not fit even without any turn, else as
    /// [`PromptEncoder::encode`].
    pub fn prompt(
        &self,
        encoder: &PromptEncoder<'_>,
        question: &str,
        limits: PromptLimits,
    ) -> Result<FittedPrompt, LlmError> {
        let turns: Vec<String> = self.turns.iter().map(Turn::to_markup).collect();
        let question = escape(question);
        let fit = |dropped_turns: usize| -> Result<FittedPrompt, LlmError> {
            let context = turns[dropped_turns..].concat();
            // The slot that the answer grows from is one token, as when decoding.
            let slots = limits.picture_slots;
            let slot = PromptValue::chat(slots, &context, &question, "<ans_1>");
            Ok(FittedPrompt {
                tokens: encoder.encode(&slot)?.len(),
                prompt: PromptValue::chat(slots, &context, &question, ""),
                dropped_turns,
            })
        };
        let alone = fit(turns.len())?;
        let Some(room) = limits.max_tokens.checked_sub(alone.tokens) else {
            return Err(LlmError::QuestionTooLong {
                needed: alone.tokens,
                limit: limits.max_tokens,
            });
        };

        // Turns tokenize nearly alike alone and together, so their own lengths say about how many
        // fit, in time linear in the conversation. The prompt itself decides.
        let mut dropped = turns.len();
        let mut used = 0;
        while let Some(turn) = dropped.checked_sub(1) {
            used += encoder.tokenizer().encode(&turns[turn])?.ids.len();
            if used > room {
                break;
            }
            dropped = turn;
        }
        let mut fitted = fit(dropped)?;
        while fitted.tokens > limits.max_tokens && dropped < turns.len() {
            dropped += 1;
            fitted = fit(dropped)?;
        }
        while dropped > 0 {
            let longer = fit(dropped - 1)?;
            if longer.tokens > limits.max_tokens {
                break;
            }
            dropped -= 1;
            fitted = longer;
        }
        if fitted.dropped_turns > 0 {
            tracing::info!(
                dropped = fitted.dropped_turns,
                limit = limits.max_tokens,
                "the oldest turns do not fit the prompt"
            );
        }
        Ok(fitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{CpmBeeTokenizer, VocabularyBuilder};

    fn tokenizer() -> CpmBeeTokenizer {
        let vocabulary = VocabularyBuilder::new(120).build(["x"]).expect("valid");
        CpmBeeTokenizer::new(vocabulary).expect("valid")
    }

    fn limits(max_tokens: usize) -> PromptLimits {
        PromptLimits {
            max_tokens,
            picture_slots: 4,
        }
    }

    #[test]
    fn the_oldest_turns_go_first() {
        let tokenizer = tokenizer();
        let encoder = PromptEncoder::new(&tokenizer);
        let mut conversation = Conversation::new();
        for turn in 0..5 {
            conversation.push(format!("q{turn}"), format!("a{turn}"));
        }
        let whole = conversation
            .prompt(&encoder, "q", limits(1000))
            .expect("fits");
        assert_eq!(whole.dropped_turns, 0);
        let mut last = 0;
        for max_tokens in (0..=whole.tokens).rev() {
            match conversation.prompt(&encoder, "q", limits(max_tokens)) {
                Ok(fitted) => {
                    assert!(fitted.tokens <= max_tokens);
                    assert!(fitted.dropped_turns >= last);
                    last = fitted.dropped_turns;
                    let context: String = conversation.turns()[last..]
                        .iter()
                        .map(Turn::to_markup)
                        .collect();
                    assert_eq!(fitted.prompt.get("context"), Some(&context.into()));
                    assert!(fitted.prompt.get("image").is_some());
                }
                Err(LlmError::QuestionTooLong { needed, limit }) => {
                    assert!(needed > limit && limit == max_tokens && last == 5);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(last, 5);
    }

    #[test]
    fn the_fitted_length_is_what_inference_sees() {
        let tokenizer = tokenizer();
        let encoder = PromptEncoder::new(&tokenizer);
        let mut conversation = Conversation::new();
        conversation.push("is 1<2?", "1 << 2<mask>");
        let fitted = conversation
            .prompt(&encoder, "<ans>", limits(200))
            .expect("fits");
        let exact =
            super::super::InferenceBatch::new(&encoder, [&fitted.prompt], Some(fitted.tokens));
        assert_eq!(exact.expect("fits").seq + 2, fitted.tokens);
        let shorter =
            super::super::InferenceBatch::new(&encoder, [&fitted.prompt], Some(fitted.tokens - 1));
        assert!(matches!(shorter, Err(LlmError::Truncation { .. })));
    }
}
