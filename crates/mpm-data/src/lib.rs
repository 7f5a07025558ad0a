//! Pictures, texts, data sets and batches for multilingual multimodal models

pub mod emoji;
mod error;
pub mod picture;

pub use error::DataError;
