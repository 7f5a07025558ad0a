//! What can go wrong with quantization.

use burn::tensor::DType;

use super::QuantizationScheme;

/// Why weights could not be quantized, or quantized weights not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizationError {
    /// A scheme's name is not one of those that there are.
    #[error(
        "`{name}` is no quantization; there are int8 and int4 with blocks of 32, 64 (as without \
         a number) or 128 weights, such as int4-128, and int8-row"
    )]
    UnknownScheme {
        /// The name.
        name: String,
    },

    /// What is to be quantized is no matrix.
    #[error("only matrices can be quantized, not a tensor of shape {shape:?}")]
    NotMatrix {
        /// Its shape.
        shape: Vec<usize>,
    },

    /// The weights are of a type that is not read.
    #[error("weights of type {dtype:?} cannot be quantized; f32, f16 and bf16 can")]
    Unsupported {
        /// The type.
        dtype: DType,
    },

    /// The rows of the matrix cannot be cut into blocks and words.
    #[error("rows of {d_in} weights cannot be quantized to {scheme}: {reason}")]
    Width {
        /// Width of the matrix.
        d_in: usize,
        /// The scheme.
        scheme: QuantizationScheme,
        /// What does not fit.
        reason: String,
    },

    /// A weight is infinite or not a number.
    #[error("the weight in row {row}, column {column} is {value}")]
    NotFinite {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// What it is.
        value: f32,
    },

    /// A weight is so large that the scale of its block does not fit into f16.
    #[error(
        "the weight {value} in row {row} is too large: the scale of its block exceeds those that \
         f16 can hold"
    )]
    TooLarge {
        /// Its row.
        row: usize,
        /// What it is.
        value: f32,
    },

    /// The values do not fill the shape that comes with them.
    #[error("{values} values do not fill a matrix of shape {shape:?}")]
    Incomplete {
        /// How many there are.
        values: usize,
        /// The shape.
        shape: Vec<usize>,
    },

    /// Codes and scales are not those of a matrix of this width.
    #[error(
        "codes of shape {codes:?} and scales of shape {scales:?} are not those of a quantized \
         matrix of width {d_in}"
    )]
    Layout {
        /// Shape of the codes.
        codes: [usize; 2],
        /// Shape of the scales.
        scales: [usize; 2],
        /// Width of the matrix.
        d_in: usize,
    },

    /// Codes or scales are of another type than those that this crate writes.
    #[error("codes of type {codes:?} with scales of type {scales:?}, instead of U32 with F16")]
    Types {
        /// Type of the codes.
        codes: DType,
        /// Type of the scales.
        scales: DType,
    },
}
