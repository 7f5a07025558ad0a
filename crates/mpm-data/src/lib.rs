//! Pictures, texts, data sets and batches for multilingual multimodal models

mod error;
pub mod picture;

pub use error::DataError;
