//! Low-rank adaptation: small matrices that train beside frozen linear layers.
//!
//! "LoRA: Low-Rank Adaptation of Large Language Models", <https://arxiv.org/abs/2106.09685>. A
//! layer with the weight `W` computes with `W + alpha / rank · B · A` instead, without ever making
//! the product: `A` is `[rank, d_in]` and starts at random, `B` is `[d_out, rank]` and starts at
//! zero, so that a model begins as it was. Gradients, moments and checkpoints are those of the two
//! matrices, and the frozen weights may stay in half precision.
//!
//! [`attach`] gives adapters to the linear layers of a model, [`merge`] adds them to the weights,
//! [`save`] and [`load`] write and read them in the layout of Hugging Face's PEFT. A model takes
//! part by [`LinearLayers`](crate::nn::LinearLayers).
//!
//! # Examples
//! ```
//! use std::num::NonZeroUsize;
//!
//! use burn::{backend::Flex, tensor::Tensor};
//! use mpm_core::{lora::{self, LoraConfig}, nn::TorchLinear};
//!
//! let device = Default::default();
//! let layer = TorchLinear::<Flex>::new(8, 8, &device);
//! let config = LoraConfig { rank: NonZeroUsize::new(2).unwrap(), alpha: 4.0 };
//! let adapted = lora::attach(layer, config, |_| true)?;
//! let merged = lora::merge(adapted);
//! assert!(merged.lora.is_none());
//! # Ok::<(), lora::LoraError>(())
//! ```

mod adapter;
mod attach;
mod error;
mod folder;

pub use adapter::{Lora, LoraConfig};
pub use attach::{attach, linear_paths, merge};
pub use error::LoraError;
pub use folder::{CONFIG_FILE, WEIGHTS_FILE, load, save};

#[cfg(all(test, feature = "flex"))]
mod tests;
