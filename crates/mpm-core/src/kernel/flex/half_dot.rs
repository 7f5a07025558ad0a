//! Dot products that read f16 straight from memory, with the conversion
//! instructions of x86-64. Elsewhere the caller widens blocks of weights first.

use burn::tensor::f16;

/// The dot products of `weights` with each of `rows`, or `None` where the CPU
/// has no instructions for it.
#[cfg(target_arch = "x86_64")]
pub(super) fn dots<const ROWS: usize>(
    weights: &[f16],
    rows: [&[f32]; ROWS],
) -> Option<[f32; ROWS]> {
    use std::arch::is_x86_feature_detected as detected;
    let supported = detected!("avx2") && detected!("fma") && detected!("f16c");
    // SAFETY: the CPU has the instructions that the function is compiled with.
    supported.then(|| unsafe { x86::dots(weights, rows) })
}

/// The dot products of `weights` with each of `rows`, or `None` where the CPU
/// has no instructions for it.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn dots<const ROWS: usize>(
    _weights: &[f16],
    _rows: [&[f32]; ROWS],
) -> Option<[f32; ROWS]> {
    None
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use burn::tensor::f16;
    use std::arch::x86_64::*;

    /// Elements of a vector register.
    const LANES: usize = 8;

    /// Independent sums per row, which hide the latency of the additions.
    const UNROLL: usize = 4;

    #[target_feature(enable = "avx2,fma,f16c")]
    #[expect(
        clippy::needless_range_loop,
        reason = "loops over constants are unrolled, and keep the sums in registers"
    )]
    pub fn dots<const ROWS: usize>(weights: &[f16], rows: [&[f32]; ROWS]) -> [f32; ROWS] {
        let (blocks, left) = weights.as_chunks::<{ UNROLL * LANES }>();
        let rows = rows.map(|row| row[..weights.len()].as_chunks::<{ UNROLL * LANES }>());
        let mut sums = [[_mm256_setzero_ps(); UNROLL]; ROWS];
        for (i, block) in blocks.iter().enumerate() {
            for unroll in 0..UNROLL {
                let at = unroll * LANES;
                // SAFETY: `at + LANES` is at most the length of a block.
                let weight = unsafe { _mm_loadu_si128(block.as_ptr().add(at).cast()) };
                let weight = _mm256_cvtph_ps(weight);
                for row in 0..ROWS {
                    let x = &rows[row].0[i];
                    // SAFETY: as above.
                    let x = unsafe { _mm256_loadu_ps(x.as_ptr().add(at)) };
                    sums[row][unroll] = _mm256_fmadd_ps(weight, x, sums[row][unroll]);
                }
            }
        }
        let mut totals = [0.0; ROWS];
        for row in 0..ROWS {
            let [a, b, c, d] = sums[row];
            let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
            totals[row] = horizontal_sum(sum);
            for (weight, x) in left.iter().zip(rows[row].1) {
                totals[row] += weight.to_f32() * x;
            }
        }
        totals
    }

    #[target_feature(enable = "avx2")]
    fn horizontal_sum(x: __m256) -> f32 {
        let half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
    }
}
