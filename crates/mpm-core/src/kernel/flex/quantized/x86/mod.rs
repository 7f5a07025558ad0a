//! Products with a handful of rows that unpack codes in the registers of x86-64.
//!
//! The input is rounded to integers of 16 bits, by at most a 65534th of the largest number of its
//! group, which f16 would round by up to thirty times as much. In return, products of integers
//! take two thirds of the instructions.

mod format;

use burn::tensor::f16;
use std::arch::x86_64::*;

use super::{
    super::{half_dot::x86::horizontal_sum, output::fill_one},
    few_rows::TASK,
    weight::Weight,
};
use crate::quantization::QuantizedBits;
use format::{Format, Group, Int4, Int4Halves, Int8};

/// Elements of a vector register, and words whose codes are unpacked at a time.
const LANES: usize = 8;

/// Rows of the weight that are multiplied at the same time: they share what is read of the input,
/// and their sums still fit into registers.
const WEIGHTS: usize = 2;

/// `weight · xᵀ` for at most eight rows: `[d_out, rows]`, or `None` where the CPU has no
/// instructions for it.
pub(super) fn columns(x: &[f32], weight: Weight<'_>, rows: usize) -> Option<Vec<f32>> {
    use std::arch::is_x86_feature_detected as detected;
    let layout = weight.layout;
    let supported = detected!("avx2") && detected!("fma") && detected!("f16c");
    // SAFETY: the CPU has the instructions.
    supported.then(|| unsafe {
        match layout.bits {
            QuantizedBits::Int4 if layout.block < Int4::GROUP => {
                columns_of::<Int4Halves>(x, weight, rows)
            }
            QuantizedBits::Int4 => columns_of::<Int4>(x, weight, rows),
            QuantizedBits::Int8 => columns_of::<Int8>(x, weight, rows),
        }
    })
}

/// More than four rows of the input are too many for the registers, and take two turns while the
/// codes are in the first-level cache.
///
/// # Safety
/// The CPU has AVX2, FMA and F16C.
unsafe fn columns_of<F: Format>(x: &[f32], weight: Weight<'_>, rows: usize) -> Vec<f32> {
    // SAFETY: as promised by the caller.
    unsafe {
        match rows {
            1 => columns_by::<F, 1, 0>(x, weight),
            2 => columns_by::<F, 2, 0>(x, weight),
            3 => columns_by::<F, 3, 0>(x, weight),
            4 => columns_by::<F, 4, 0>(x, weight),
            5 => columns_by::<F, 3, 2>(x, weight),
            6 => columns_by::<F, 3, 3>(x, weight),
            7 => columns_by::<F, 4, 3>(x, weight),
            _ => columns_by::<F, 4, 4>(x, weight),
        }
    }
}

/// # Safety
/// The CPU has AVX2, FMA and F16C.
unsafe fn columns_by<F: Format, const FIRST: usize, const SECOND: usize>(
    x: &[f32],
    weight: Weight<'_>,
) -> Vec<f32> {
    let (layout, rows) = (weight.layout, FIRST + SECOND);
    let (words, blocks) = (layout.words(), layout.blocks());
    let groups = layout.d_in.div_ceil(F::GROUP);
    // SAFETY: as promised by the caller.
    let x = unsafe { grouped::<F>(x, layout.d_in) };
    let row = |row: usize| &x[row * groups..][..groups];
    let input = Input::<F, FIRST, SECOND> {
        first: std::array::from_fn(row),
        second: std::array::from_fn(|i| row(FIRST + i)),
        shift: match blocks {
            // every group has the first scale
            1 => usize::BITS - 1,
            _ => (layout.block / F::GROUP).checked_ilog2().unwrap_or(0),
        },
    };
    let per_task = TASK.div_ceil(layout.d_in).next_multiple_of(WEIGHTS);
    fill_one(layout.d_out * rows, per_task * rows, |task, columns| {
        let start = task * per_task;
        let task = start..start + columns.len() / rows;
        let (codes, scales) = (weight.codes(task.clone()), weight.scales(task));
        let row = |i: usize| Row {
            codes: &codes[i * words..][..words],
            scales: &scales[i * blocks..][..blocks],
        };
        for (block, columns) in columns.chunks_mut(WEIGHTS * rows).enumerate() {
            let first = block * WEIGHTS;
            // SAFETY: as promised by the caller.
            unsafe {
                if columns.len() == WEIGHTS * rows {
                    let weights: [_; WEIGHTS] = std::array::from_fn(|i| row(first + i));
                    input.products(weights, columns);
                } else {
                    for (i, column) in columns.chunks_exact_mut(rows).enumerate() {
                        input.products([row(first + i)], column);
                    }
                }
            }
        }
    })
}

/// Takes up rows of `width` numbers.
#[target_feature(enable = "avx2")]
fn grouped<F: Format>(x: &[f32], width: usize) -> Vec<Group<F::Input>> {
    let mut groups = Vec::with_capacity(x.len().div_ceil(width) * width.div_ceil(F::GROUP));
    // No iterator's adapters: they would be compiled without the instructions.
    for row in x.chunks_exact(width) {
        for group in row.chunks(F::GROUP) {
            groups.push(F::input(group));
        }
    }
    groups
}

