//! Weights in 4 or 8 bits, which take a quarter to a half of the memory and of the time that
//! reading f16 takes.
//!
//! A matrix `[d_out, d_in]` is cut into blocks along its rows. Each block has a scale, and each
//! weight a code: a small integer that times the scale is the weight, nearly. Only weights are
//! quantized; what is multiplied with them keeps its precision, and so do the sums
//! ([`quantized_linear`](crate::kernel::quantized_linear)), except that x86 CPUs round a handful of
//! rows to 16 bits.
//!
//! # Format
//!
//! The same on every backend and in files:
//! - codes: u32 `[d_out, d_in * bits / 32]`. A word holds neighbouring weights, the first one in
//!   its lowest bits. In 4 bits a code `c` from 0 to 15 means `(c - 8) * scale`; in 8 bits it is
//!   two's complement, from -127 to 127, and means `c * scale`.
//! - scales: f16 `[d_out, d_in / block]`; those of 4 bits have either sign.
//!
//! Bits and block follow from the two shapes and `d_in`.
//!
//! # Precision
//!
//! The root mean square of the error relative to that of the weights, where these are drawn
//! from a normal distribution:
//!
//! | scheme | error | bits per weight |
//! |---|---:|---:|
//! | `int8-64` | 0.6 % | 8.25 |
//! | `int8-row`, 4096 wide | 0.8 % | 8.0 |
//! | `int4-32` | 8.3 % | 4.5 |
//! | `int4-64` | 9.1 % | 4.25 |
//! | `int4-128` | 9.8 % | 4.125 |

mod error;
mod layout;
mod matrix;
mod pack;
mod quantize;
mod scale;
mod scheme;
#[cfg(all(test, feature = "flex"))]
mod tests;

pub use error::QuantizationError;
pub use matrix::QuantizedMatrix;
pub use quantize::{Quantized, quantize};
pub use scheme::{BlockSize, QuantizationScheme, QuantizedBits};

pub(crate) use layout::Layout;
