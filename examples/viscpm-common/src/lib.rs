//! What VisCPM-Chat and VisCPM-Paint share.
//!
//! - [`PictureCheck`]: Stable Diffusion's safety checker with the preparation of its pictures, and
//!   [`ClipInput`], which any model of CLIP's family needs;
//! - [`cli`]: what both programs do alike: finding and loading a model, Ctrl-C, reports of
//!   failures, files of requests.

pub mod cli;
mod clip_input;
mod picture_check;

pub use clip_input::ClipInput;
pub use picture_check::PictureCheck;
