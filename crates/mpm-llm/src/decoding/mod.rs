//! Decoding: from a language model's logits to an answer.
//!
//! [`generate`] runs the loop for any model that implements
//! [`DecodingSession`]; [`DecodingParams`] say how tokens are chosen.

mod beam;
mod generation;
mod logits;
mod params;
mod sampling;
mod session;
mod stream;
#[cfg(test)]
mod tests;

pub use beam::{BeamSearch, Candidate, Hypothesis};
pub use generation::{FinishReason, Generation, Piece, Token, generate};
pub use logits::Logits;
pub(crate) use params::check_max_new_tokens;
pub use params::{DecodingParams, MAX_BEAMS, MAX_NEW_TOKENS, Sampling, Strategy};
pub use session::DecodingSession;
pub use stream::TextStream;
