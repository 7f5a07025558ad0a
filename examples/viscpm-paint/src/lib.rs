//! VisCPM-Paint: pictures from a prompt in English or Chinese.
//!
//! This crate assembles `mpm-llm` and `mpm-diffusion` into the paint model of the paper "Large
//! Multilingual Models Pivot Zero-Shot Multimodal Learning across Languages"
//! (<https://arxiv.org/abs/2308.12038>): a UNet reads the hidden states of a frozen, multilingual
//! CPM-Bee, so pictures learnt with English captions come from prompts in other languages, too.

mod error;
mod folder;
mod painter;
mod pixels;
mod text_encoder;

pub use error::PaintError;
pub use folder::{FORMAT_VERSION, ModelConfig, PaintDefaults, PaintModel, Source, checkpoint_keys};
pub use painter::{InitialPicture, MAX_SIDE, PaintProgress, PaintRequest, Painter};
pub use pixels::{from_pictures, to_pictures};
pub use text_encoder::{PromptStates, TextEncoder};
