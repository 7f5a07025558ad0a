//! What VisCPM-Chat and VisCPM-Paint share.
//!
//! - [`PictureCheck`]: Stable Diffusion's safety checker with the preparation of its pictures, and
//!   [`ClipInput`], which any model of CLIP's family needs;
//! - [`cli`]: what both programs do alike: finding, downloading and loading a model, Ctrl-C, reports of
//!   failures, files of requests;
//! - [`keep_freed_memory`]: how they use their allocator.

pub mod cli;
mod clip_input;
mod memory;
mod picture_check;

pub use clip_input::ClipInput;
pub use memory::keep_freed_memory;
pub use picture_check::PictureCheck;
