//! Segments of a prompt and how they relate.

use super::{ANSWER_KEY, PICTURE_KEY, PromptValue};
use crate::LlmError;

/// Levels that the segment relation tells apart; farther ones count as the last.
pub const DEFAULT_MAX_DEPTH: usize = 8;

/// The deepest nesting of maps that a prompt may have.
pub const MAX_NESTING: usize = 128;

/// The most segments (keys and texts) that a prompt may have. Relations take the square of it.
pub const MAX_SEGMENTS: usize = 4096;

/// The bucket of a relation that goes `up` levels to the common ancestor and `down` from there.
/// Bucket 1 is kept for in-context samples.
pub fn relation_bucket(up: usize, down: usize, max_depth: usize) -> i32 {
    match up * max_depth + down {
        0 => 0,
        bucket => bucket as i32 + 1,
    }
}

/// A key or a text, in the order of the input.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) text: &'a str,
    /// To be predicted: a text below `<ans>`.
    pub(crate) is_answer: bool,
    /// Slots for a picture: a text below `image`.
    pub(crate) is_picture: bool,
    parent: usize,
    depth: usize,
}

/// The segments of a prompt, its root first, parents before their children.
pub(crate) fn segments(prompt: &PromptValue) -> Result<Vec<Segment<'_>>, LlmError> {
    let mut segments = vec![Segment {
        text: "<root>",
        is_answer: false,
        is_picture: false,
        parent: 0,
        depth: 0,
    }];
    // Values to visit, the next one last, with the segment they belong to.
    let mut pending = vec![Visit::Value {
        value: prompt,
        parent: 0,
        is_answer: false,
        is_picture: false,
    }];
    while let Some(visit) = pending.pop() {
        let (text, parent, is_answer, is_picture) = match visit {
            Visit::Value {
                value: PromptValue::Text(text),
                parent,
                is_answer,
                is_picture,
            } => (text, parent, is_answer, is_picture),
            Visit::Value {
                value: PromptValue::Map(entries),
                parent,
                is_answer,
                is_picture,
            } => {
                pending.extend(entries.iter().rev().map(|(key, value)| Visit::Entry {
                    key,
                    value,
                    parent,
                    is_answer,
                    is_picture,
                }));
                continue;
            }
            Visit::Entry {
                key,
                value,
                parent,
                is_answer,
                is_picture,
            } => {
                let top = segments[parent].depth == 0;
                pending.push(Visit::Value {
                    value,
                    parent: segments.len(),
                    is_answer: is_answer || (top && key == ANSWER_KEY),
                    is_picture: is_picture || (top && key == PICTURE_KEY),
                });
                (key, parent, false, false)
            }
        };
        let depth = segments[parent].depth + 1;
        let (what, limit) = if depth > MAX_NESTING + 1 {
            ("levels", MAX_NESTING)
        } else if segments.len() == MAX_SEGMENTS {
            ("segments", MAX_SEGMENTS)
        } else {
            segments.push(Segment {
                text,
                is_answer,
                is_picture,
                parent,
                depth,
            });
            continue;
        };
        return Err(LlmError::PromptSize { what, limit });
    }
    Ok(segments)
}

/// A part of the tree that is not visited yet.
enum Visit<'a> {
    Value {
        value: &'a PromptValue,
        parent: usize,
        is_answer: bool,
        is_picture: bool,
    },
    Entry {
        key: &'a String,
        value: &'a PromptValue,
        parent: usize,
        is_answer: bool,
        is_picture: bool,
    },
}

/// The relation buckets of all pairs of segments, row-major `[segments, segments]`.
pub(crate) fn relations(segments: &[Segment<'_>], max_depth: usize) -> Vec<i32> {
    let n = segments.len();
    let clamp = |levels: usize| levels.min(max_depth - 1);
    let mut relations = vec![0; n * n];
    for (j, segment) in segments.iter().enumerate().skip(1) {
        // Parents come before their children, so the segments from an ancestor to the next nearer
        // one meet this segment in that ancestor.
        let (mut ancestor, mut end) = (segment.parent, j);
        loop {
            let common = segments[ancestor].depth;
            for i in ancestor..end {
                let (up, down) = (
                    clamp(segments[i].depth - common),
                    clamp(segment.depth - common),
                );
                relations[i * n + j] = relation_bucket(up, down, max_depth);
                relations[j * n + i] = relation_bucket(down, up, max_depth);
            }
            if ancestor == 0 {
                break;
            }
            end = ancestor;
            ancestor = segments[ancestor].parent;
        }
    }
    relations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_meet_in_their_parent() {
        let prompt = PromptValue::from([("a", "x"), ("b", "y")]);
        let segments = segments(&prompt).expect("small");
        let texts: Vec<_> = segments.iter().map(|s| s.text).collect();
        assert_eq!(texts, ["<root>", "a", "x", "b", "y"]);
        let relations = relations(&segments, 8);
        assert_eq!(relations[2 * 5 + 4], relation_bucket(2, 2, 8));
        assert_eq!(relations[5 + 4], relation_bucket(1, 2, 8));
        assert_eq!(relations[4 * 5], relation_bucket(2, 0, 8));
    }

    #[test]
    fn too_large_prompts_are_errors() {
        let mut deep = PromptValue::from("x");
        for _ in 0..=MAX_NESTING {
            deep = PromptValue::from([("k", deep)]);
        }
        assert!(matches!(
            segments(&deep),
            Err(LlmError::PromptSize { what: "levels", .. })
        ));
        let wide: PromptValue = (0..MAX_SEGMENTS).map(|i| (i.to_string(), "x")).collect();
        assert!(matches!(
            segments(&wide),
            Err(LlmError::PromptSize {
                what: "segments",
                ..
            })
        ));
    }
}
