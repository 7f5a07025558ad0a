//! From the collator's batches to the model's input.

use super::CpmBeeInput;
use crate::prompt::TrainingBatch;

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
