//! Data sets as people have them, read as a stream.
//!
//! A [`DatasetConfig`] says in which [`DatasetFormat`] its files are; [`DatasetConfig::open`]
//! reads one of them, an [`Example`] at a time. No file is held in memory, and an example that
//! cannot be used says where it stands and why ([`BadExample`]), while reading goes on.
//! [`DatasetConfig::check`] looks at all files before any is read.
//! [`ExampleStream`] reads all files, in the random order of a seed, for one of several workers;
//! [`DatasetMix`] reads several data sets so, in given shares, and [`ExampleLoader`] prepares
//! batches of them on several threads.

mod check;
mod cleaning;
mod example;
mod fault;
mod files;
mod format;
mod loader;
mod mix;
mod origin;
mod stream;

pub use cleaning::{CaptionCleaning, CaptionPrompts};
pub use example::{Caption, Dialogue, DialogueTurn, Example, ExampleText, PictureSource};
pub use fault::{BadExample, DatasetError, Fault, Flaw, MixError};
pub use format::{Columns, DatasetConfig, DatasetFormat, Examples};
pub use loader::{ExampleLoader, Prepared};
pub use mix::{DatasetMix, MemberReport, MixExample, MixMember, MixPosition};
pub use origin::{Origin, Place};
pub use stream::{ExampleStream, StreamOptions, StreamPosition};
