//! Prompts to ids.

use std::collections::HashMap;
use std::ops::Range;

use super::PromptValue;
use super::tree::{DEFAULT_MAX_DEPTH, Segment, relations, segments};
use crate::LlmError;
use crate::tokenizer::{CpmBeeTokenizer, ExtTable};

/// Extension tokens of a prompt and the sub ids they have.
///
/// The model sees an extension token as a token of the vocabulary (`<unk>`, `<ans>`, …) and a sub
/// id that counts the different ones of the same base. The first has sub id 0 and so looks like the
/// plain token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtState {
    /// The tokenizer's table: extension ids to texts.
    pub table: ExtTable,
    bases: Vec<(i32, Vec<i32>)>,
    subs: HashMap<i32, (i32, i32)>,
}

impl ExtState {
    /// The bases in the order in which they came, each with its extension ids in the order of
    /// their sub ids.
    pub fn bases(&self) -> impl Iterator<Item = (i32, &[i32])> {
        self.bases.iter().map(|(base, ids)| (*base, ids.as_slice()))
    }

    /// The base and the sub id of an extension id.
    pub fn sub_id(&self, ext_id: i32) -> Option<(i32, i32)> {
        self.subs.get(&ext_id).copied()
    }

    /// The text that a token with this base and sub id stands for.
    pub fn text(&self, base: i32, sub: i32) -> Option<&str> {
        let (_, ids) = self.bases.iter().find(|(b, _)| *b == base)?;
        self.table.get(*ids.get(usize::try_from(sub).ok()?)?)
    }

    fn resolve(&mut self, ext_id: i32, base: i32) -> (i32, i32) {
        let Self { bases, subs, .. } = self;
        *subs.entry(ext_id).or_insert_with(|| {
            let index = bases.iter().position(|(b, _)| *b == base);
            let index = index.unwrap_or_else(|| {
                bases.push((base, Vec::new()));
                bases.len() - 1
            });
            let ids = &mut bases[index].1;
            ids.push(ext_id);
            (base, ids.len() as i32 - 1)
        })
    }
}

/// A prompt as a model reads it. All rows have one entry per token, `[seq]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPrompt {
    /// Tokens of the vocabulary.
    pub ids: Vec<i32>,
    /// Which extension token of that base it is; 0 for plain tokens.
    pub sub_ids: Vec<i32>,
    /// Whether the token is given (and seen by all others) instead of predicted.
    pub context: Vec<bool>,
    /// The segment of the token.
    pub segment_ids: Vec<i32>,
    /// Relation buckets, row-major `[num_segments, num_segments]`.
    pub segment_rel: Vec<i32>,
    /// The number of segments.
    pub num_segments: usize,
    /// The extension tokens, those of earlier prompts included.
    pub ext: ExtState,
    /// The tokens that picture features take the place of, one range per picture.
    pub picture_bounds: Vec<Range<usize>>,
}

impl EncodedPrompt {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never true: a prompt has its root.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Cuts the prompt to its first `limit` tokens.
    ///
    /// # Errors
    /// [`LlmError::Truncation`] when a picture would be cut, or an answer would not keep its first
    /// token. The prompt is then as before.
    pub fn truncate(&mut self, limit: usize) -> Result<(), LlmError> {
        let length = self.len();
        if length <= limit {
            return Ok(());
        }
        let pictures = self.picture_bounds.iter().map(|bound| bound.end).max();
        for (needed, lost) in [
            (pictures.unwrap_or(0), "a picture"),
            (self.answers_end(), "an answer slot"),
        ] {
            if needed > limit {
                return Err(LlmError::Truncation {
                    length,
                    limit,
                    needed,
                    lost,
                });
            }
        }
        self.ids.truncate(limit);
        self.sub_ids.truncate(limit);
        self.context.truncate(limit);
        self.segment_ids.truncate(limit);
        Ok(())
    }

    /// Where the last answer has its first token behind it.
    fn answers_end(&self) -> usize {
        let Some(last) = self.context.iter().rposition(|&context| !context) else {
            return 0;
        };
        let segment = self.segment_ids[last];
        let start = self.segment_ids[..last]
            .iter()
            .rposition(|&s| s != segment)
            .map_or(0, |before| before + 1);
        // The answer's `<s>` and one token, where it has one.
        (start + 2).min(last + 1)
    }
}

