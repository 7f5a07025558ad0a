//! VisCPM-Paint: pictures from a prompt in any language that the model knows.
//!
//! This crate assembles `mpm-llm` and `mpm-diffusion` into the paint model of the paper "Large
//! Multilingual Models Pivot Zero-Shot Multimodal Learning across Languages"
//! (<https://arxiv.org/abs/2308.12038>): a UNet reads the hidden states of a frozen, multilingual
//! CPM-Bee, so pictures learnt with English captions come from prompts in other languages, too.
//!
//! A [`Studio`] does all that the program does: it checks the prompt, reads it, paints, checks the
//! pictures and chooses among candidates. Its halves work one after the other where memory is
//! short: a [`PromptReader`] with the language model, then a [`PictureMaker`] with the UNet.
//! [`TextEncoder`] and [`Painter`] are the bare models.
//!
//! A [`StableDiffusion`] paints in the same way, with its own text encoder, for comparison.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use burn::backend::Flex;
//! use mpm_core::weights::LoadOptions;
//! use viscpm_paint::{Outcome, PaintJob, PaintModel, Studio};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = LoadOptions::default();
//! let model = PaintModel::<Flex>::open("models/viscpm-paint-emoji", &Default::default(), &options)?;
//! let job = PaintJob::new("一只猫", model.config.default_request(7));
//! match Studio::from(model).paint(&job, |_| ControlFlow::Continue(()))? {
//!     Outcome::Painted(pictures) => {
//!         std::fs::write("cat.png", pictures[0].picture.encode_png(&[])?)?;
//!     }
//!     Outcome::Refused(refusal) => println!("{refusal}"),
//!     Outcome::Cancelled => {}
//! }
//! # Ok(())
//! # }
//! ```

mod chooser;
mod convert;
mod diffusers;
mod error;
mod folder;
mod job;
mod maker;
mod model_files;
mod painter;
mod pixels;
mod prompt_encoder;
mod prompt_tokenizer;
mod reader;
mod recipe;
mod settings;
mod source;
mod stable_diffusion;
mod studio;
mod template;
mod text_encoder;

pub use chooser::PictureChooser;
pub use convert::convert;
pub use error::PaintError;
pub use folder::{FORMAT_VERSION, ModelConfig, PaintDefaults, PaintModel};
pub use job::{AT_ONCE, MAX_PICTURES, PaintJob, Selection};
pub use maker::{FinishedPicture, PictureMaker, Verdict};
pub use model_files::ModelFiles;
pub use painter::{
    InitialPicture, MAX_SIDE, PaintProgress, PaintRequest, Painter, PreparedPainting,
};
pub use pixels::{from_pictures, to_pictures};
pub use prompt_encoder::{PromptEncoder, PromptLimit};
pub use prompt_tokenizer::PromptTokenizer;
pub use reader::{PromptReader, Reading};
pub use recipe::{InitialRecipe, Recipe};
pub use settings::PaintSettings;
pub use source::{Source, checkpoint_keys};
pub use stable_diffusion::{
    ClipPromptEncoder, ClipPrompts, StableDiffusion, StableDiffusionConfig, StableDiffusionSource,
};
pub use studio::{Outcome, Studio};
pub use template::{PromptPart, PromptTemplate};
pub use text_encoder::{PromptStates, TextEncoder};
pub use viscpm_common::PictureCheck;
