//! Command-line options of programs that ask a chat model: [`ModelArgs`] name it, a [`ModelSource`]
//! finds and loads it, [`DecodingArgs`] say how it answers.

mod decoding;
mod model;
mod source;

pub use decoding::{DecodingArgs, StrategyArg};
pub use model::ModelArgs;
pub use source::ModelSource;
