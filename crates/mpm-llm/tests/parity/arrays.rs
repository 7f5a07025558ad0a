//! The arrays of a batch, and the numbers of a case's JSON, in the form in which they are compared.

use std::ops::Range;

use mpm_llm::prompt::{InferenceBatch, TrainingBatch};
use serde_json::Value;

/// An array of a batch, in row-major order, under the reference's name.
pub struct Array {
    pub name: &'static str,
    pub shape: Vec<usize>,
    pub values: Vec<i64>,
}

fn array<T: Copy + Into<i64>>(name: &'static str, shape: &[usize], values: &[T]) -> Array {
    Array {
        name,
        shape: shape.to_vec(),
        values: wide(values),
    }
}

/// Every array of a training batch.
pub fn training(batch: &TrainingBatch) -> Vec<Array> {
    let matrix = [batch.batch, batch.seq];
    let relations = [batch.batch, batch.rel_width];
    let ext = [batch.ext_table_ids.len()];
    let pictures = [batch.batch, batch.image_bound[0].len(), 2];
    let image_bound = bounds(batch.image_bound.iter().flatten());
    vec![
        array("input_ids", &matrix, &batch.input_ids),
        array("input_id_subs", &matrix, &batch.input_id_subs),
        array("context", &matrix, &batch.context),
        array("segment_ids", &matrix, &batch.segment_ids),
        array("segment_rel_offset", &matrix, &batch.segment_rel_offset),
        array("segment_rel", &relations, &batch.segment_rel),
        array("sample_ids", &matrix, &batch.sample_ids),
        array("num_segments", &matrix, &batch.num_segments),
        array("length", &[batch.batch], &batch.length),
        array("span", &matrix, &batch.span),
        array("target", &matrix, &batch.target),
        array("ext_table_ids", &ext, &batch.ext_table_ids),
        array("ext_table_sub", &ext, &batch.ext_table_sub),
        array("image_bound", &pictures, &image_bound),
    ]
}

/// Every array of an inference batch.
pub fn inference(batch: &InferenceBatch) -> Vec<Array> {
    let matrix = [batch.batch, batch.seq];
    let relations = [batch.batch, batch.rel_width];
    let ext = [batch.batch_ext_table_ids.len()];
    let pictures = [1, batch.image_bound[0].len(), 2];
    let image_bound = bounds(batch.image_bound.iter().flatten());
    vec![
        array("input_ids", &matrix, &batch.input_ids),
        array("input_id_subs", &matrix, &batch.input_id_subs),
        array("input_pos", &matrix, &batch.input_pos),
        array("context", &matrix, &batch.context),
        array("sample_idx", &matrix, &batch.sample_idx),
        array("num_segments", &matrix, &batch.num_segments),
        array("segment_ids", &matrix, &batch.segment_ids),
        array("segment_rel_offset", &matrix, &batch.segment_rel_offset),
        array("segment_rel", &relations, &batch.segment_rel),
        array("batch_ext_table_ids", &ext, &batch.batch_ext_table_ids),
        array("batch_ext_table_sub", &ext, &batch.batch_ext_table_sub),
        array("image_bound", &pictures, &image_bound),
    ]
}

/// The starts and ends of ranges, one after the other.
pub fn bounds<'a>(ranges: impl IntoIterator<Item = &'a Range<usize>>) -> Vec<i64> {
    ranges
        .into_iter()
        .flat_map(|range| [range.start as i64, range.end as i64])
        .collect()
}

pub fn wide<T: Copy + Into<i64>>(values: &[T]) -> Vec<i64> {
    values.iter().map(|&value| value.into()).collect()
}

/// The integers and truth values of nested lists, one after the other.
pub fn integers(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(items) => items.iter().flat_map(integers).collect(),
        Value::Bool(truth) => vec![i64::from(*truth)],
        number => vec![number.as_i64().unwrap()],
    }
}

pub fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}
