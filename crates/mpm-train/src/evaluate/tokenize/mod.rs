//! Texts cut into words, as the usual implementations of metrics do it.
//!
//! A metric is only comparable with figures that were computed with the same tokenizer, so it is
//! always named.

mod chinese;
mod mteval;
mod penn;
mod rouge_score;

use serde::{Deserialize, Serialize};

/// How a text is cut into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tokenizer {
    /// `13a` of sacrebleu, its default: what WMT's `mteval-v13a` does. Keeps case and punctuation.
    Mteval13a,
    /// `zh` of sacrebleu: each Chinese character is a word, all else as [`Mteval13a`] cuts it.
    /// Japanese kana are *not* among its characters.
    ///
    /// [`Mteval13a`]: Self::Mteval13a
    Chinese,
    /// [`Chinese`](Self::Chinese), and each hiragana and katakana is a word, too. No published
    /// implementation has it: sacrebleu needs a dictionary (MeCab) for Japanese.
    Japanese,
    /// `char` of sacrebleu: each character is a word, white space apart.
    Characters,
    /// The Penn treebank's words in lower case without punctuation, as pycocoevalcap has them:
    /// the tokenizer for captions in languages that put spaces between words. Covers what
    /// captions have of the Stanford tokenizer's rules, not all of them; see `docs/evaluation.md`.
    PennTreebank,
    /// That of the package rouge-score: lower case, runs of `a` to `z` and digits. It cuts German
    /// words at umlauts and finds no words at all in Chinese.
    RougeScore,
}

impl Tokenizer {
    /// The words of a text, in order.
    pub fn tokenize(self, text: &str) -> Vec<String> {
        match self {
            // Sacrebleu takes the white space off the end before anything else.
            Self::Mteval13a => mteval::tokenize(text.trim_end_matches(is_space)),
            Self::Chinese => chinese::tokenize(text, chinese::is_chinese),
            Self::Japanese => chinese::tokenize(text, chinese::is_chinese_or_kana),
            Self::Characters => {
                let characters = text.chars().filter(|character| !is_space(*character));
                characters.map(String::from).collect()
            }
            Self::PennTreebank => penn::tokenize(text),
            Self::RougeScore => rouge_score::tokenize(text),
        }
    }

    /// The one to compare captions of a language with (ISO 639-1, with or without a region):
    /// characters for Chinese and Japanese, words for all others.
    pub fn for_captions(language: &str) -> Self {
        match language.split(['-', '_']).next() {
            Some("zh") => Self::Chinese,
            Some("ja") => Self::Japanese,
            _ => Self::PennTreebank,
        }
    }
}

/// What Python's `str.split` takes for white space: four separators of ASCII more than Unicode.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// The parts of a text between white space.
fn split(text: &str) -> Vec<String> {
    let parts = text.split(is_space).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}
