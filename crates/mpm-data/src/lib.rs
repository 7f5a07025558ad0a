#![doc = include_str!("../README.md")]

pub mod dataset;
pub mod emoji;
mod error;
pub mod parallel;
pub mod picture;
pub mod translate;

pub use error::DataError;
