//! Batches for the chat model.

use std::ops::Range;

use mpm_data::picture::PixelValues;
use mpm_llm::{cpm_bee::CpmBeeInput, prompt::Collator, tokenizer::CpmBeeTokenizer};
use mpm_train::BoxError;

use super::{ChatSample, ChatText};

/// What one forward pass takes.
#[derive(Clone, Debug)]
pub struct ChatBatch {
    /// The prompts with their answers.
    pub input: CpmBeeInput,
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
    pub tokenizer: CpmBeeTokenizer,
}

impl Collation {
    /// Pads samples to the longest of them.
    ///
    /// # Errors
    /// Without a sample.
    pub fn batch(&self, samples: Vec<ChatSample>) -> Result<ChatBatch, BoxError> {
        let mut prompts = Vec::new();
        let mut pictures = Vec::new();
        let mut texts = Vec::new();
        for sample in samples {
            prompts.push(sample.prompt);
            pictures.extend(sample.picture);
            texts.push(sample.text);
        }
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        let batch = Collator::new(&self.tokenizer, longest).collate(&prompts)?;
        Ok(ChatBatch {
            targets: batch.target.iter().map(|&target| target.into()).collect(),
            bounds: batch.image_bound.clone(),
            input: batch.into(),
            pictures,
            texts,
        })
    }
}
