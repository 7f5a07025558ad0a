//! Figures of painted pictures: how well they fit their texts, and how near they are to real ones.
//!
//! Nothing here knows a model: embeddings and features come in as tensors, from `mpm_llm::clip`,
//! `mpm_llm::bert`, `mpm_vision::clip` and `mpm_vision::inception`, or from elsewhere.
//!
//! - [`ClipScore`]: 100 times the cosine of a picture and its text (<https://arxiv.org/abs/2104.08718>).
//! - [`Retrieval`]: how often a text is found by its picture among all, and a picture by its text.
//! - [`TwoTowers`]: both, from pictures and texts, with the two encoders as closures.
//! - [`FeatureStatistics`], [`frechet_distance`]: the Fréchet distance between two sets of features
//!   (<https://arxiv.org/abs/1706.08500>), which with Inception's features is FID.

mod clip_score;
mod cosine;
mod error;
mod feature_statistics;
mod frechet;
mod recall;
mod retrieval;
mod two_towers;

pub use clip_score::ClipScore;
pub use error::PictureMetricError;
pub use feature_statistics::FeatureStatistics;
pub use frechet::frechet_distance;
pub use recall::Recall;
pub use retrieval::Retrieval;
pub use two_towers::TwoTowers;
