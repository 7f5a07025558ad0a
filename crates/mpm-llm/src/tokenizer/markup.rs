//! The markup of texts: `<name>` for special tokens, `<<` for a plain `<`.

use std::borrow::Cow;

use crate::LlmError;

/// Turns plain text into markup that means exactly this text.
///
/// ```
/// assert_eq!(mpm_llm::tokenizer::escape("a < <b>"), "a << <<b>");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    replace(text, "<", "<<")
}

/// Turns `<<` back into `<`: the inverse of [`escape`]. Special tokens stay as they are.
///
/// ```
/// assert_eq!(mpm_llm::tokenizer::unescape("a << <mask>"), "a < <mask>");
/// ```
pub fn unescape(markup: &str) -> Cow<'_, str> {
    replace(markup, "<<", "<")
}

fn replace<'a>(text: &'a str, from: &str, to: &str) -> Cow<'a, str> {
    if text.contains(from) {
        Cow::Owned(text.replace(from, to))
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a token is written like a special one.
pub(crate) fn is_special(token: &str) -> bool {
    token.starts_with('<') && token.ends_with('>')
}

/// The vocabulary's token that a special token is an instance of: `<ans>` for `<ans_1>`.
pub(crate) fn base_name(special: &str) -> Cow<'_, str> {
    match special.split_once('_') {
        Some((name, _)) => Cow::Owned(format!("{name}>")),
        None => Cow::Borrowed(special),
    }
}

/// A stretch of markup.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Text between special tokens, unescaped. Every `<` in it was written `<<`.
    Text(Cow<'a, str>),
    /// A special token with its brackets.
    Special(&'a str),
}

/// Splits markup into texts and special tokens, from left to right; ends after an error.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    markup: &'a str,
    at: usize,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(markup: &'a str) -> Self {
        Self { markup, at: 0 }
    }

    /// The byte offset in the markup at which the next part begins.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    fn code_points_before(&self, byte: usize) -> usize {
        self.markup[..byte].chars().count()
    }

    fn fail(&mut self, error: LlmError) -> Option<Result<Part<'a>, LlmError>> {
        self.at = self.markup.len();
        Some(Err(error))
    }

    fn special(&mut self, start: usize) -> Option<Result<Part<'a>, LlmError>> {
        let rest = &self.markup[start..];
        // The character after `<` belongs to the name, even a `>`.
        let name = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
        match rest[name..].find(['<', '>']).map(|i| name + i) {
            Some(i) if rest.as_bytes()[i] == b'>' => {
                self.at = start + i + 1;
                Some(Ok(Part::Special(&rest[..=i])))
            }
            Some(i) => {
                let position = self.code_points_before(start + i);
                self.fail(LlmError::InvalidSpecialToken { position })
            }
            None => {
                let position = self.code_points_before(start);
                self.fail(LlmError::UnexpectedEndOfText { position })
            }
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, LlmError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let bytes = self.markup.as_bytes();
        let mut unescaped = String::new();
        // Where the stretch that is not yet in `unescaped` begins.
        let mut copied = start;
        let mut from = start;
        let end = loop {
            let Some(open) = self.markup[from..].find('<').map(|i| from + i) else {
                break self.markup.len();
            };
            if bytes.get(open + 1) != Some(&b'<') {
                break open;
            }
            unescaped.push_str(&self.markup[copied..=open]);
            copied = open + 2;
            from = copied;
        };
        if end > start {
            self.at = end;
            let text = if unescaped.is_empty() {
                Cow::Borrowed(&self.markup[start..end])
            } else {
                unescaped.push_str(&self.markup[copied..end]);
                Cow::Owned(unescaped)
            };
            return Some(Ok(Part::Text(text)));
        }
        if end == self.markup.len() {
            return None;
        }
        self.special(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(markup: &str) -> Vec<Part<'_>> {
        Parts::new(markup).map(|p| p.expect("valid")).collect()
    }

    #[test]
    fn splits_texts_and_special_tokens() {
        assert_eq!(
            parts("a<<b<x_1><y>c"),
            [
                Part::Text("a<b".into()),
                Part::Special("<x_1>"),
                Part::Special("<y>"),
                Part::Text("c".into()),
            ]
        );
        assert!(parts("").is_empty());
    }

    #[test]
    fn the_first_character_of_a_name_may_be_a_bracket() {
        assert_eq!(parts("<>a>"), [Part::Special("<>a>")]);
    }

    #[test]
    fn positions_count_code_points() {
        let error = |markup| Parts::new(markup).find_map(Result::err).expect("an error");
        assert!(matches!(
            error("你<好<"),
            LlmError::InvalidSpecialToken { position: 3 }
        ));
        assert!(matches!(
            error("你<<好<"),
            LlmError::UnexpectedEndOfText { position: 4 }
        ));
    }

    #[test]
    fn instances_name_their_base() {
        assert_eq!(base_name("<ans_1>"), "<ans>");
        assert_eq!(base_name("<mask_b_c>"), "<mask>");
        assert_eq!(base_name("<mask>"), "<mask>");
        assert_eq!(base_name("<_x>"), "<>");
    }
}
