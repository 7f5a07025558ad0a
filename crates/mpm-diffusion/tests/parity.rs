//! The modules against outputs of the original Python implementation (diffusers and VisCPM on
//! PyTorch, f32 on the CPU).
//!
//! Cases are read from the folder `MPM_FIXTURES`, by default `tests/fixtures` of the workspace.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "parity/autoencoder.rs"]
mod autoencoder;
#[path = "parity/conditioning.rs"]
mod conditioning;
#[path = "parity/schedulers.rs"]
mod schedulers;
#[path = "parity/unet.rs"]
mod unet;
