//! A quantized weight, and parts of it in f32.

use burn::tensor::f16;
use pulp::{Simd, WithSimd};
use std::ops::Range;

use super::super::{math::dispatch, number::Number, output::fill_one};
use crate::quantization::{Layout, QuantizedBits};

/// Weights per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 64 * 1024;

/// Codes and scales, row by row.
#[derive(Clone, Copy)]
pub(super) struct Weight<'a> {
    pub codes: &'a [u32],
    pub scales: &'a [f16],
    pub layout: Layout,
}

impl<'a> Weight<'a> {
    /// The words of some rows.
    pub fn codes(&self, rows: Range<usize>) -> &'a [u32] {
        let words = self.layout.words();
        &self.codes[rows.start * words..rows.end * words]
    }

    /// The scales of some rows.
    pub fn scales(&self, rows: Range<usize>) -> &'a [f16] {
        let blocks = self.layout.blocks();
        &self.scales[rows.start * blocks..rows.end * blocks]
    }

    /// All of it in f32.
    pub fn dequantized(&self) -> Vec<f32> {
        let Layout { d_out, d_in, .. } = self.layout;
        let per_task = TASK.div_ceil(d_in);
        fill_one(d_out * d_in, per_task * d_in, |task, output| {
            let first = task * per_task;
            self.dequantize(first..first + output.len() / d_in, 0..d_in, output);
        })
    }

    /// A part of it in f32, row after row.
    ///
    /// `columns` begins where a block does, or where a word does if a block is the whole row.
    pub fn dequantize(&self, rows: Range<usize>, columns: Range<usize>, output: &mut [f32]) {
        let Layout { block, bits, .. } = self.layout;
        let (words, blocks) = (self.layout.words(), self.layout.blocks());
        let mut scales = vec![0.0; columns.end.div_ceil(block) - columns.start / block];
        for (row, output) in rows.zip(output.chunks_exact_mut(columns.len())) {
            let first = row * blocks + columns.start / block;
            f16::widen(&self.scales[first..first + scales.len()], &mut scales);
            let codes = &self.codes[row * words..][columns.start / bits.per_word()..];
            dispatch(Dequantize {
                codes,
                scales: &scales,
                bits,
                block,
                output,
            });
        }
    }
}

/// Writes neighbouring weights of a row, from the first one of a block on.
struct Dequantize<'a> {
    codes: &'a [u32],
    scales: &'a [f32],
    bits: QuantizedBits,
    block: usize,
    output: &'a mut [f32],
}

impl WithSimd for Dequantize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let words = self.block / self.bits.per_word();
        let blocks = self
            .codes
            .chunks(words)
            .zip(self.output.chunks_mut(self.block));
        for ((codes, output), &scale) in blocks.zip(self.scales) {
            match self.bits {
                QuantizedBits::Int4 => {
                    let (output, _) = output.as_chunks_mut::<8>();
                    for (&word, output) in codes.iter().zip(output) {
                        for (i, value) in output.iter_mut().enumerate() {
                            let code = (word >> (4 * i) & 15) as i32 - 8;
                            *value = code as f32 * scale;
                        }
                    }
                }
                QuantizedBits::Int8 => {
                    let (output, _) = output.as_chunks_mut::<4>();
                    for (word, output) in codes.iter().zip(output) {
                        for (code, value) in word.to_le_bytes().into_iter().zip(output) {
                            *value = f32::from(code as i8) * scale;
                        }
                    }
                }
            }
        }
    }
}
