//! Text to ids and back.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use daachorse::{CharwiseDoubleArrayAhoCorasick, CharwiseDoubleArrayAhoCorasickBuilder, MatchKind};

use super::markup::{Part, Parts, escape, is_special};
use super::{ExtTable, Vocabulary};
use crate::LlmError;

/// What a [`Token`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A word of the vocabulary, with its id.
    Word(u32),
    /// Neighbouring characters that no word of the vocabulary covers.
    Unknown,
    /// A special token written in the markup, whether the vocabulary has it or not.
    Special,
}

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The text that the token covers, unescaped; special tokens with their brackets.
    pub text: String,
    /// Where it begins in the *unescaped* text, in code points (as the reference counts).
    pub start: usize,
    /// The bytes of the given markup that it covers.
    pub bytes: std::ops::Range<usize>,
    /// What it is.
    pub kind: TokenKind,
}

/// The ids of a text, and the extension table that some of them refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The ids: of the vocabulary, or of `ext` from the vocabulary's size on.
    pub ids: Vec<i32>,
    /// The texts of the ids beyond the vocabulary.
    pub ext: ExtTable,
}

/// CPM-Bee's tokenizer over a [`Vocabulary`].
///
/// Words are matched greedily, the longest first, in time linear in the text: an Aho-Corasick
/// automaton that reports leftmost-longest matches takes the same words as trying all lengths at
/// each position does. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct CpmBeeTokenizer {
    vocabulary: Arc<Vocabulary>,
    words: Arc<Words>,
    special: SpecialIds,
}

/// The matcher over the vocabulary's words.
struct Words(CharwiseDoubleArrayAhoCorasick<u32>);

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words")
            .field("states", &self.0.num_states())
            .finish()
    }
}

/// Ids that prompts and decoding need.
#[derive(Debug, Clone, Copy)]
struct SpecialIds {
    pad: i32,
    unk: i32,
    mask: i32,
    bos: i32,
    eos: i32,
    ans: i32,
}

