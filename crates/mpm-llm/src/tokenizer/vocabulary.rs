//! Vocabulary files.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::markup::is_special;
use crate::LlmError;

/// How the published file writes a newline and a space, and what they stand for.
const WRITTEN: [(&str, &str); 2] = [("</n>", "\n"), ("</_>", " ")];

/// The special tokens that prompts and decoding need, as the file writes them.
const REQUIRED: [&str; 9] = [
    "<pad>", "<unk>", "<mask>", "</n>", "</_>", "<s>", "</s>", "<root>", "<ans>",
];

/// A vocabulary: tokens with the ids 0, 1, 2, …
///
/// # File format
/// The one that CPM-Bee publishes: UTF-8, one token a line, the line's number is the id; `</n>`
/// stands for a newline and `</_>` for a space. Empty lines are skipped. Tokens of the form
/// `<…>` are special: they are matched only where they are written as markup, never in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// Reads a vocabulary file.
    ///
    /// # Errors
    /// [`LlmError::VocabularyIo`] when the file cannot be read, else as [`Vocabulary::parse`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LlmError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| LlmError::VocabularyIo {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes)
    }

    /// Parses the content of a vocabulary file.
    ///
    /// # Errors
    /// Not UTF-8, no token, a token twice, or a special token missing.
    pub fn parse(bytes: &[u8]) -> Result<Self, LlmError> {
        let text =
            std::str::from_utf8(bytes).map_err(|source| LlmError::VocabularyEncoding { source })?;
        Self::from_written(
            text.split('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line))
                .filter(|line| !line.is_empty()),
        )
    }

    /// Makes a vocabulary of tokens as the file writes them, in the order of their ids.
    ///
    /// # Errors
    /// No token, a token twice, or a special token missing.
    pub fn from_written<'a>(written: impl IntoIterator<Item = &'a str>) -> Result<Self, LlmError> {
        let mut tokens = Vec::new();
        let mut ids = HashMap::new();
        for line in written {
            let token = WRITTEN
                .iter()
                .find(|(written, _)| *written == line)
                .map_or(line, |(_, meant)| meant);
            let second = tokens.len();
            if let Some(first) = ids.insert(token.to_owned(), second as u32) {
                return Err(LlmError::VocabularyDuplicate {
                    token: token.to_owned(),
                    first: first as usize,
                    second,
                });
            }
            tokens.push(token.to_owned());
        }
        if tokens.is_empty() {
            return Err(LlmError::VocabularyEmpty);
        }
        let vocabulary = Self { tokens, ids };
        let missing: Vec<&str> = REQUIRED
            .into_iter()
            .filter(|token| vocabulary.id(meaning(token)).is_none())
            .collect();
        if missing.is_empty() {
            Ok(vocabulary)
        } else {
            Err(LlmError::VocabularyMissing { tokens: missing })
        }
    }

    /// The content of a vocabulary file with these tokens.
    pub fn to_file_content(&self) -> String {
        let mut content = String::new();
        for token in &self.tokens {
            let written = WRITTEN
                .iter()
                .find(|(_, meant)| meant == token)
                .map_or(token.as_str(), |(written, _)| written);
            content.push_str(written);
            content.push('\n');
        }
        content
    }

    /// Writes a vocabulary file.
    ///
    /// # Errors
    /// [`LlmError::VocabularyIo`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), LlmError> {
        let path = path.as_ref();
        fs::write(path, self.to_file_content()).map_err(|source| LlmError::VocabularyIo {
            path: path.to_owned(),
            source,
        })
    }

    /// The number of tokens, special ones included.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never true: a vocabulary has its special tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The id of a token. Newline and space are `"\n"` and `" "`, not `</n>` and `</_>`.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// The token of an id.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// All tokens with their ids, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..).zip(self.tokens.iter().map(String::as_str))
    }

    /// The tokens that are matched in plain text: all but the special ones.
    pub fn words(&self) -> impl Iterator<Item = (u32, &str)> {
        self.iter().filter(|(_, token)| !is_special(token))
    }

    /// The length of the longest token, in code points.
    pub fn max_word_len(&self) -> usize {
        self.tokens
            .iter()
            .map(|token| token.chars().count())
            .max()
            .unwrap_or(0)
    }
}

fn meaning(written: &'static str) -> &'static str {
    WRITTEN
        .iter()
        .find(|(w, _)| *w == written)
        .map_or(written, |(_, meant)| meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIAL: &str = "<pad>\n<unk>\n<mask>\n<sep>\n</n>\n</_>\n<s>\n</s>\n<root>\n<ans>\n";

    #[test]
    fn reads_what_it_writes() {
        let file = format!("{SPECIAL}a\n b\n<\n");
        let vocabulary = Vocabulary::parse(file.as_bytes()).expect("valid");
        assert_eq!(vocabulary.to_file_content(), file);
        assert_eq!(vocabulary.id("\n"), Some(4));
        assert_eq!(vocabulary.token(5), Some(" "));
        assert_eq!(vocabulary.id("</n>"), None);
        assert_eq!(vocabulary.words().count(), 5);
        let crlf = Vocabulary::parse(file.replace('\n', "\r\n").as_bytes()).expect("valid");
        assert_eq!(crlf, vocabulary);
    }

    #[test]
    fn bad_files_are_typed_errors() {
        let error = |bytes: &[u8]| Vocabulary::parse(bytes).expect_err("an error");
        assert!(matches!(error(b"\n\n"), LlmError::VocabularyEmpty));
        assert!(matches!(
            error(b"<pad>\n\xff\n"),
            LlmError::VocabularyEncoding { .. }
        ));
        assert!(matches!(
            error(format!("{SPECIAL}a\na\n").as_bytes()),
            LlmError::VocabularyDuplicate {
                first: 10,
                second: 11,
                ..
            }
        ));
        // A line that is one space is the space token, which `</_>` is already.
        assert!(matches!(
            error(format!("{SPECIAL} \n").as_bytes()),
            LlmError::VocabularyDuplicate { first: 5, .. }
        ));
        match error(
            SPECIAL
                .replace("</_>\n", "")
                .replace("<ans>\n", "")
                .as_bytes(),
        ) {
            LlmError::VocabularyMissing { tokens } => assert_eq!(tokens, ["</_>", "<ans>"]),
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            Vocabulary::from_file("/no/such/vocabulary.txt"),
            Err(LlmError::VocabularyIo { .. })
        ));
    }
}
