//! How close a language model's hidden states of the same sentence in several languages are.
//!
//! A picture module trained in one language serves another one only as far as the language model
//! keeps what a sentence means, and not the language that it is written in. Whether it does can
//! be measured before anything is trained: [`measure_alignment`] reads parallel sentences and
//! gives, for each pair of languages and each layer, how often a sentence's nearest neighbour in
//! the other language is its translation ([`AlignmentReport`]). Small models can be brought
//! closer by [`contrastive_loss`].
//!
//! - [`SentenceStates`]: a model that gives a vector for each sentence and layer.
//! - [`LlmSentences`]: a language model as such a model; the sentences stand in a
//!   [`TextTemplate`](mpm_llm::template::TextTemplate).
//! - [`LlmAlignment`]: training it with that loss.
//! - [`Alignment`]: the figures, which [`Alignment::of`] takes from two tensors.
//!
//! Source: Large Multilingual Models Pivot Zero-Shot Multimodal Learning across Languages
//! (arXiv 2308.12038), section 3.1, for the precondition; retrieval as in Language-agnostic BERT
//! Sentence Embedding (arXiv 2007.01852), section 4.

mod contrastive;
mod llm;
mod measure;
mod pooling;
mod report;
mod states;

pub use contrastive::{ContrastiveConfig, contrastive_loss};
pub use llm::{LlmAlignment, LlmSentences};
pub use measure::Alignment;
pub use pooling::Pooling;
pub use report::{AlignmentReport, LanguagePair, LayerAlignment};
pub use states::{LayerStates, ParallelRow, SentenceStates, measure_alignment};
