//! Figures that say how good a model's answers are.
//!
//! | question | module |
//! |---|---|
//! | is the answer one of the right ones? | [`exact_match`] |

pub mod exact_match;

pub use exact_match::{ExactMatch, ExactMatchRow, Tally, is_exact_match, normalize_answer};
