//! Layers and operations that MPM's models share and Burn does not have.
//!
//! Their parameters are named and lie as PyTorch has them, and they run on the fused
//! operations of [`kernel`](crate::kernel).

pub mod clip;
mod conv;
mod group_norm;
mod layer_norm;
mod linear;
mod linear_layers;
mod linear_weight;
mod normalize;
mod rms_norm;

pub use conv::TorchConv2d;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::TorchLinear;
pub(crate) use linear_layers::for_each_linear;
pub use linear_layers::{LinearLayer, LinearLayers, LinearRole};
pub use linear_weight::LinearWeight;
pub use normalize::normalize_rows;
pub use rms_norm::RmsNorm;
