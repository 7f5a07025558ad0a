//! Byte pair encoding as the family's tokenizers in `transformers` apply it.

use std::ops::Range;

use mpm_core::pretrained::{PretrainedError, PretrainedFolder};
use tokenizers::{
    AddedVocabulary, DecoderWrapper, Encoding, Model, OffsetType, PreTokenizer, Tokenizer,
    pre_tokenizers::metaspace::PrependScheme,
};

use super::config::LlamaConfig;
use crate::{LlmError, framed::check_vocabulary};

const TOKENIZER_FILE: &str = "tokenizer.json";

/// What stands for a space in the pieces of SentencePiece.
const SPACE: char = '\u{2581}';

/// From texts to ids, and from ids to the bytes of a text.
#[derive(Clone, Debug)]
pub struct LlamaTokenizer {
    tokenizer: Tokenizer,
    /// The tokens beside the model's, special ones being nothing special.
    plain: AddedVocabulary,
    pieces: Pieces,
    /// Whether a text begins with a space that is none of its own.
    has_first_space: bool,
    /// Of the model; its table may have rows for no token.
    vocab_size: usize,
}

/// How the vocabulary writes bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pieces {
    /// Each byte as a letter, as GPT-2 does (LLaMA 3, Qwen).
    Letters,
    /// As text with `▁` for spaces, and `<0x41>` for bytes that are none (LLaMA 2, Mistral).
    Text,
}

impl LlamaTokenizer {
    /// Reads `tokenizer.json` of a model folder.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong, a tokenizer with more
    /// tokens than the model, too.
    pub fn open(folder: &PretrainedFolder, config: &LlamaConfig) -> Result<Self, PretrainedError> {
        let bytes = folder
            .bytes(TOKENIZER_FILE)?
            .ok_or_else(|| folder.missing(&[TOKENIZER_FILE]))?;
        Self::from_json(&bytes, config.vocab_size)
            .map_err(|error| folder.unusable(TOKENIZER_FILE, error))
    }

    /// Reads the content of `tokenizer.json`, for a model with a table of `vocab_size` rows.
    ///
    /// # Errors
    /// [`LlmError::TokenizerFile`] and [`LlmError::LlamaTokenizer`] for another tokenizer,
    /// [`LlmError::TokenizerVocabulary`] for one with more tokens.
    pub fn from_json(bytes: &[u8], vocab_size: usize) -> Result<Self, LlmError> {
        let unreadable = |source| LlmError::TokenizerFile {
            model: "a model of the LLaMA family",
            source,
        };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(unreadable)?;
        // Lengths are the caller's: a file may ask for padding to its own length.
        tokenizer
            .with_padding(None)
            .with_truncation(None)
            .map_err(unreadable)?;
        check_vocabulary(&tokenizer, vocab_size)?;
        let decoder = tokenizer.get_decoder();
        let pieces = decoder.and_then(Pieces::of);
        let mut plain = tokenizer.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        Ok(Self {
            plain,
            pieces: pieces.ok_or(LlmError::LlamaTokenizer)?,
            has_first_space: decoder.is_some_and(has_first_space),
            tokenizer,
            vocab_size,
        })
    }

    /// The ids of a text that begins here: with the tokens around it that the file asks for, most
    /// often one before it.
    ///
    /// # Errors
    /// [`LlmError::Tokenization`] when the `tokenizers` crate fails.
    pub fn encode(&self, text: &str) -> Result<Vec<i32>, LlmError> {
        self.ids(text, true)
    }

    /// The ids of a text that has its special tokens already, such as
    /// [`ChatTemplate::render`](super::ChatTemplate::render) writes it.
    ///
    /// # Errors
    /// [`LlmError::Tokenization`] when the `tokenizers` crate fails.
    pub fn encode_rendered(&self, text: &str) -> Result<Vec<i32>, LlmError> {
        self.ids(text, false)
    }

