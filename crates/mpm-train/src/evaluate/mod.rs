//! Figures that say how good a model's answers are.
//!
//! Which metric says what, and by which Python implementation each of them is tested, is in
//! `docs/evaluation.md`. All of them take texts: how a model comes by its answers is the
//! caller's.
//!
//! | question | module |
//! |---|---|
//! | is the answer one of the right ones? | [`exact_match`], [`vqa`] |
//! | how near is a caption to what people wrote? | [`bleu`], [`rouge`], [`cider`] |
//! | does an answer name what it should? | [`keywords`] |
//! | is it in the language that was asked for? | [`language`] |
//! | how well does the model foresee a text? | [`perplexity`] |
//! | what does a stronger model think of it? | [`llava`] |
//!
//! ```
//! use mpm_train::evaluate::{Example, MetricError, Tokenizer, bleu::coco_bleu};
//!
//! # fn main() -> Result<(), MetricError> {
//! let examples = [Example::new("A cat on a sofa", ["a cat lies on the sofa", "a sleeping cat"])];
//! let bleu = coco_bleu(&examples, Tokenizer::for_captions("en"))?;
//! assert_eq!(bleu.to_string(), "BLEU-1 0.6550, BLEU-2 0.3661, BLEU-3 0.0000, BLEU-4 0.0000");
//! # Ok(())
//! # }
//! ```

pub mod bleu;
pub mod cider;
mod error;
pub mod exact_match;
mod example;
pub mod keywords;
pub mod language;
pub mod llava;
mod ngrams;
pub mod perplexity;
pub mod rouge;
pub mod tokenize;
pub mod vqa;

pub use error::MetricError;
pub use exact_match::{ExactMatch, ExactMatchRow, Tally, is_exact_match, normalize_answer};
pub use example::Example;
pub use tokenize::Tokenizer;
