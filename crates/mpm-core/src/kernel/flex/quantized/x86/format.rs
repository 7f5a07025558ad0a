//! Unpacking codes in registers.

use bytemuck::cast;
use std::arch::x86_64::*;

use super::LANES;

/// How codes become vectors.
///
/// A group of weights is what a vector of words holds. Its words lie side by side as they do in
/// memory, so that one code of each makes a vector; the input is brought into that order once
/// instead. Codes stay where they are in their word, which makes them too large by a power of
/// two; the input is smaller by it.
pub(super) trait Format {
    /// Weights in a group.
    const GROUP: usize;

    /// Those of the input that go with them.
    type Group: Send + Sync;

    /// Takes up a group of the input.
    fn group(x: &[f32]) -> Self::Group;

    /// The products of a group's codes with the input, not yet added up over the lanes.
    ///
    /// # Safety
    /// The CPU has AVX2 and FMA.
    unsafe fn products<const WEIGHTS: usize, const ROWS: usize>(
        words: [__m256i; WEIGHTS],
        x: [&Self::Group; ROWS],
    ) -> [[__m256; ROWS]; WEIGHTS];

    /// The scales of a group, one for each lane. Groups that share a scale are `1 << shift`.
    ///
    /// # Safety
    /// The CPU has AVX.
    unsafe fn scale(scales: &[f32], group: usize, shift: u32) -> __m256;
}

/// 4 bits in blocks of whole groups.
pub(super) struct Int4;

/// 4 bits in blocks of half a group.
pub(super) struct Int4Halves;

/// 8 bits in blocks of whole groups.
pub(super) struct Int8;

impl Format for Int4 {
    const GROUP: usize = 64;

    /// Eight vectors, then what makes up for codes that mean 8 less: it is cheaper than eight
    /// subtractions.
    type Group = [__m256; 9];

    fn group(x: &[f32]) -> Self::Group {
        /// What makes up for the places of codes in a word's half.
        const SMALLER: [f32; 4] = [1.0, 1.0 / 16.0, 1.0 / 256.0, 1.0 / 4096.0];

        let mut vectors = [[0.0; LANES]; 9];
        for (lane, word) in x.chunks(8).enumerate() {
            for (i, &x) in word.iter().enumerate() {
                vectors[i][lane] = x * SMALLER[i % 4];
                vectors[8][lane] -= 8.0 * x;
            }
        }
        vectors.map(cast)
    }

    #[inline(always)]
    unsafe fn products<const WEIGHTS: usize, const ROWS: usize>(
        words: [__m256i; WEIGHTS],
        x: [&Self::Group; ROWS],
    ) -> [[__m256; ROWS]; WEIGHTS] {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let mut sums = [x.map(|x| x[8]); WEIGHTS];
            macro_rules! add {
                ($words:ident, $code:literal, $vector:literal) => {
                    let x = x.map(|x| x[$vector]);
                    let mask = _mm256_set1_epi32(15 << (4 * $code));
                    for weight in 0..WEIGHTS {
                        let code = _mm256_cvtepi32_ps(_mm256_and_si256($words[weight], mask));
                        for row in 0..ROWS {
                            let sum = &mut sums[weight][row];
                            *sum = _mm256_fmadd_ps(code, x[row], *sum);
                        }
                    }
                };
            }
            add!(words, 0, 0);
            add!(words, 1, 1);
            add!(words, 2, 2);
            add!(words, 3, 3);
            // the same masks again: others would not fit into the registers
            let words = words.map(|words| _mm256_srli_epi32::<16>(words));
            add!(words, 0, 4);
            add!(words, 1, 5);
            add!(words, 2, 6);
            add!(words, 3, 7);
            sums
        }
    }

    #[inline(always)]
    unsafe fn scale(scales: &[f32], group: usize, shift: u32) -> __m256 {
        // SAFETY: the CPU has the instruction.
        unsafe { _mm256_set1_ps(scales[group >> shift]) }
    }
}

impl Format for Int4Halves {
    const GROUP: usize = Int4::GROUP;

    type Group = <Int4 as Format>::Group;

    fn group(x: &[f32]) -> Self::Group {
        Int4::group(x)
    }

    #[inline(always)]
    unsafe fn products<const WEIGHTS: usize, const ROWS: usize>(
        words: [__m256i; WEIGHTS],
        x: [&Self::Group; ROWS],
    ) -> [[__m256; ROWS]; WEIGHTS] {
        // SAFETY: as promised by the caller.
        unsafe { Int4::products(words, x) }
    }

    #[inline(always)]
    unsafe fn scale(scales: &[f32], group: usize, _shift: u32) -> __m256 {
        // SAFETY: the CPU has the instruction.
        unsafe {
            _mm256_set_m128(
                _mm_set1_ps(scales[2 * group + 1]),
                _mm_set1_ps(scales[2 * group]),
            )
        }
    }
}

impl Format for Int8 {
    const GROUP: usize = 32;

    type Group = [__m256; 4];

    fn group(x: &[f32]) -> Self::Group {
        /// Codes lie in the highest bits of their word, where their sign is the word's.
        const PLACE: f32 = (1 << 24) as f32;

        let mut vectors = [[0.0; LANES]; 4];
        for (lane, word) in x.chunks(4).enumerate() {
            for (i, &x) in word.iter().enumerate() {
                vectors[i][lane] = x / PLACE;
            }
        }
        vectors.map(cast)
    }

    #[inline(always)]
    unsafe fn products<const WEIGHTS: usize, const ROWS: usize>(
        words: [__m256i; WEIGHTS],
        x: [&Self::Group; ROWS],
    ) -> [[__m256; ROWS]; WEIGHTS] {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let top = _mm256_set1_epi32(0xff << 24);
            let mut sums = [[_mm256_setzero_ps(); ROWS]; WEIGHTS];
            macro_rules! add {
                ($vector:literal, |$words:ident| $code:expr) => {
                    let x = x.map(|x| x[$vector]);
                    for weight in 0..WEIGHTS {
                        let $words = words[weight];
                        let code = _mm256_cvtepi32_ps($code);
                        for row in 0..ROWS {
                            let sum = &mut sums[weight][row];
                            *sum = _mm256_fmadd_ps(code, x[row], *sum);
                        }
                    }
                };
            }
            add!(0, |words| _mm256_slli_epi32::<24>(words));
            add!(1, |words| _mm256_and_si256(
                _mm256_slli_epi32::<16>(words),
                top
            ));
            add!(2, |words| _mm256_and_si256(
                _mm256_slli_epi32::<8>(words),
                top
            ));
            add!(3, |words| _mm256_and_si256(words, top));
            sums
        }
    }

    #[inline(always)]
    unsafe fn scale(scales: &[f32], group: usize, shift: u32) -> __m256 {
        // SAFETY: as promised by the caller.
        unsafe { Int4::scale(scales, group, shift) }
    }
}