    /// The ids of a text that stands between two others, and which of them are its own. The whole
    /// begins here, as that of [`encode`](Self::encode). The names of special tokens stand for these
    /// around the text, but not in it.
    ///
    /// # Errors
    /// [`LlmError::Tokenization`] when the `tokenizers` crate fails.
    pub fn encode_within(
        &self,
        before: &str,
        text: &str,
        behind: &str,
    ) -> Result<(Vec<i32>, Range<usize>), LlmError> {
        self.cut_within(before, text, behind)
            .map_err(|source| LlmError::Tokenization { source })
    }

    fn cut_within(
        &self,
        before: &str,
        text: &str,
        behind: &str,
    ) -> tokenizers::Result<(Vec<i32>, Range<usize>)> {
        // Each is cut into tokens by itself. Cut as a whole, a token could reach over a border (`.`
        // and a line break are one to many), so that a text would have no end and not as many
        // tokens behind it as another; and what is special in the template would be so in the text.
        // A space before the text is cut with it, because words have theirs in front.
        let bare = before.trim_end_matches(' ');
        let text = match text {
            "" => String::new(),
            text => format!("{}{text}", &before[bare.len()..]),
        };
        let special = self.tokenizer.get_added_vocabulary();
        let pieces = [(bare, special), (&text, &self.plain), (behind, special)];
        let (mut whole, mut ends) = (Encoding::default(), [0; 3]);
        for (end, (piece, added)) in ends.iter_mut().zip(pieces) {
            // The space that the tokenizer puts before every text is that of this one.
            let piece = match piece.strip_prefix(' ') {
                Some(rest) if self.has_first_space && !whole.is_empty() && !rest.is_empty() => rest,
                _ => piece,
            };
            if !piece.is_empty() {
                whole.merge_with(self.cut(piece, added)?, false);
            }
            *end = whole.len();
        }
        let [start, end, _] = ends;
        let whole = self.tokenizer.post_process(whole, None, true)?;
        let added = whole.get_special_tokens_mask().iter();
        let added = added.take_while(|&&added| added == 1).count();
        let ids = whole.get_ids().iter().map(|&id| id as i32).collect();
        Ok((ids, start + added..end + added))
    }

    /// Cuts a text into tokens, of which those of `added` are found first.
    fn cut(&self, text: &str, added: &AddedVocabulary) -> tokenizers::Result<Encoding> {
        let mut pieces = added.extract_and_normalize(self.tokenizer.get_normalizer(), text);
        if let Some(words) = self.tokenizer.get_pre_tokenizer() {
            words.pre_tokenize(&mut pieces)?;
        }
        let model = self.tokenizer.get_model();
        pieces.tokenize(|piece| model.tokenize(piece.get()))?;
        pieces.into_encoding(None, 0, OffsetType::None)
    }

