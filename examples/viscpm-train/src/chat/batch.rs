//! Batches for the chat model.

use std::ops::Range;

use mpm_data::picture::PixelValues;
use mpm_llm::any::{AnyDialogue, AnyInput, AnyTokenizer};
use mpm_train::BoxError;

use super::{ChatSample, ChatText};

/// What one forward pass takes.
#[derive(Clone, Debug)]
pub struct ChatBatch {
    /// The prompts with their answers.
    pub input: AnyInput,
    /// The next token of each position, `[batch · seq]`, or −100.
    pub targets: Vec<i64>,
    /// The pictures of all rows, in their order.
    pub pictures: Vec<PixelValues>,
    /// The slots of the pictures; none in a row of text.
    pub bounds: Vec<Vec<Range<usize>>>,
    /// The prompts in words.
    pub texts: Vec<ChatText>,
}

/// Puts samples together.
#[derive(Clone, Debug)]
pub struct Collation {
    /// The tokenizer of the samples.
    pub tokenizer: AnyTokenizer,
}

impl Collation {
    /// Pads samples to the longest of them.
    ///
    /// # Errors
    /// Without a sample.
    pub fn batch(&self, samples: Vec<ChatSample>) -> Result<ChatBatch, BoxError> {
        let mut dialogues = Vec::new();
        let mut pictures = Vec::new();
        let mut texts = Vec::new();
        for sample in samples {
            dialogues.push(sample.dialogue);
            pictures.extend(sample.picture);
            texts.push(sample.text);
        }
        let batch = AnyDialogue::collate(&self.tokenizer, dialogues)?;
        Ok(ChatBatch {
            input: batch.input,
            targets: batch.targets,
            pictures,
            bounds: batch.bounds,
            texts,
        })
    }
}
