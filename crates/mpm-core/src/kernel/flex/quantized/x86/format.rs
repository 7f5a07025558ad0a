//! Unpacking codes in registers.

use burn::tensor::f16;
use bytemuck::cast;
use std::arch::x86_64::*;

/// How codes become vectors of 16-bit integers, and the input with them.
///
/// A group of weights is what a vector of words holds. The codes stay where they lie, so that a
/// word becomes a pair of neighbouring lanes; the input is brought into that order once instead.
/// Products of neighbouring lanes are added in pairs, to a sum for each word. It is exact, and
/// stays so as f32: 8 codes of 15 or 4 of 127 at most, times 32767, are less than 2^24.
pub(super) trait Format {
    /// Weights in a group.
    const GROUP: usize;

    /// Those of the input that go with them.
    type Input: Send + Sync;

    /// The codes of a group, two for each word.
    type Codes: Copy;

    /// Takes up a group of the input, which may be shorter.
    fn input(x: &[f32]) -> Group<Self::Input>;

    /// Unpacks a group.
    ///
    /// # Safety
    /// The CPU has AVX2.
    unsafe fn codes(words: __m256i) -> Self::Codes;

    /// For each word the sum of its codes' products with the input.
    ///
    /// # Safety
    /// The CPU has AVX2.
    unsafe fn dots(codes: Self::Codes, x: &Self::Input) -> __m256i;

    /// The scales of a group's words, times `factor`. Groups that share a scale are `1 << shift`.
    ///
    /// # Safety
    /// The CPU has AVX and F16C.
    unsafe fn scale(scales: &[f16], group: usize, shift: u32, factor: f32) -> __m256;
}

/// A group of the input.
pub(super) struct Group<I> {
    pub integers: I,
    /// What an integer's one is worth.
    pub scale: f32,
}

/// Rounds numbers to multiples of a 32767th of the largest of them.
///
/// What is infinite or no number at all makes their scale no number, and so every sum that they
/// are in. Numbers below 4e-34 are nothing.
#[inline(always)]
fn rounded<const GROUP: usize>(x: &[f32]) -> Group<[i16; GROUP]> {
    const LARGEST: f32 = i16::MAX as f32;

    let largest = x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let mut integers = [0; GROUP];
    let scale = largest / LARGEST;
    // `max` passes over what is not a number.
    if !largest.is_finite() || x.iter().any(|x| x.is_nan()) {
        let scale = f32::NAN;
        return Group { integers, scale };
    }
    if scale.is_normal() {
        for (integer, x) in integers.iter_mut().zip(x) {
            *integer = (x / scale).round_ties_even() as i16;
        }
    }
    Group { integers, scale }
}

/// A scale as f32, in the lowest lane.
///
/// # Safety
/// The CPU has F16C.
#[inline(always)]
unsafe fn widened(scale: f16) -> __m128 {
    // SAFETY: the CPU has the instruction.
    unsafe { _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(scale.to_bits()))) }
}

/// 4 bits in blocks of whole groups.
pub(super) struct Int4;

/// 4 bits in blocks of half a group.
pub(super) struct Int4Halves;

/// 8 bits in blocks of whole groups.
pub(super) struct Int8;

/// The input of codes in 4 bits.
pub(super) struct Int4Input {
    /// As the codes: the first of each half of a word, the second, and so on.
    vectors: [__m256i; 4],
    /// For each word, what makes up for codes that mean 8 less.
    offsets: __m256i,
}

impl Format for Int4 {
    const GROUP: usize = 64;

    type Input = Int4Input;

    type Codes = [__m256i; 4];

    #[inline(always)]
    fn input(x: &[f32]) -> Group<Int4Input> {
        let Group { integers, scale } = rounded::<{ Self::GROUP }>(x);
        let mut vectors = [[0_i16; 16]; 4];
        let mut offsets = [0_i32; 8];
        for (i, &x) in integers.iter().enumerate() {
            vectors[i % 4][i / 4] = x;
            offsets[i / 8] -= 8 * i32::from(x);
        }
        let integers = Int4Input {
            vectors: vectors.map(cast),
            offsets: cast(offsets),
        };
        Group { integers, scale }
    }

