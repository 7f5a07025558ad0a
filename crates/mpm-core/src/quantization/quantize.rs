//! From floating-point weights to codes and scales.

use burn::tensor::{DType, Element, TensorData, bf16, f16};
use rayon::prelude::*;

use super::{
    Layout, QuantizationError, QuantizationScheme,
    pack::pack,
    scale::{choose, encode},
};

/// A quantized matrix in the memory of the host.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// u32 `[d_out, d_in * bits / 32]`
    pub codes: TensorData,
    /// f16 `[d_out, d_in / block]`
    pub scales: TensorData,
    /// Width of the matrix.
    pub d_in: usize,
}

/// Quantizes a `[d_out, d_in]` matrix of f32, f16 or bf16, row by row on all threads.
///
/// With 4 bits, the scale of a block is the one of a few candidates that has the smallest squared
/// error.
///
/// # Errors
/// When `values` is no such matrix, its width is not a multiple of the block, or a weight is not
/// finite or too large for the scales.
pub fn quantize(
    values: &TensorData,
    scheme: QuantizationScheme,
) -> Result<Quantized, QuantizationError> {
    match values.dtype {
        DType::F32 => quantize_from::<f32>(values, scheme),
        DType::F16 => quantize_from::<f16>(values, scheme),
        DType::BF16 => quantize_from::<bf16>(values, scheme),
        dtype => Err(QuantizationError::Unsupported { dtype }),
    }
}

fn quantize_from<T: Element + Into<f32>>(
    values: &TensorData,
    scheme: QuantizationScheme,
) -> Result<Quantized, QuantizationError> {
    let shape = values.shape.to_vec();
    let &[d_out, d_in] = shape.as_slice() else {
        return Err(QuantizationError::NotMatrix { shape });
    };
    let layout = Layout::new(scheme, [d_out, d_in])?;
    let values = values.as_slice::<T>().unwrap_or_default();
    if values.len() != d_out * d_in {
        let values = values.len();
        return Err(QuantizationError::Incomplete { values, shape });
    }
    let mut codes = vec![0; d_out * layout.words()];
    let mut scales = vec![f16::ZERO; d_out * layout.blocks()];
    values
        .par_chunks_exact(d_in)
        .zip(codes.par_chunks_exact_mut(layout.words()))
        .zip(scales.par_chunks_exact_mut(layout.blocks()))
        .enumerate()
        .try_for_each_init(
            || Buffers::new(layout.block),
            |buffers, (row, ((values, codes), scales))| {
                let words = layout.block / layout.bits.per_word();
                let blocks = values
                    .chunks_exact(layout.block)
                    .zip(codes.chunks_exact_mut(words));
                for (i, ((values, codes), scale)) in blocks.zip(scales).enumerate() {
                    buffers.widen(values, [row, i * layout.block])?;
                    *scale = buffers.quantize(layout, row, codes)?;
                }
                Ok(())
            },
        )?;
    Ok(Quantized {
        codes: TensorData::new(codes, layout.codes()),
        scales: TensorData::new(scales, layout.scales()),
        d_in,
    })
}

/// A block between two formats.
struct Buffers {
    values: Vec<f32>,
    codes: Vec<i8>,
}

impl Buffers {
    fn new(block: usize) -> Self {
        Self {
            values: vec![0.0; block],
            codes: vec![0; block],
        }
    }

    /// Takes up the values of the block that starts in this row and column.
    fn widen<T: Copy + Into<f32>>(
        &mut self,
        values: &[T],
        [row, first]: [usize; 2],
    ) -> Result<(), QuantizationError> {
        for (wide, &value) in self.values.iter_mut().zip(values) {
            *wide = value.into();
        }
        match self.values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(place) => Err(QuantizationError::NotFinite {
                row,
                column: first + place,
                value: self.values[place],
            }),
        }
    }

    /// Writes the codes of the values, and returns their scale.
    fn quantize(
        &mut self,
        layout: Layout,
        row: usize,
        codes: &mut [u32],
    ) -> Result<f16, QuantizationError> {
        let Some(scale) = choose(&self.values, layout.bits) else {
            let magnitudes = self.values.iter().copied();
            let value = magnitudes.max_by(|left, right| left.abs().total_cmp(&right.abs()));
            return Err(QuantizationError::TooLarge {
                row,
                value: value.unwrap_or_default(),
            });
        };
        encode(&self.values, scale, layout.bits, &mut self.codes);
        pack(&self.codes, layout.bits, codes);
        Ok(scale)
    }
}
