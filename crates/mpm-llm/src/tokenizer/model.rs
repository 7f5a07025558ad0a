//! The tokenizer as a model of the `tokenizers` crate.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokenizers::{Model, Result};

use super::markup::{base_name, is_special};
use super::{CpmBeeTokenizer, TokenKind, VocabularyBuilder};
use crate::LlmError;

/// The file that [`Model::save`] writes.
const FILE: &str = "bee.txt";

/// CPM-Bee's tokenizer in a `tokenizers` pipeline.
///
/// The input is markup. A pipeline has no extension table, so tokens outside the vocabulary get
/// the id they share with it: `<unk>` for unknown words, `<ans>` for `<ans_1>`; their texts are in
/// the token. Offsets are bytes of the markup.
///
/// ```
/// use mpm_llm::tokenizer::{CpmBeeTokenizer, Vocabulary};
/// use tokenizers::decoders::fuse::Fuse;
/// use tokenizers::{
///     NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, TokenizerImpl,
/// };
///
/// # fn main() -> tokenizers::Result<()> {
/// let file = b"<pad>\n<unk>\n<mask>\n<sep>\n</n>\n</_>\n<s>\n</s>\n<root>\n<ans>\ncat\n sat\n";
/// let model = CpmBeeTokenizer::new(Vocabulary::parse(file)?)?;
/// let mut tokenizer: TokenizerImpl<
///     _,
///     NormalizerWrapper,
///     PreTokenizerWrapper,
///     PostProcessorWrapper,
///     Fuse,
/// > = TokenizerImpl::new(model);
/// tokenizer.with_decoder(Some(Fuse::new()));
///
/// let encoding = tokenizer.encode("cat sat<ans_1>", false)?;
/// assert_eq!(encoding.get_ids(), [10, 11, 9]);
/// assert_eq!(tokenizer.decode(&[10, 11], true)?, "cat sat");
/// # Ok(())
/// # }
/// ```
impl Model for CpmBeeTokenizer {
    type Trainer = VocabularyBuilder;

    fn tokenize(&self, sequence: &str) -> Result<Vec<tokenizers::Token>> {
        let tokens = CpmBeeTokenizer::tokenize(self, sequence)?;
        tokens
            .into_iter()
            .map(|token| {
                let id = match token.kind {
                    TokenKind::Word(id) => id,
                    TokenKind::Unknown => self.unk_id() as u32,
                    TokenKind::Special => self.special_id(&token.text)?,
                };
                let offsets = (token.bytes.start, token.bytes.end);
                Ok(tokenizers::Token::new(id, token.text, offsets))
            })
            .collect()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.vocabulary().id(token)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.vocabulary().token(id).map(str::to_owned)
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        self.vocabulary()
            .iter()
            .map(|(id, token)| (token.to_owned(), id))
            .collect()
    }

    fn get_vocab_size(&self) -> usize {
        self.vocab_size()
    }

    fn save(&self, folder: &Path, prefix: Option<&str>) -> Result<Vec<PathBuf>> {
        let name = prefix.map_or_else(|| FILE.to_owned(), |prefix| format!("{prefix}-{FILE}"));
        fs::create_dir_all(folder)?;
        let path = folder.join(name);
        self.vocabulary().save(&path)?;
        Ok(vec![path])
    }

    fn get_trainer(&self) -> VocabularyBuilder {
        VocabularyBuilder::new(self.vocab_size())
    }
}

impl CpmBeeTokenizer {
    /// The vocabulary's id that a token of the extension table shares: `<ans>` for `<ans_1>`,
    /// `<unk>` for an unknown word.
    ///
    /// # Errors
    /// [`LlmError::UnknownSpecialToken`] when the vocabulary lacks it.
    pub(crate) fn base_id(&self, text: &str) -> std::result::Result<i32, LlmError> {
        if is_special(text) {
            self.special_id(text).map(|id| id as i32)
        } else {
            Ok(self.unk_id())
        }
    }

    /// The vocabulary's id of a special token or of what it is an instance of.
    ///
    /// # Errors
    /// [`LlmError::UnknownSpecialToken`] when the vocabulary has neither.
    fn special_id(&self, token: &str) -> std::result::Result<u32, LlmError> {
        let base = base_name(token);
        self.vocabulary()
            .id(token)
            .or_else(|| self.vocabulary().id(&base))
            .ok_or_else(|| LlmError::UnknownSpecialToken {
                token: token.to_owned(),
                base: base.into_owned(),
            })
    }
}