    fn ids(&self, text: &str, add_special_tokens: bool) -> Result<Vec<i32>, LlmError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, add_special_tokens)
            .map_err(|source| LlmError::Tokenization { source })?;
        Ok(encoding.get_ids().iter().map(|&id| id as i32).collect())
    }

    /// The tokenizer as `tokenizer.json`.
    pub(super) fn to_json(&self) -> Result<String, LlmError> {
        let json = self.tokenizer.to_string(true);
        json.map_err(|source| LlmError::Tokenization { source })
    }

    /// Number of rows of the model's table.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id of a token by its name, a special one for instance.
    pub fn id(&self, name: &str) -> Option<i32> {
        self.tokenizer.token_to_id(name).map(|id| id as i32)
    }

    /// The bytes that a token stands for, of which several tokens may make up one character; none
    /// for special tokens and for rows of the model's table that are no tokens.
    ///
    /// # Errors
    /// [`LlmError::UnknownId`] when the model has no such row.
    pub fn bytes_of(&self, id: i32) -> Result<Vec<u8>, LlmError> {
        let row = usize::try_from(id)
            .ok()
            .filter(|&row| row < self.vocab_size);
        let Some(row) = row else {
            return Err(LlmError::UnknownId {
                id,
                vocab_size: self.vocab_size,
            });
        };
        let row = row as u32;
        let added = self.tokenizer.get_added_vocabulary();
        if let Some(added) = added.get_added_tokens_decoder().get(&row) {
            return Ok(match added.special {
                true => Vec::new(),
                false => added.content.clone().into_bytes(),
            });
        }
        let piece = self.tokenizer.id_to_token(row);
        Ok(piece.map_or_else(Vec::new, |piece| self.pieces.bytes(&piece)))
    }

    /// As [`bytes_of`](Self::bytes_of), for the tokens of one text in their order: without the
    /// space that SentencePiece puts before it. [`generate`](crate::decoding::generate()) takes it
    /// to write a text that begins anew, such as an answer. Where a text goes on, a space before
    /// its next word is its own: `bytes_of` keeps it.
    pub fn text_bytes(&self) -> impl FnMut(i32) -> Result<Vec<u8>, LlmError> {
        let mut expects_space = self.has_first_space;
        move |id| {
            let mut bytes = self.bytes_of(id)?;
            if expects_space && bytes.first() == Some(&b' ') {
                bytes.remove(0);
                expects_space = false;
            }
            expects_space &= bytes.is_empty();
            Ok(bytes)
        }
    }

    /// The text of some tokens, special ones left out.
    ///
    /// # Errors
    /// [`LlmError::UnknownId`] when the model has no such row.
    pub fn decode(&self, ids: &[i32]) -> Result<String, LlmError> {
        let mut text_bytes = self.text_bytes();
        let mut bytes = Vec::new();
        for &id in ids {
            bytes.extend(text_bytes(id)?);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Pieces {
    /// How a decoder reads pieces, if it is one of those that the family has.
    fn of(decoder: &DecoderWrapper) -> Option<Self> {
        match decoder {
            DecoderWrapper::ByteLevel(_) => Some(Self::Letters),
            DecoderWrapper::ByteFallback(_) | DecoderWrapper::Metaspace(_) => Some(Self::Text),
            DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().find_map(Self::of),
            _ => None,
        }
    }

    fn bytes(self, piece: &str) -> Vec<u8> {
        match self {
            Self::Letters => piece.chars().flat_map(byte_of_letter).collect(),
            Self::Text => match byte_by_name(piece) {
                Some(byte) => vec![byte],
                None => piece.replace(SPACE, " ").into_bytes(),
            },
        }
    }
}

/// Whether a decoder takes away the space with which a text begins.
fn has_first_space(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::Strip(strip) => strip.content == ' ' && strip.start > 0,
        DecoderWrapper::Metaspace(spaces) => spaces.prepend_scheme != PrependScheme::Never,
        DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().any(has_first_space),
        _ => false,
    }
}

/// The byte of `<0x41>`.
fn byte_by_name(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// The byte that GPT-2's alphabet writes as this letter: bytes that can be printed in Latin-1 are
/// themselves, the others take the letters from 256 on, in their order. Of letters that stand for
/// no byte, the letter itself.
fn byte_of_letter(letter: char) -> Vec<u8> {
    let prints = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let byte = match u32::from(letter) {
        code @ 0..256 => u8::try_from(code).ok().filter(|&byte| prints(byte)),
        code => (0..=u8::MAX)
            .filter(|&byte| !prints(byte))
            .nth(code as usize - 256),
    };
    match byte {
        Some(byte) => vec![byte],
        None => letter.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_for_bytes() {
        assert_eq!(Pieces::Letters.bytes("ĠaĊ"), b" a\n");
        assert_eq!(Pieces::Letters.bytes("çĭĹ"), "狗".as_bytes());
        // The last byte that cannot be printed, and a letter beyond.
        assert_eq!(Pieces::Letters.bytes("\u{143}"), [0xAD]);
        assert_eq!(Pieces::Letters.bytes("\u{144}"), "\u{144}".as_bytes());
    }

    #[test]
    fn text_has_its_spaces_and_bytes() {
        assert_eq!(Pieces::Text.bytes("▁a▁"), b" a ");
        assert_eq!(Pieces::Text.bytes("<0xE7>"), [0xE7]);
        assert_eq!(Pieces::Text.bytes("<0x>"), b"<0x>");
    }
}
