//! Stable Diffusion with its own text encoder against diffusers, in both layouts of its files.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "stable_diffusion/names.rs"]
mod names;
#[path = "stable_diffusion/painting.rs"]
mod painting;
