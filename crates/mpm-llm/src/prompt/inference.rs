//! Prompts whose answers are to be found.

use std::collections::HashMap;
use std::ops::Range;

use super::{ANSWER_KEY, EncodedPrompt, PromptEncoder, PromptValue};
use crate::LlmError;
use crate::decoding::Token;
use crate::tokenizer::{CpmBeeTokenizer, ExtTable};

/// A prompt and worked examples for it.
#[derive(Debug, Clone, Copy)]
pub struct InferenceInput<'a> {
    /// The prompt. What is below `<ans>` only says which answers there are: a text for one, a map
    /// for several; the texts themselves are not used.
    pub prompt: &'a PromptValue,
    /// Examples with their answers, which the model reads along.
    pub samples: &'a [PromptValue],
}

impl<'a> From<&'a PromptValue> for InferenceInput<'a> {
    fn from(prompt: &'a PromptValue) -> Self {
        Self {
            prompt,
            samples: &[],
        }
    }
}

/// What decoding needs to know about one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferenceRow {
    /// The segments of the answers to find, in their order.
    pub predict_segments: Vec<i32>,
    /// For each answer the keys below `<ans>` that lead to it; none for a single answer.
    pub answer_placeholders: Vec<Vec<String>>,
    /// The texts of generated ids that are extension tokens.
    pub ext_table: ExtTable,
}

impl InferenceRow {
    /// The texts (markup) of generated tokens, one per answer; `None` for an answer that was not
    /// reached. A last `</s>` is left out.
    ///
    /// # Errors
    /// [`LlmError::UnknownId`] for an id in neither table.
    pub fn answers(
        &self,
        tokenizer: &CpmBeeTokenizer,
        tokens: &[Token],
    ) -> Result<Vec<Option<String>>, LlmError> {
        (0..self.answer_placeholders.len())
            .map(|answer| {
                let of_answer = tokens.iter().filter(|token| token.answer == answer);
                let mut ids: Vec<i32> = of_answer.map(|token| token.id).collect();
                if ids.is_empty() {
                    return Ok(None);
                }
                ids.pop_if(|id| *id == tokenizer.eos_id());
                tokenizer.decode(&ids, &self.ext_table).map(Some)
            })
            .collect()
    }
}

/// Prompts side by side. Matrices are row-major; rows are padded with 0 on the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferenceBatch {
    /// The number of rows.
    pub batch: usize,
    /// The width of the rows: the longest prompt.
    pub seq: usize,
    /// Tokens, `[batch, seq]`.
    pub input_ids: Vec<i32>,
    /// Sub ids, `[batch, seq]`.
    pub input_id_subs: Vec<i32>,
    /// Positions from 0, `[batch, seq]`.
    pub input_pos: Vec<i32>,
    /// True for tokens, false for padding, `[batch, seq]`.
    pub context: Vec<bool>,
    /// Which prompt of the row a token belongs to: 0 for the prompt, from 1 for its samples,
    /// `[batch, seq]`.
    pub sample_idx: Vec<i32>,
    /// The number of segments of a token's prompt, `[batch, seq]`.
    pub num_segments: Vec<i32>,
    /// Segments, `[batch, seq]`.
    pub segment_ids: Vec<i32>,
    /// Where the relations of a token's prompt begin in its row of `segment_rel`, `[batch, seq]`.
    pub segment_rel_offset: Vec<i32>,
    /// Relation buckets, `[batch, rel_width]`, padded with 0 on the right.
    pub segment_rel: Vec<i32>,
    /// The width of `segment_rel`.
    pub rel_width: usize,
    /// The tokens of the extension table, `[ext]`; may be empty. Generated ids from the
    /// vocabulary's size on are rows of it.
    pub batch_ext_table_ids: Vec<i32>,
    /// Their sub ids, `[ext]`.
    pub batch_ext_table_sub: Vec<i32>,
    /// The tokens that picture features take the place of: for each row, one range per picture.
    pub image_bound: Vec<Vec<Range<usize>>>,
    /// What decoding needs, one per row.
    pub rows: Vec<InferenceRow>,
}