/// Encodes prompts with a tokenizer.
///
/// ```
/// # use mpm_llm::tokenizer::{CpmBeeTokenizer, Vocabulary};
/// use mpm_llm::prompt::{PromptEncoder, PromptValue};
///
/// # fn main() -> Result<(), mpm_llm::LlmError> {
/// # let file = b"<pad>\n<unk>\n<mask>\n<sep>\n</n>\n</_>\n<s>\n</s>\n<root>\n<ans>\nq\nwhy\nso\n";
/// # let tokenizer = CpmBeeTokenizer::new(Vocabulary::parse(file)?)?;
/// let prompt = PromptValue::from([("q", "why"), ("<ans>", "so")]);
/// let encoded = PromptEncoder::new(&tokenizer).encode(&prompt)?;
/// // <s> <root> </s>, <s> q </s>, <s> why </s>, <s> <ans> </s>, <s> so
/// assert_eq!(encoded.ids, [6, 8, 7, 6, 10, 7, 6, 11, 7, 6, 9, 7, 6, 12]);
/// assert_eq!(encoded.context.iter().filter(|&&given| !given).count(), 2);
/// assert_eq!(encoded.num_segments, 5);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct PromptEncoder<'a> {
    tokenizer: &'a CpmBeeTokenizer,
    max_depth: usize,
}

impl<'a> PromptEncoder<'a> {
    /// An encoder that tells [`DEFAULT_MAX_DEPTH`] levels apart.
    pub fn new(tokenizer: &'a CpmBeeTokenizer) -> Self {
        Self {
            tokenizer,
            max_depth: DEFAULT_MAX_DEPTH,
        }
    }

    /// Sets how many levels the segment relation tells apart (at least 1). The model needs
    /// `max_depth²+1` segment buckets.
    pub fn with_max_depth(mut self, max_depth: usize) -> Self {
        self.max_depth = max_depth.max(1);
        self
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &'a CpmBeeTokenizer {
        self.tokenizer
    }

    /// Encodes a prompt.
    ///
    /// # Errors
    /// Broken markup, a special token without its base in the vocabulary, or a prompt that is too
    /// deep or has too many segments.
    pub fn encode(&self, prompt: &PromptValue) -> Result<EncodedPrompt, LlmError> {
        self.encode_after(prompt, ExtState::default())
    }

    /// Encodes a prompt that shares extension tokens with earlier ones.
    ///
    /// # Errors
    /// As [`PromptEncoder::encode`].
    pub fn encode_after(
        &self,
        prompt: &PromptValue,
        ext: ExtState,
    ) -> Result<EncodedPrompt, LlmError> {
        let segments = segments(prompt)?;
        let mut encoded = EncodedPrompt {
            ids: Vec::new(),
            sub_ids: Vec::new(),
            context: Vec::new(),
            segment_ids: Vec::new(),
            segment_rel: relations(&segments, self.max_depth),
            num_segments: segments.len(),
            ext,
            picture_bounds: Vec::new(),
        };
        for (index, segment) in segments.iter().enumerate() {
            self.push_segment(&mut encoded, index, segment)?;
        }
        Ok(encoded)
    }

    fn push_segment(
        &self,
        encoded: &mut EncodedPrompt,
        index: usize,
        segment: &Segment<'_>,
    ) -> Result<(), LlmError> {
        let ext = &mut encoded.ext;
        let begin = encoded.ids.len();
        encoded.ids.push(self.tokenizer.bos_id());
        encoded.sub_ids.push(0);
        for id in self.tokenizer.encode_with(segment.text, &mut ext.table)? {
            let (id, sub) = match ext.table.get(id) {
                None => (id, 0),
                Some(text) => {
                    let base = self.tokenizer.base_id(text)?;
                    ext.resolve(id, base)
                }
            };
            encoded.ids.push(id);
            encoded.sub_ids.push(sub);
        }
        // An answer goes on: its `</s>` is for the model to predict.
        if !segment.is_answer {
            encoded.ids.push(self.tokenizer.eos_id());
            encoded.sub_ids.push(0);
        }
        let end = encoded.ids.len();
        if segment.is_picture {
            encoded.picture_bounds.push(begin + 1..end - 1);
        }
        encoded.context.resize(end, !segment.is_answer);
        encoded.segment_ids.resize(end, index as i32);
        Ok(())
    }
}
