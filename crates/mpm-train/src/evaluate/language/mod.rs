//! In which language answers are.
//!
//! A model that pivots over English may answer a German question in English. Its share of answers
//! in the wanted language, `wanted / all`, says how often it does not.
//!
//! Answers are often one word, and a word says little about its language: `hotel` is right in
//! ten of them. So an answer is looked up among the [`KnownAnswers`] of each language first, if the
//! caller has any, and only what is in none of them goes to a [`LanguageDetector`]. How reliable
//! the one that comes with the feature `lingua` is, is told at `LinguaDetector`.

mod known;
#[cfg(feature = "lingua")]
mod lingua;
mod share;

pub use known::KnownAnswers;
#[cfg(feature = "lingua")]
pub use lingua::LinguaDetector;
pub use share::{DecidedBy, LanguageDetector, LanguageShare, NoDetector};
