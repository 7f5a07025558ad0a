//! Dot products that read f16 straight from memory, with the conversion
//! instructions of x86-64. Elsewhere the caller widens blocks of weights first.

use burn::tensor::f16;

/// The dot products of each of `weights` with each of `rows`, all of one length, or `None`
/// where the CPU has no instructions for it.
#[cfg(target_arch = "x86_64")]
pub(super) fn dots<const WEIGHTS: usize, const ROWS: usize>(
    weights: [&[f16]; WEIGHTS],
    rows: [&[f32]; ROWS],
) -> Option<[[f32; ROWS]; WEIGHTS]> {
    use std::arch::is_x86_feature_detected as detected;
    let supported = detected!("avx2") && detected!("fma") && detected!("f16c");
    // SAFETY: the CPU has the instructions that the function is compiled with.
    supported.then(|| unsafe { x86::dots(weights, rows) })
}

/// The dot products of each of `weights` with each of `rows`, all of one length, or `None`
/// where the CPU has no instructions for it.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn dots<const WEIGHTS: usize, const ROWS: usize>(
    _weights: [&[f16]; WEIGHTS],
    _rows: [&[f32]; ROWS],
) -> Option<[[f32; ROWS]; WEIGHTS]> {
    None
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use burn::tensor::f16;
    use std::arch::x86_64::*;

    /// Elements of a vector register.
    const LANES: usize = 8;

    #[target_feature(enable = "avx2,fma,f16c")]
    pub fn dots<const WEIGHTS: usize, const ROWS: usize>(
        weights: [&[f16]; WEIGHTS],
        rows: [&[f32]; ROWS],
    ) -> [[f32; ROWS]; WEIGHTS] {
        let len = weights[0].len();
        let weights = weights.map(|weight| weight[..len].as_chunks::<LANES>());
        let rows = rows.map(|row| row[..len].as_chunks::<LANES>());
        let mut sums = [[_mm256_setzero_ps(); ROWS]; WEIGHTS];
        for i in 0..len / LANES {
            // SAFETY: a block has as many elements as a register.
            let x = rows.map(|row| unsafe { _mm256_loadu_ps(row.0[i].as_ptr()) });
            for weight in 0..WEIGHTS {
                let block = weights[weight].0[i].as_ptr();
                // SAFETY: as above.
                let half = unsafe { _mm_loadu_si128(block.cast()) };
                let w = _mm256_cvtph_ps(half);
                for row in 0..ROWS {
                    sums[weight][row] = _mm256_fmadd_ps(w, x[row], sums[weight][row]);
                }
            }
        }
        let mut totals = [[0.0; ROWS]; WEIGHTS];
        for weight in 0..WEIGHTS {
            for row in 0..ROWS {
                let total = &mut totals[weight][row];
                *total = horizontal_sum(sums[weight][row]);
                for (w, x) in weights[weight].1.iter().zip(rows[row].1) {
                    *total += w.to_f32() * x;
                }
            }
        }
        totals
    }

    /// The sum of all elements.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn horizontal_sum(x: __m256) -> f32 {
        let half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
    }
}
