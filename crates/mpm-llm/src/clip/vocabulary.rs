//! A tokenizer in two files, as CLIP's were published first and Stable Diffusion's still are.

use std::collections::BTreeMap;

use mpm_core::pretrained::{PretrainedError, PretrainedFolder};
use serde_json::json;

use super::tokenizer::{END, START};
use crate::LlmError;

/// From tokens to ids.
pub(super) const VOCABULARY_FILE: &str = "vocab.json";
/// The pairs of tokens that are merged, one a line, the first to be merged first.
const MERGES_FILE: &str = "merges.txt";

/// The words of a text, in which pairs are merged.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// The content of `tokenizer.json` that says the same as the two files; `None` when the folder lacks
/// one of them.
///
/// Source: `CLIPConverter` in `convert_slow_tokenizer.py` of `transformers`.
pub(super) fn read(folder: &PretrainedFolder) -> Result<Option<Vec<u8>>, PretrainedError> {
    let vocabulary: Option<BTreeMap<String, u32>> = folder.json(VOCABULARY_FILE)?;
    let merges = folder.bytes(MERGES_FILE)?;
    let (Some(vocabulary), Some(merges)) = (vocabulary, merges) else {
        return Ok(None);
    };
    let merges = merges_of(&merges).map_err(|error| folder.unusable(MERGES_FILE, error))?;
    let specials = [START, END].into_iter().filter_map(|content| {
        let id = vocabulary.get(content)?;
        Some(json!({
            "id": id, "content": content, "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false,
        }))
    });
    let specials: Vec<_> = specials.collect();
    let file = json!({
        "version": "1.0",
        "added_tokens": specials,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Removed", "invert": true},
            {
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                "use_regex": true,
            },
        ]},
        "model": {
            "type": "BPE", "unk_token": END, "end_of_word_suffix": "</w>", "fuse_unk": false,
            "vocab": vocabulary, "merges": merges,
        },
    });
    Ok(Some(file.to_string().into_bytes()))
}

/// The pairs of a file, whose first line may name a version.
fn merges_of(file: &[u8]) -> Result<Vec<[&str; 2]>, LlmError> {
    let wrong = |reason: String| LlmError::ClipTokenizer { reason };
    let text = std::str::from_utf8(file).map_err(|error| wrong(error.to_string()))?;
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match line.split_once(' ') {
            _ if line.is_empty() || line.starts_with("#version") => {}
            Some((left, right)) if !right.contains(' ') => pairs.push([left, right]),
            _ => {
                return Err(wrong(format!(
                    "line {number} is no pair of tokens with a space between them"
                )));
            }
        }
    }
    Ok(pairs)
}
