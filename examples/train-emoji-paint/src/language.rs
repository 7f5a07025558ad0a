//! More words for the language model, from text alone.
//!
//! The chat model's language model knows the names of its recipe in both languages, and no shapes
//! among them. Here it goes on with the same tasks about all names of the set. Pictures take no
//! part, and it is frozen when the painter comes.

use std::sync::Arc;

use burn::tensor::backend::AutodiffBackend;
use emoji_training::{BoxError, prompt};
use mpm_core::MpmBackend;
use mpm_data::emoji::Tasks;
use mpm_llm::{
    cpm_bee::{CpmBee, CpmBeeInput},
    prompt::{Collator, EncodedPrompt, PromptEncoder},
    tokenizer::CpmBeeTokenizer,
};
use mpm_train::{DataSource, LossOutput, Objective, language::answer_loss};

/// Cross entropy of the answers' tokens.
pub struct LanguageObjective;

/// Prompts with their answers.
pub struct TextBatch {
    pub input: CpmBeeInput,
    /// The next token of each position, or −100.
    pub targets: Vec<i64>,
}

impl<B: AutodiffBackend + MpmBackend> Objective<B> for LanguageObjective {
    type Model = CpmBee<B>;
    type Batch = TextBatch;

    fn loss(&self, llm: &CpmBee<B>, batch: TextBatch) -> Result<LossOutput<B>, BoxError> {
        let input = &batch.input;
        let shape = [input.batch, input.seq_len];
        let embeddings = llm.embed(&input.ids, &input.sub_ids, shape)?;
        answer_loss(llm, embeddings, input, &batch.targets)
    }
}

/// Draws bilingual questions and answers about what is described in words; each is a function of
/// the seed and its number.
pub struct TextSource {
    pub tasks: Arc<Tasks<'static>>,
    pub tokenizer: CpmBeeTokenizer,
    pub seed: u64,
    /// Samples of a batch.
    pub batch: usize,
    /// The number of batches delivered.
    pub next: u64,
}

impl TextSource {
    fn prompt(&self, index: u64) -> Result<EncodedPrompt, BoxError> {
        let value = prompt(&self.tasks.text(self.seed, index), None, "");
        Ok(PromptEncoder::new(&self.tokenizer).encode(&value)?)
    }
}

impl DataSource for TextSource {
    type Batch = TextBatch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<TextBatch>, BoxError> {
        let start = self.next * self.batch as u64;
        let prompts: Vec<_> = (start..start + self.batch as u64)
            .map(|index| self.prompt(index))
            .collect::<Result<_, _>>()?;
        let longest = prompts.iter().map(EncodedPrompt::len).max().unwrap_or(0);
        let batch = Collator::new(&self.tokenizer, longest).collate(&prompts)?;
        self.next += 1;
        Ok(Some(TextBatch {
            targets: batch.target.iter().map(|&target| target.into()).collect(),
            input: batch.into(),
        }))
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        Ok(())
    }
}
