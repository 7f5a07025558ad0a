//! The CPM-Bee tokenizer: greedy longest match over words, with special tokens written in the
//! text and an extension table for what the vocabulary does not know.
//!
//! Source: CPM-Bee's tokenizer as VisCPM ships it (`VisCPM/cpm_tokenizers/bee.py`).
//!
//! # The markup
//! The tokenizer reads *markup*, not plain text: `<name>` is a special token, `<name_7>` an
//! instance of it, and `<<` stands for a plain `<`. [`escape`] turns plain text into markup,
//! [`unescape`] turns markup without special tokens back.
//!
//! # The extension table
//! Unknown characters next to each other merge into one *extension token*, and so do instances of
//! special tokens. An [`ExtTable`] gives them ids after the vocabulary's.
//!
//! ```
//! use mpm_llm::tokenizer::{CpmBeeTokenizer, Vocabulary, escape};
//!
//! # fn main() -> Result<(), mpm_llm::LlmError> {
//! let vocabulary = Vocabulary::parse(
//!     b"<pad>\n<unk>\n<mask>\n<sep>\n</n>\n</_>\n<s>\n</s>\n<root>\n<ans>\ncat\n sat\n<\n2\n",
//! )?;
//! let tokenizer = CpmBeeTokenizer::new(vocabulary)?;
//!
//! let encoding = tokenizer.encode("cat sat<mask>\u{9f98}")?;
//! assert_eq!(encoding.ids, [10, 11, 2, 14]);
//! assert_eq!(encoding.ext.get(14), Some("\u{9f98}"));
//! assert_eq!(tokenizer.decode(&encoding.ids, &encoding.ext)?, "cat sat<mask>\u{9f98}");
//!
//! // Text that a user typed is escaped first.
//! let typed = tokenizer.encode(&escape("2<2"))?;
//! assert_eq!(typed.ids, [13, 12, 13]);
//! # Ok(())
//! # }
//! ```

mod builder;
mod cpm_bee;
mod ext_table;
mod markup;
mod model;
mod vocabulary;

pub use builder::VocabularyBuilder;
pub use cpm_bee::{CpmBeeTokenizer, Encoding, Token, TokenKind};
pub use ext_table::ExtTable;
pub use markup::{escape, unescape};
pub use vocabulary::Vocabulary;