impl InferenceBatch {
    /// Encodes prompts. A prompt of more than `max_len` tokens, its answer slots included, is cut;
    /// samples do not count.
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without prompts, [`LlmError::NoAnswer`] for one without `<ans>`,
    /// [`LlmError::Truncation`] when cutting would lose an answer slot or a picture, else as
    /// [`PromptEncoder::encode`].
    pub fn new<'a, I>(
        encoder: &PromptEncoder<'_>,
        inputs: impl IntoIterator<Item = I>,
        max_len: Option<usize>,
    ) -> Result<Self, LlmError>
    where
        I: Into<InferenceInput<'a>>,
    {
        let rows = inputs
            .into_iter()
            .map(|input| Row::new(encoder, input.into(), max_len))
            .collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            return Err(LlmError::EmptyBatch);
        }
        let seq = rows.iter().map(|row| row.ids.len()).fold(0, usize::max);
        let rel_width = rows.iter().map(|row| row.rel.len()).fold(0, usize::max);
        let vocab_size = encoder.tokenizer().vocab_size() as i32;
        let mut ext = BatchExtTable::default();
        let mut batch = Self {
            batch: rows.len(),
            seq,
            input_ids: left_padded(&rows, seq, |row| row.ids.clone()),
            input_id_subs: left_padded(&rows, seq, |row| row.subs.clone()),
            input_pos: left_padded(&rows, seq, |row| (0..row.ids.len() as i32).collect()),
            context: left_padded(&rows, seq, |row| vec![true; row.ids.len()]),
            sample_idx: left_padded(&rows, seq, |row| row.sample_idx.clone()),
            num_segments: left_padded(&rows, seq, |row| row.num_segments.clone()),
            segment_ids: left_padded(&rows, seq, |row| row.segments.clone()),
            segment_rel_offset: left_padded(&rows, seq, |row| row.rel_offset.clone()),
            segment_rel: Vec::with_capacity(rows.len() * rel_width),
            rel_width,
            batch_ext_table_ids: Vec::new(),
            batch_ext_table_sub: Vec::new(),
            image_bound: Vec::with_capacity(rows.len()),
            rows: Vec::with_capacity(rows.len()),
        };
        for (index, row) in rows.into_iter().enumerate() {
            let padding = seq - row.ids.len();
            batch.segment_rel.extend(row.rel);
            batch.segment_rel.resize((index + 1) * rel_width, 0);
            let shift = |b: Range<usize>| b.start + padding..b.end + padding;
            batch
                .image_bound
                .push(row.pictures.into_iter().map(shift).collect());
            let mut ext_table = ExtTable::new();
            for (base, sub, text) in row.ext {
                let id = if sub > 0 {
                    vocab_size + ext.index(base, sub)
                } else {
                    base
                };
                ext_table.insert(id, text);
            }
            batch.rows.push(InferenceRow {
                predict_segments: row.predict_segments,
                answer_placeholders: row.answer_placeholders,
                ext_table,
            });
        }
        batch.batch_ext_table_ids = ext.ids;
        batch.batch_ext_table_sub = ext.subs;
        Ok(batch)
    }
}

/// The extension tokens of a batch, in the order in which they come.
#[derive(Debug, Default)]
struct BatchExtTable {
    indices: HashMap<(i32, i32), i32>,
    ids: Vec<i32>,
    subs: Vec<i32>,
}

impl BatchExtTable {
    /// The row of a token with a sub id, a new one where it has none.
    fn index(&mut self, id: i32, sub: i32) -> i32 {
        let Self { indices, ids, subs } = self;
        *indices.entry((id, sub)).or_insert_with(|| {
            ids.push(id);
            subs.push(sub);
            ids.len() as i32 - 1
        })
    }
}

/// A prompt with its samples, before padding.
#[derive(Default)]
struct Row {
    ids: Vec<i32>,
    subs: Vec<i32>,
    segments: Vec<i32>,
    sample_idx: Vec<i32>,
    num_segments: Vec<i32>,
    rel_offset: Vec<i32>,
    rel: Vec<i32>,
    pictures: Vec<Range<usize>>,
    /// Base, sub id and text of each extension token but answer slots.
    ext: Vec<(i32, i32, String)>,
    predict_segments: Vec<i32>,
    answer_placeholders: Vec<Vec<String>>,
}

