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

    /// Independent sums per row.
    const UNROLL: usize = 2;

    #[target_feature(enable = "avx2,fma,f16c")]
    pub fn dots<const ROWS: usize>(weights: &[f16], rows: [&[f32]; ROWS]) -> [f32; ROWS] {
        let rows = rows.map(|row| &row[..weights.len()]);
        let mut sums = [[_mm256_setzero_ps(); UNROLL]; ROWS];
        let mut start = 0;
        while start + UNROLL * LANES <= weights.len() {
            for unroll in 0..UNROLL {
                let at = start + unroll * LANES;
                // SAFETY: `at + LANES <= weights.len()`, which all rows have as
                // their length.
                let weight = unsafe { _mm_loadu_si128(weights.as_ptr().add(at).cast()) };
                let weight = _mm256_cvtph_ps(weight);
                for (sums, row) in sums.iter_mut().zip(&rows) {
                    // SAFETY: as above.
                    let x = unsafe { _mm256_loadu_ps(row.as_ptr().add(at)) };
                    sums[unroll] = _mm256_fmadd_ps(weight, x, sums[unroll]);
                }
            }
            start += UNROLL * LANES;
        }
        let mut totals = [0.0; ROWS];
        for ((total, sums), row) in totals.iter_mut().zip(sums).zip(&rows) {
            *total = horizontal_sum(_mm256_add_ps(sums[0], sums[1]));
            for (weight, x) in weights[start..].iter().zip(&row[start..]) {
                *total += weight.to_f32() * x;
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
