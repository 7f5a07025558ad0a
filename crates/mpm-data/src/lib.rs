#![doc = include_str!("../README.md")]

pub mod dataset;
pub mod emoji;
mod error;
#[cfg(feature = "hub")]
pub mod hub;
pub mod parallel;
pub mod picture;
pub mod translate;

pub use error::DataError;
