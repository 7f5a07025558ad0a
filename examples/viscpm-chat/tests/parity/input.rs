//! The input of a case.

use std::ops::Range;

use mpm_llm::cpm_bee::CpmBeeInput;
use mpm_test_support::Case;

pub fn input(case: &Case) -> CpmBeeInput {
    let shape = case.shape("in.input_ids");
    CpmBeeInput {
        batch: shape[0],
        seq_len: shape[1],
        ids: case.ints("in.input_ids"),
        sub_ids: case.ints("in.input_id_subs"),
        length: case.ints("in.length"),
        context: case.bools("in.context"),
        sample_ids: case.ints("in.sample_ids"),
        num_segments: case.ints("in.num_segments"),
        segment_ids: case.ints("in.segment_ids"),
        segment_rel_offset: case.ints("in.segment_rel_offset"),
        segment_rel: case.ints("in.segment_rel"),
        span: case.ints("in.span"),
        ext_table_ids: case.ints("in.ext_table_ids"),
        ext_table_sub: case.ints("in.ext_table_sub"),
    }
}

/// For each row the slots of its pictures; `in.image_bound` is
/// `[batch, pictures, 2]`.
pub fn bounds(case: &Case) -> Vec<Vec<Range<usize>>> {
    let pairs: Vec<_> = case
        .ints("in.image_bound")
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&[start, end]| start as usize..end as usize)
        .collect();
    let pictures = case.shape("in.image_bound")[1];
    pairs.chunks(pictures).map(<[_]>::to_vec).collect()
}
