//! What the MPM model crates share and Burn does not have: operations that a single backend can
//! fuse ([`kernel`]) and layers made of them ([`nn`]), blocks that are run again instead of keeping
//! what their gradients need ([`recompute`]), strict loading of weight files ([`weights`]), weights
//! of 4 and 8 bits ([`quantization`]), layers that wait in their file ([`streaming`]), adapters of low rank ([`lora`]), paths in a module tree
//! ([`mod@module_path`]), model folders as MPM ([`model_folder`]) and as Hugging Face's libraries
//! ([`pretrained`]) write them, JSON as Python writes it ([`python_json`]), the choice of a backend at run time ([`backend`]) and writing of
//! files that are whole or not there ([`atomic`], [`partial_folder`]).
//!
//! Models live in `mpm-llm`, `mpm-vision` and `mpm-diffusion`; none of them
//! depends on another, all of them depend on this crate.

pub mod atomic;
pub mod backend;
pub mod file_version;
pub mod kernel;
pub mod lora;
pub mod model_folder;
pub mod module_path;
pub mod nn;
pub mod partial_folder;
pub mod pretrained;
pub mod python_json;
pub mod quantization;
pub mod recompute;
pub mod streaming;
pub mod weights;

pub use kernel::MpmBackend;
