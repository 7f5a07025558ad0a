//! Layers and operations that MPM's models share and Burn does not have.
//!
//! Their parameters are named and lie as PyTorch has them, and they run on the fused
//! operations of [`kernel`](crate::kernel).

pub mod clip;
mod conv;
mod group_norm;
mod layer_norm;
mod linear;
mod normalize;

pub use conv::TorchConv2d;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::TorchLinear;
pub use normalize::normalize_rows;
