//! Files of the Hugging Face Hub, `hf://org/repo@revision/path/in/repo`.
//!
//! A [`Hub`] downloads what a [`HubReference`] names into the cache that `huggingface_hub` of
//! Python has: the same folders, names and locks, so that each finds what the other one downloaded.
//! What is there is used without asking the network. A download that was cut goes on where it was,
//! is compared with the checksum that the Hub tells, and only then gets its name. Of a [`HubFolder`],
//! it downloads what makes up the model.
//!
//! The layout of the cache is that of the crate `hf-hub`. Its downloads are not used: those of 0.5,
//! the last ones without an asynchronous runtime, compare no checksum and cannot be stopped.
//!
//! `https://` needs the feature `https` of this crate.

mod cache;
mod checksum;
mod client;
mod config;
mod download;
mod endpoint;
mod error;
mod folder;
mod listing;
mod lock;
mod model_files;
mod part;
mod progress;
mod reference;
mod reference_error;
mod remote;
mod remote_file;
mod repo;
mod shards;
mod token;
mod transport;

pub use client::Hub;
pub use config::HubConfig;
pub use error::HubError;
pub use folder::HubFolder;
pub use progress::HubProgress;
pub use reference::HubReference;
pub use reference_error::ReferenceError;
pub use repo::{HubRepo, RepoKind};
pub use token::Token;
/// How the Hub is reached from behind a proxy.
pub use ureq::Proxy;