/// A row of the weight.
#[derive(Clone, Copy)]
struct Row<'a> {
    codes: &'a [u32],
    scales: &'a [f16],
}

/// The rows of the input, in groups.
struct Input<'a, F: Format, const FIRST: usize, const SECOND: usize> {
    first: [&'a [Group<F::Input>]; FIRST],
    second: [&'a [Group<F::Input>]; SECOND],
    shift: u32,
}

impl<F: Format, const FIRST: usize, const SECOND: usize> Input<'_, F, FIRST, SECOND> {
    /// Writes the products of some rows of the weight with all rows of the input.
    ///
    /// # Safety
    /// The CPU has AVX2, FMA and F16C.
    unsafe fn products<const WEIGHTS: usize>(
        &self,
        weights: [Row<'_>; WEIGHTS],
        columns: &mut [f32],
    ) {
        // SAFETY: as promised by the caller.
        let (first, second) = unsafe {
            (
                dots::<F, WEIGHTS, FIRST>(weights, self.shift, self.first),
                dots::<F, WEIGHTS, SECOND>(weights, self.shift, self.second),
            )
        };
        let columns = columns.chunks_exact_mut(FIRST + SECOND);
        for ((column, first), second) in columns.zip(first).zip(second) {
            column[..FIRST].copy_from_slice(&first);
            column[FIRST..].copy_from_slice(&second);
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dots<F: Format, const WEIGHTS: usize, const ROWS: usize>(
    weights: [Row<'_>; WEIGHTS],
    shift: u32,
    x: [&[Group<F::Input>]; ROWS],
) -> [[f32; ROWS]; WEIGHTS] {
    let mut totals = [[0.0; ROWS]; WEIGHTS];
    if ROWS == 0 {
        return totals;
    }
    // Slices of equal lengths and loads by value: pointers would be checked in each turn wherever
    // debug assertions are on, and they are on in the profile that most people use.
    let codes = weights.map(|row| row.codes.as_chunks::<LANES>());
    let whole = codes[0].0.len();
    let chunks = codes.map(|(chunks, _)| &chunks[..whole]);
    let scales = weights.map(|row| row.scales);
    let groups = x.map(|row| &row[..whole]);
    let mut sums = [[_mm256_setzero_ps(); ROWS]; WEIGHTS];
    for group in 0..whole {
        for chunks in chunks {
            // By the time these rows are done, the next ones are in the first-level cache. The
            // processor's own prefetching lags behind; beyond the end this does nothing.
            let ahead = chunks.as_ptr().wrapping_add(group + WEIGHTS * whole);
            _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
        }
        // SAFETY: the CPU has the instructions.
        unsafe {
            add::<F, WEIGHTS, ROWS>(
                &mut sums,
                chunks.map(|chunks| vector(chunks[group])),
                groups.map(|groups| &groups[group]),
                |weight, factor| F::scale(scales[weight], group, shift, factor),
            );
        }
    }
    if !codes[0].1.is_empty() {
        // SAFETY: the CPU has the instructions.
        unsafe {
            add::<F, WEIGHTS, ROWS>(
                &mut sums,
                codes.map(|(_, left)| vector(padded(left))),
                x.map(|row| &row[whole]),
                |weight, factor| {
                    let last = scales[weight][scales[weight].len() - 1];
                    F::scale(&[last, f16::ZERO], 0, shift, factor)
                },
            );
        }
    }
    for (totals, sums) in totals.iter_mut().zip(sums) {
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = horizontal_sum(sum);
        }
    }
    totals
}

/// The words as a register. `bytemuck` would check its own reading of them where debug assertions
/// are on.
#[inline(always)]
fn vector(words: [u32; LANES]) -> __m256i {
    // SAFETY: both are 32 bytes of any values.
    unsafe { std::mem::transmute::<[u32; LANES], __m256i>(words) }
}

/// The last words of a row, and zeros.
fn padded(left: &[u32]) -> [u32; LANES] {
    let mut words = [0; LANES];
    words[..left.len()].copy_from_slice(left);
    words
}

/// Adds the products of a group; `scale` gives the scales of a weight times a factor.
///
/// # Safety
/// The CPU has AVX2, FMA and F16C.
#[inline(always)]
unsafe fn add<F: Format, const WEIGHTS: usize, const ROWS: usize>(
    sums: &mut [[__m256; ROWS]; WEIGHTS],
    words: [__m256i; WEIGHTS],
    x: [&Group<F::Input>; ROWS],
    scale: impl Fn(usize, f32) -> __m256,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        // One weight after the other, so that sums and codes fit into the registers.
        for weight in 0..WEIGHTS {
            let codes = F::codes(words[weight]);
            for row in 0..ROWS {
                let dots = _mm256_cvtepi32_ps(F::dots(codes, &x[row].integers));
                let scale = scale(weight, x[row].scale);
                let sum = &mut sums[weight][row];
                *sum = _mm256_fmadd_ps(dots, scale, *sum);
            }
        }
    }
}
