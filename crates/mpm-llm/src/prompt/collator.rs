//! Batches for training.

use std::ops::Range;

use super::EncodedPrompt;
use crate::LlmError;
use crate::tokenizer::CpmBeeTokenizer;

/// The target of positions that the loss leaves out.
pub const IGNORE_INDEX: i32 = -100;

/// A batch with targets. Matrices are row-major; rows are padded with 0 on the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingBatch {
    /// The number of rows.
    pub batch: usize,
    /// The width of the rows.
    pub seq: usize,
    /// Tokens, `[batch, seq]`.
    pub input_ids: Vec<i32>,
    /// Sub ids, `[batch, seq]`.
    pub input_id_subs: Vec<i32>,
    /// Whether a token is given, `[batch, seq]`.
    pub context: Vec<bool>,
    /// Segments, `[batch, seq]`.
    pub segment_ids: Vec<i32>,
    /// Where the relations of a token's prompt begin in its row of `segment_rel`, `[batch, seq]`.
    pub segment_rel_offset: Vec<i32>,
    /// Relation buckets, `[batch, rel_width]`.
    pub segment_rel: Vec<i32>,
    /// The width of `segment_rel`.
    pub rel_width: usize,
    /// Which prompt of a row a token belongs to, `[batch, seq]`; 0 for its own.
    pub sample_ids: Vec<i32>,
    /// The number of segments of a token's prompt, `[batch, seq]`.
    pub num_segments: Vec<i32>,
    /// The number of tokens of each row, `[batch]`.
    pub length: Vec<i32>,
    /// Which packed example of a row a token belongs to, `[batch, seq]`; 0, as rows are not packed.
    pub span: Vec<i32>,
    /// The next token to predict, or [`IGNORE_INDEX`], `[batch, seq]`. Targets from the
    /// vocabulary's size on are rows of the extension table.
    pub target: Vec<i32>,
    /// The tokens of the extension table, `[ext]`: one row per occurrence of a token with a sub id
    /// above 0, as in the reference; never empty.
    pub ext_table_ids: Vec<i32>,
    /// Their sub ids, `[ext]`.
    pub ext_table_sub: Vec<i32>,
    /// The tokens that picture features take the place of: for each row, one range per picture.
    pub image_bound: Vec<Vec<Range<usize>>>,
}

/// Makes batches of a fixed width.
#[derive(Debug, Clone)]
pub struct Collator {
    vocab_size: i32,
    bos_id: i32,
    eos_id: i32,
    max_len: usize,
}

impl Collator {
    /// A collator of batches that are `max_len` tokens wide.
    pub fn new(tokenizer: &CpmBeeTokenizer, max_len: usize) -> Self {
        Self {
            vocab_size: tokenizer.vocab_size() as i32,
            bos_id: tokenizer.bos_id(),
            eos_id: tokenizer.eos_id(),
            max_len,
        }
    }

    /// Makes a batch of prompts with their answers.
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`]; [`LlmError::RowTooLong`] for a prompt longer than the batch is wide
    /// (see [`EncodedPrompt::truncate`]); [`LlmError::PictureCount`] for rows with different numbers
    /// of pictures.
    pub fn collate(&self, prompts: &[EncodedPrompt]) -> Result<TrainingBatch, LlmError> {
        let Some(first) = prompts.first() else {
            return Err(LlmError::EmptyBatch);
        };
        for (row, prompt) in prompts.iter().enumerate() {
            if prompt.len() > self.max_len {
                return Err(LlmError::RowTooLong {
                    row,
                    length: prompt.len(),
                    max_len: self.max_len,
                });
            }
            let (expected, found) = (first.picture_bounds.len(), prompt.picture_bounds.len());
            if expected != found {
                return Err(LlmError::PictureCount {
                    row,
                    expected,
                    found,
                });
            }
        }

        let seq = self.max_len;
        let relations = prompts.iter().map(|p| p.segment_rel.len());
        let rel_width = relations.fold(seq, usize::max);
        let zeros = vec![0; prompts.len() * seq];
        let mut batch = TrainingBatch {
            batch: prompts.len(),
            seq,
            input_ids: right_padded(prompts, seq, |p| &p.ids),
            input_id_subs: right_padded(prompts, seq, |p| &p.sub_ids),
            context: right_padded(prompts, seq, |p| &p.context),
            segment_ids: right_padded(prompts, seq, |p| &p.segment_ids),
            segment_rel_offset: zeros.clone(),
            segment_rel: right_padded(prompts, rel_width, |p| &p.segment_rel),
            rel_width,
            sample_ids: zeros.clone(),
            num_segments: zeros.clone(),
            length: prompts.iter().map(|p| p.len() as i32).collect(),
            span: zeros,
            target: vec![IGNORE_INDEX; prompts.len() * seq],
            ext_table_ids: Vec::new(),
            ext_table_sub: Vec::new(),
            image_bound: prompts.iter().map(|p| p.picture_bounds.clone()).collect(),
        };
        for (row, prompt) in prompts.iter().enumerate() {
            let start = row * seq;
            batch.num_segments[start..start + prompt.len()].fill(prompt.num_segments as i32);
            self.set_targets(row, prompt, &mut batch);
        }
        if batch.ext_table_ids.is_empty() {
            // Tensors of length 0 are trouble on some backends; no target names this row.
            batch.ext_table_ids.push(0);
            batch.ext_table_sub.push(1);
        }
        Ok(batch)
    }

    fn set_targets(&self, row: usize, prompt: &EncodedPrompt, batch: &mut TrainingBatch) {
        let target = &mut batch.target[row * batch.seq..(row + 1) * batch.seq];
        for (j, (&id, &sub)) in prompt.ids.iter().zip(&prompt.sub_ids).enumerate() {
            let mut token = id;
            if sub > 0 {
                // The reference looks tokens up by the identity of tensors and so never finds one:
                // each occurrence has its own row, and the loss is over as many columns.
                token = self.vocab_size + batch.ext_table_ids.len() as i32;
                batch.ext_table_ids.push(id);
                batch.ext_table_sub.push(sub);
            }
            if j > 1 && !prompt.context[j - 1] {
                // The `<s>` of the next segment says that this answer is over.
                target[j - 1] = if id == self.bos_id {
                    self.eos_id
                } else {
                    token
                };
            }
        }
        if prompt.context.last() == Some(&false) {
            target[prompt.len() - 1] = self.eos_id;
        }
    }
}

fn right_padded<T: Clone + Default>(
    prompts: &[EncodedPrompt],
    width: usize,
    row: impl Fn(&EncodedPrompt) -> &[T],
) -> Vec<T> {
    let mut matrix = Vec::with_capacity(prompts.len() * width);
    for (index, prompt) in prompts.iter().enumerate() {
        matrix.extend_from_slice(row(prompt));
        matrix.resize((index + 1) * width, T::default());
    }
    matrix
}
