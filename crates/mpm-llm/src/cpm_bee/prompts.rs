//! From the collator's batches to the model's input.

use super::{AnswerTokens, CpmBeeInput, CpmBeePrompt, CpmBeeStep};
use crate::{
    prompt::{InferenceBatch, TrainingBatch},
    tokenizer::CpmBeeTokenizer,
};

/// Takes everything but the targets and the picture slots, which the objective
/// and the splicing read.
impl From<TrainingBatch> for CpmBeeInput {
    fn from(batch: TrainingBatch) -> Self {
        Self {
            batch: batch.batch,
            seq_len: batch.seq,
            ids: batch.input_ids,
            sub_ids: batch.input_id_subs,
            length: batch.length,
            context: batch.context,
            sample_ids: batch.sample_ids,
            num_segments: batch.num_segments,
            segment_ids: batch.segment_ids,
            segment_rel_offset: batch.segment_rel_offset,
            segment_rel: batch.segment_rel,
            span: batch.span,
            ext_table_ids: batch.ext_table_ids,
            ext_table_sub: batch.ext_table_sub,
        }
    }
}

impl CpmBeePrompt {
    /// The rows of a batch, each without its padding.
    pub fn from_batch(batch: &InferenceBatch) -> Vec<Self> {
        (0..batch.batch)
            .map(|row| Self::from_row(batch, row))
            .collect()
    }

    fn from_row(batch: &InferenceBatch, row: usize) -> Self {
        let columns = row * batch.seq..(row + 1) * batch.seq;
        let padding = batch.num_segments[columns.clone()]
            .iter()
            .take_while(|&&segments| segments == 0)
            .count();
        let columns = columns.start + padding..columns.end;
        let take = |values: &[i32]| values[columns.clone()].to_vec();
        let relations = row * batch.rel_width..(row + 1) * batch.rel_width;
        let info = &batch.rows[row];
        Self {
            ids: take(&batch.input_ids),
            sub_ids: take(&batch.input_id_subs),
            tokens: CpmBeeStep {
                batch: 1,
                len: columns.len(),
                position: take(&batch.input_pos),
                context: batch.context[columns.clone()].to_vec(),
                sample_ids: take(&batch.sample_idx),
                num_segments: take(&batch.num_segments),
                segment_ids: take(&batch.segment_ids),
                segment_rel_offset: take(&batch.segment_rel_offset),
            },
            pictures: batch.image_bound[row]
                .iter()
                .map(|bound| bound.start - padding..bound.end - padding)
                .collect(),
            segment_rel: batch.segment_rel[relations].to_vec(),
            ext_table_ids: batch.batch_ext_table_ids.clone(),
            ext_table_sub: batch.batch_ext_table_sub.clone(),
            allowed_ext: info.ext_table.iter().map(|(id, _)| id).collect(),
            answer_segments: info.predict_segments.clone(),
        }
    }
}

impl From<&CpmBeeTokenizer> for AnswerTokens {
    fn from(tokenizer: &CpmBeeTokenizer) -> Self {
        Self {
            bos: tokenizer.bos_id(),
            eos: tokenizer.eos_id(),
            unk: tokenizer.unk_id(),
        }
    }
}