impl Row {
    fn new(
        encoder: &PromptEncoder<'_>,
        input: InferenceInput<'_>,
        max_len: Option<usize>,
    ) -> Result<Self, LlmError> {
        let mut row = Self::default();
        let prompt = with_placeholders(input.prompt, &mut row.answer_placeholders);
        if row.answer_placeholders.is_empty() {
            return Err(LlmError::NoAnswer);
        }
        let mut encoded = encoder.encode(&prompt)?;
        if let Some(max_len) = max_len {
            encoded.truncate(max_len)?;
        }
        row.predict_segments = answer_segments(&encoded);
        let mut sample = 0;
        row.push(&encoded, sample);
        let mut ext = encoded.ext;
        for prompt in input.samples {
            let encoded = encoder.encode_after(prompt, ext)?;
            sample += 1;
            row.push(&encoded, sample);
            ext = encoded.ext;
        }
        let ans = encoder.tokenizer().ans_id();
        for (base, ids) in ext.bases().filter(|&(base, _)| base != ans) {
            for (sub, &id) in (0..).zip(ids) {
                let text = ext.table.get(id).unwrap_or_default();
                row.ext.push((base, sub, text.to_owned()));
            }
        }
        Ok(row)
    }

    /// Appends the given tokens of the prompt, or all of a sample.
    fn push(&mut self, encoded: &EncodedPrompt, sample: i32) {
        let start = self.ids.len();
        // Answer slots are filled while decoding, so they are not part of the input. They may lie
        // before other tokens, which then move to the left.
        let kept: Vec<usize> = (0..encoded.len())
            .filter(|&i| sample > 0 || encoded.context[i])
            .collect();
        let pick = |values: &[i32]| kept.iter().map(|&i| values[i]).collect::<Vec<_>>();
        self.ids.extend(pick(&encoded.ids));
        self.subs.extend(pick(&encoded.sub_ids));
        self.segments.extend(pick(&encoded.segment_ids));
        let end = self.ids.len();
        self.sample_idx.resize(end, sample);
        self.num_segments.resize(end, encoded.num_segments as i32);
        self.rel_offset.resize(end, self.rel.len() as i32);
        self.rel.extend(&encoded.segment_rel);
        let moved = |at: usize| start + kept.partition_point(|&i| i < at);
        let bounds = encoded.picture_bounds.iter();
        self.pictures
            .extend(bounds.map(|b| moved(b.start)..moved(b.end)));
    }
}

/// The prompt with `<ans_1>`, `<ans_2>`, … in place of its answers.
fn with_placeholders(prompt: &PromptValue, paths: &mut Vec<Vec<String>>) -> PromptValue {
    fn replace(value: &PromptValue, path: &[String], paths: &mut Vec<Vec<String>>) -> PromptValue {
        match value {
            PromptValue::Text(_) => {
                paths.push(path.to_vec());
                format!("<ans_{}>", paths.len()).into()
            }
            PromptValue::Map(entries) => entries
                .iter()
                .map(|(key, value)| {
                    let path = [path, std::slice::from_ref(key)].concat();
                    (key.clone(), replace(value, &path, paths))
                })
                .collect(),
        }
    }
    match prompt {
        PromptValue::Text(_) => prompt.clone(),
        PromptValue::Map(entries) => entries
            .iter()
            .map(|(key, value)| {
                let value = if key == ANSWER_KEY {
                    replace(value, &[], paths)
                } else {
                    value.clone()
                };
                (key.clone(), value)
            })
            .collect(),
    }
}

/// The segments of the answers, in their order.
fn answer_segments(encoded: &EncodedPrompt) -> Vec<i32> {
    let tokens = encoded.segment_ids.iter().zip(&encoded.context);
    let mut segments: Vec<i32> = tokens
        .filter(|(_, given)| !**given)
        .map(|(s, _)| *s)
        .collect();
    segments.dedup();
    segments
}

fn left_padded<T: Clone + Default>(
    rows: &[Row],
    width: usize,
    row: impl Fn(&Row) -> Vec<T>,
) -> Vec<T> {
    let mut matrix = Vec::with_capacity(rows.len() * width);
    for values in rows.iter().map(row) {
        matrix.resize(matrix.len() + width - values.len(), T::default());
        matrix.extend(values);
    }
    matrix
}