    #[inline(always)]
    unsafe fn codes(words: __m256i) -> [__m256i; 4] {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let mask = _mm256_set1_epi16(15);
            [
                _mm256_and_si256(words, mask),
                _mm256_and_si256(_mm256_srli_epi16::<4>(words), mask),
                _mm256_and_si256(_mm256_srli_epi16::<8>(words), mask),
                _mm256_srli_epi16::<12>(words),
            ]
        }
    }

    #[inline(always)]
    unsafe fn dots(codes: [__m256i; 4], x: &Int4Input) -> __m256i {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let [a, b, c, d] = x.vectors;
            let first = _mm256_add_epi32(
                _mm256_madd_epi16(codes[0], a),
                _mm256_madd_epi16(codes[1], b),
            );
            let second = _mm256_add_epi32(
                _mm256_madd_epi16(codes[2], c),
                _mm256_madd_epi16(codes[3], d),
            );
            _mm256_add_epi32(_mm256_add_epi32(first, second), x.offsets)
        }
    }

    #[inline(always)]
    unsafe fn scale(scales: &[f16], group: usize, shift: u32, factor: f32) -> __m256 {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let scale = _mm_mul_ss(widened(scales[group >> shift]), _mm_set_ss(factor));
            _mm256_broadcastss_ps(scale)
        }
    }
}

impl Format for Int4Halves {
    const GROUP: usize = Int4::GROUP;

    type Input = Int4Input;

    type Codes = [__m256i; 4];

    #[inline(always)]
    fn input(x: &[f32]) -> Group<Int4Input> {
        Int4::input(x)
    }

    #[inline(always)]
    unsafe fn codes(words: __m256i) -> [__m256i; 4] {
        // SAFETY: as promised by the caller.
        unsafe { Int4::codes(words) }
    }

    #[inline(always)]
    unsafe fn dots(codes: [__m256i; 4], x: &Int4Input) -> __m256i {
        // SAFETY: as promised by the caller.
        unsafe { Int4::dots(codes, x) }
    }

    #[inline(always)]
    unsafe fn scale(scales: &[f16], group: usize, _shift: u32, factor: f32) -> __m256 {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let [low, high] = [0, 1].map(|half| {
                let scale = widened(scales[2 * group + half]);
                _mm_broadcastss_ps(_mm_mul_ss(scale, _mm_set_ss(factor)))
            });
            _mm256_set_m128(high, low)
        }
    }
}

impl Format for Int8 {
    const GROUP: usize = 32;

    /// Those at even places and those at odd ones.
    type Input = [__m256i; 2];

    type Codes = [__m256i; 2];

    #[inline(always)]
    fn input(x: &[f32]) -> Group<[__m256i; 2]> {
        let Group { integers, scale } = rounded::<{ Self::GROUP }>(x);
        let mut vectors = [[0_i16; 16]; 2];
        for (i, &x) in integers.iter().enumerate() {
            vectors[i % 2][i / 2] = x;
        }
        let integers = vectors.map(cast);
        Group { integers, scale }
    }

    #[inline(always)]
    unsafe fn codes(words: __m256i) -> [__m256i; 2] {
        // SAFETY: the CPU has the instructions.
        unsafe {
            [
                _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(words)),
                _mm256_srai_epi16::<8>(words),
            ]
        }
    }

    #[inline(always)]
    unsafe fn dots(codes: [__m256i; 2], x: &[__m256i; 2]) -> __m256i {
        // SAFETY: the CPU has the instructions.
        unsafe {
            let [even, odd] = [0, 1].map(|i| _mm256_madd_epi16(codes[i], x[i]));
            _mm256_add_epi32(even, odd)
        }
    }

    #[inline(always)]
    unsafe fn scale(scales: &[f16], group: usize, shift: u32, factor: f32) -> __m256 {
        // SAFETY: as promised by the caller.
        unsafe { Int4::scale(scales, group, shift, factor) }
    }
}
