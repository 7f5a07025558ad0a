//! Data sets as people have them, read as a stream.
//!
//! A [`DatasetConfig`] says in which [`DatasetFormat`] its files are; [`DatasetConfig::open`]
//! reads one of them, an [`Example`] at a time. No file is held in memory, and an example that
//! cannot be used says where it stands and why ([`BadExample`]), while reading goes on.
//! [`ExampleStream`] reads all files, in the random order of a seed, for one of several workers,
//! and [`DatasetMix`] several data sets by their shares. [`ExampleLoader`] decodes and prepares their
//! pictures on worker threads.

mod cleaning;
mod example;
mod fault;
mod format;
mod loader;
mod mix;
mod origin;
mod stream;

pub use cleaning::{CaptionCleaning, CaptionPrompts};
pub use example::{Caption, Dialogue, DialogueTurn, Example, ExampleText, PictureSource};
pub use fault::{BadExample, DatasetError, Fault, Flaw};
pub use format::{Columns, DatasetConfig, DatasetFormat, Examples};
pub use loader::{ExampleLoader, LoadedExample, LoaderOptions};
pub use mix::{DatasetMix, MemberReport, MixMember, MixPosition, MixedExample};
pub use origin::{Origin, Place};
pub use stream::{ExampleStream, StreamOptions, StreamPosition};