impl CpmBeeTokenizer {
    /// Makes a tokenizer.
    ///
    /// # Errors
    /// [`LlmError::VocabularyIndex`] when the vocabulary is too large for the matcher.
    pub fn new(vocabulary: Vocabulary) -> Result<Self, LlmError> {
        let words = CharwiseDoubleArrayAhoCorasickBuilder::new()
            .match_kind(MatchKind::LeftmostLongest)
            .build_with_values(vocabulary.words().map(|(id, word)| (word, id)))
            .map_err(|reason| LlmError::VocabularyIndex { reason })?;
        let id = |token: &'static str| {
            vocabulary
                .id(token)
                .map(|id| id as i32)
                .ok_or_else(|| LlmError::VocabularyMissing {
                    tokens: vec![token],
                })
        };
        let special = SpecialIds {
            pad: id("<pad>")?,
            unk: id("<unk>")?,
            mask: id("<mask>")?,
            bos: id("<s>")?,
            eos: id("</s>")?,
            ans: id("<ans>")?,
        };
        Ok(Self {
            vocabulary: Arc::new(vocabulary),
            words: Arc::new(Words(words)),
            special,
        })
    }

    /// Reads a vocabulary file and makes a tokenizer of it.
    ///
    /// # Errors
    /// As [`Vocabulary::from_file`] and [`CpmBeeTokenizer::new`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LlmError> {
        Self::new(Vocabulary::from_file(path)?)
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The number of tokens in the vocabulary; extension ids begin here.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// The id of `<pad>`.
    pub fn pad_id(&self) -> i32 {
        self.special.pad
    }

    /// The id of `<unk>`.
    pub fn unk_id(&self) -> i32 {
        self.special.unk
    }

    /// The id of `<mask>`.
    pub fn mask_id(&self) -> i32 {
        self.special.mask
    }

    /// The id of `<s>`, which begins each segment.
    pub fn bos_id(&self) -> i32 {
        self.special.bos
    }

    /// The id of `</s>`, which ends each segment and each answer.
    pub fn eos_id(&self) -> i32 {
        self.special.eos
    }

    /// The id of `<ans>`, the slot that an answer grows from.
    pub fn ans_id(&self) -> i32 {
        self.special.ans
    }

    /// Splits markup into tokens with their positions.
    ///
    /// # Errors
    /// [`LlmError::InvalidSpecialToken`] and [`LlmError::UnexpectedEndOfText`] for broken markup.
    pub fn tokenize(&self, markup: &str) -> Result<Vec<Token>, LlmError> {
        let mut tokens = Vec::new();
        let mut parts = Parts::new(markup);
        let mut start = 0;
        loop {
            let mut byte = parts.offset();
            let Some(part) = parts.next().transpose()? else {
                return Ok(tokens);
            };
            let mut push = |text: &str, kind, written: usize| {
                tokens.push(Token {
                    text: text.to_owned(),
                    start,
                    bytes: byte..byte + written,
                    kind,
                });
                start += text.chars().count();
                byte += written;
            };
            match part {
                Part::Special(text) => push(text, TokenKind::Special, text.len()),
                // In a text, each `<` was written with two.
                Part::Text(text) => self.each_piece(&text, |piece, id| {
                    let written = piece.len() + piece.bytes().filter(|&b| b == b'<').count();
                    push(
                        piece,
                        id.map_or(TokenKind::Unknown, TokenKind::Word),
                        written,
                    );
                }),
            }
        }
    }

    /// Encodes markup, starting with an empty extension table.
    ///
    /// # Errors
    /// As [`CpmBeeTokenizer::tokenize`].
    pub fn encode(&self, markup: &str) -> Result<Encoding, LlmError> {
        let mut ext = ExtTable::new();
        let ids = self.encode_with(markup, &mut ext)?;
        Ok(Encoding { ids, ext })
    }

    /// Encodes markup; texts that are in the extension table already keep their ids, and new ones
    /// are added to it. After an error the table is as before.
    ///
    /// # Errors
    /// As [`CpmBeeTokenizer::tokenize`].
    pub fn encode_with(&self, markup: &str, ext: &mut ExtTable) -> Result<Vec<i32>, LlmError> {
        let known = ext.len();
        let mut ids = Vec::with_capacity(markup.len() / 3);
        for part in Parts::new(markup) {
            match part {
                Ok(Part::Text(text)) => self.each_piece(&text, |piece, id| {
                    ids.push(match id {
                        Some(id) => id as i32,
                        None => ext.id_or_insert(piece, self.vocab_size()),
                    });
                }),
                Ok(Part::Special(token)) => ids.push(match self.vocabulary.id(token) {
                    Some(id) => id as i32,
                    None => ext.id_or_insert(token, self.vocab_size()),
                }),
                Err(error) => {
                    ext.truncate(known);
                    return Err(error);
                }
            }
        }
        Ok(ids)
    }

    /// Calls `f` for each word and each run of unknown characters of a plain text.
    fn each_piece(&self, text: &str, mut f: impl FnMut(&str, Option<u32>)) {
        let mut end = 0;
        for word in self.words.0.leftmost_find_iter(text) {
            if end < word.start() {
                f(&text[end..word.start()], None);
            }
            end = word.end();
            f(&text[word.start()..end], Some(word.value()));
        }
        if end < text.len() {
            f(&text[end..], None);
        }
    }

    /// Decodes ids to markup. Negative ids (ignored targets) are skipped; an entry of the extension
    /// table goes before the vocabulary's.
    ///
    /// # Errors
    /// [`LlmError::UnknownId`] for an id in neither.
    pub fn decode(&self, ids: &[i32], ext: &ExtTable) -> Result<String, LlmError> {
        let mut markup = String::new();
        for &id in ids {
            markup.push_str(&self.decode_id(id, ext)?);
        }
        Ok(markup)
    }

    /// Decodes one id to markup. Decoding is a concatenation of these, so that an answer can be
    /// shown while it grows; each piece is whole characters.
    ///
    /// # Errors
    /// As [`CpmBeeTokenizer::decode`].
    pub fn decode_id<'a>(&'a self, id: i32, ext: &'a ExtTable) -> Result<Cow<'a, str>, LlmError> {
        let text = self.text_of(id, ext)?;
        Ok(if is_special(text) {
            Cow::Borrowed(text)
        } else {
            escape(text)
        })
    }

    /// Decodes one id to what a reader should see: without escapes, and nothing for the
    /// vocabulary's special tokens.
    ///
    /// # Errors
    /// As [`CpmBeeTokenizer::decode`].
    pub fn plain_id<'a>(&'a self, id: i32, ext: &'a ExtTable) -> Result<&'a str, LlmError> {
        let text = self.text_of(id, ext)?;
        let hidden = is_special(text) && ext.get(id).is_none();
        Ok(if hidden { "" } else { text })
    }

    fn text_of<'a>(&'a self, id: i32, ext: &'a ExtTable) -> Result<&'a str, LlmError> {
        if let Some(text) = ext.get(id) {
            return Ok(text);
        }
        match u32::try_from(id) {
            Err(_) => Ok(""),
            Ok(index) => self.vocabulary.token(index).ok_or(LlmError::UnknownId {
                id,
                vocab_size: self.vocab_size(),
            }),
        }
    }
}
