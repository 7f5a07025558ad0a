//! A text in a template, and the tokens whose states are read.
//!
//! Whoever takes a text's states from a language model, to paint it or to compare it with its
//! translation, writes something around it and reads the states of the text itself or of what
//! stands behind it. [`TextTemplate`] is what stands around a text, a [`TemplateTokenizer`] makes
//! the model's input of it, and [`TextTokens`] are the places to read.
//!
//! ```
//! use mpm_llm::template::{TemplateTokenizer, TextTemplate};
//! # use mpm_llm::tokenizer::{CpmBeeTokenizer, Vocabulary};
//! # let file = b"<pad>\n<unk>\n<mask>\n<sep>\n</n>\n</_>\n<s>\n</s>\n<root>\n<ans>\nq\nwhy\nso\n";
//! # let tokenizer = CpmBeeTokenizer::new(Vocabulary::parse(file)?)?;
//!
//! let template = TextTemplate::parts(&[("q", "{text}"), ("so", "")]);
//! let batch = tokenizer.encode_texts(&template, &["why", "whyso"])?;
//! // <s> <root> </s>, <s> q </s>, <s> why so </s>, <s> so </s>, <s> </s>
//! assert_eq!(batch.texts[1].own, 7..9);
//! assert_eq!(batch.texts[1].behind, 10..15);
//! // The shorter one is padded on the right.
//! assert_eq!(batch.texts[0].len(), 14);
//! assert_eq!(batch.input.seq_len, 15);
//! # Ok::<(), mpm_llm::LlmError>(())
//! ```

mod batch;
mod text_template;
mod tokenizer;

pub use batch::{TextBatch, TextTokens};
pub use text_template::{TEXT, TextTemplate};
pub use tokenizer::TemplateTokenizer;
