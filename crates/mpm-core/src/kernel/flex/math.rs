//! Vectorised building blocks: `exp`, sigmoid, the normal distribution, dot products.
//!
//! They are written against [`pulp::Simd`], which picks the widest instruction
//! set of the running CPU (AVX-512 or else AVX2 with FMA on x86-64, NEON on AArch64,
//! SIMD128 on WebAssembly, scalar code elsewhere).

use pulp::{Simd, WithSimd};
use std::f32::consts::LOG2_E;

/// `FRAC_1_SQRT_2PI`: the density of the normal distribution at zero.
const DENSITY_AT_ZERO: f32 = 0.398_942_3;

/// Runs `operation` with the widest instruction set of the running CPU.
#[inline]
pub(super) fn dispatch<O: WithSimd>(operation: O) -> O::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            return Simd::vectorize(simd, operation);
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Simd::vectorize(simd, operation);
        }
    }
    pulp::Arch::new().dispatch(operation)
}

/// `exp(x)` for `x <= 88`, within 2 units in the last place; exactly 0 below
/// -88.03, NaN for NaN.
///
/// Cody-Waite reduction to `|r| <= ln(2) / 2`, then a polynomial of degree 6 that
/// interpolates `(exp(r) - 1 - r) / r²` at Chebyshev nodes.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// The smallest argument; its power of two is the zero bit pattern.
    const LOWEST: f32 = -88.03;
    /// ln(2) in two parts, the first of which has few enough bits that its
    /// product with an exponent is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// 1.5 · 2²³: adding it rounds to the nearest integer and leaves that
    /// integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const COEFFICIENTS: [f32; 5] = [
        0.5,
        0.166_665_78,
        0.041_666_556,
        0.008_363_174,
        0.001_392_617_7,
    ];

    let lowest = simd.splat_f32s(LOWEST);
    let x = select(simd, simd.less_than_f32s(x, lowest), lowest, x);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(LOG2_E), simd.splat_f32s(ROUND));
    let power = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(power, simd.splat_f32s(-LN2_HIGH), x);
    let r = simd.mul_add_e_f32s(power, simd.splat_f32s(-LN2_LOW), r);
    let curve = polynomial(simd, r, COEFFICIENTS);
    let one_plus_r = simd.add_f32s(r, simd.splat_f32s(1.0));
    let mantissa = simd.mul_add_e_f32s(curve, simd.mul_f32s(r, r), one_plus_r);
    let biased = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let exponent = simd.wrapping_dyn_shl_u32s(biased, simd.splat_u32s(23));
    simd.mul_f32s(mantissa, simd.transmute_f32s_u32s(exponent))
}

/// `1 / (1 + exp(-x))`, for x below -88 no smaller than at -88.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// The largest argument of [`exp`].
    const HIGHEST: f32 = 88.0;

    let one = simd.splat_f32s(1.0);
    let highest = simd.splat_f32s(HIGHEST);
    let negated = simd.sub_f32s(simd.splat_f32s(0.0), x);
    let beyond = simd.less_than_f32s(highest, negated);
    let power = exp(simd, select(simd, beyond, highest, negated));
    simd.div_f32s(one, simd.add_f32s(one, power))
}

/// The normal distribution at `x`: its cumulative function Φ and its density φ.
///
/// The tail beyond `|x|` is `exp(-x²/2) · t · P(t)` with `t = 1 / (1 + 0.26 |x|)`,
/// P of degree 8 interpolated at Chebyshev nodes; its relative error is below
/// 1e-7 before rounding, so Φ keeps its digits where `1 + erf(x)` cancels.
#[inline(always)]
pub(super) fn normal<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    const SLOPE: f32 = 0.26;
    const COEFFICIENTS: [f32; 9] = [
        0.103_768_855,
        0.102_844_976,
        0.104_291_78,
        0.045_956,
        0.173_176_7,
        -0.169_100_43,
        0.267_731_22,
        -0.160_858_15,
        0.032_189_06,
    ];

    let one = simd.splat_f32s(1.0);
    let bell = exp(
        simd,
        simd.mul_f32s(simd.mul_f32s(x, x), simd.splat_f32s(-0.5)),
    );
    let magnitude = simd.max_f32s(x, simd.sub_f32s(simd.splat_f32s(0.0), x));
    let slope = simd.mul_add_e_f32s(magnitude, simd.splat_f32s(SLOPE), one);
    let t = simd.div_f32s(one, slope);
    let tail = simd.mul_f32s(simd.mul_f32s(bell, t), polynomial(simd, t, COEFFICIENTS));
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    let cumulative = select(simd, negative, tail, simd.sub_f32s(one, tail));
    (
        cumulative,
        simd.mul_f32s(bell, simd.splat_f32s(DENSITY_AT_ZERO)),
    )
}

/// `if_true` where the mask is set, `if_false` elsewhere.
///
/// By way of integers, because pulp's own default for floats is not inlined.
#[inline(always)]
fn select<S: Simd>(simd: S, mask: S::m32s, if_true: S::f32s, if_false: S::f32s) -> S::f32s {
    let if_true = simd.transmute_u32s_f32s(if_true);
    let if_false = simd.transmute_u32s_f32s(if_false);
    simd.transmute_f32s_u32s(simd.select_u32s(mask, if_true, if_false))
}

/// `Σ coefficients[i] · xⁱ`, by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// Replaces every `x` of `data` by `f(x)`.
#[inline(always)]
pub(super) fn map<S: Simd>(simd: S, data: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let (vectors, rest) = S::as_mut_simd_f32s(data);
    for x in vectors {
        *x = f(*x);
    }
    if !rest.is_empty() {
        simd.partial_store_f32s(rest, f(simd.partial_load_f32s(rest)));
    }
}

/// Replaces every `x` of `data` by `f(x, y)`, with `y` from `other`.
///
/// Both slices have the same length.
#[inline(always)]
pub(super) fn zip<S: Simd>(
    simd: S,
    data: &mut [f32],
    other: &[f32],
    f: impl Fn(S::f32s, S::f32s) -> S::f32s,
) {
    let (vectors, rest) = S::as_mut_simd_f32s(data);
    let (other_vectors, other_rest) = S::as_simd_f32s(other);
    for (x, &y) in vectors.iter_mut().zip(other_vectors) {
        *x = f(*x, y);
    }
    if !rest.is_empty() {
        let y = simd.partial_load_f32s(other_rest);
        simd.partial_store_f32s(rest, f(simd.partial_load_f32s(rest), y));
    }
}

/// The sum of all elements.
#[inline(always)]
pub(super) fn sum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    /// Independent sums, which hide the latency of the additions.
    const UNROLL: usize = 4;

    let (vectors, rest) = S::as_simd_f32s(x);
    let (blocks, left) = vectors.as_chunks::<UNROLL>();
    let mut sums = [simd.splat_f32s(0.0); UNROLL];
    for block in blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum = simd.add_f32s(*sum, x);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(left) {
        *sum = simd.add_f32s(*sum, x);
    }
    let mut total = simd.partial_load_f32s(rest);
    for sum in sums {
        total = simd.add_f32s(total, sum);
    }
    simd.reduce_sum_f32s(total)
}

/// The dot products of each of `weights` with each of `rows`, all of one length.
///
/// Several weights at a time are several streams from memory, which one core reads faster
/// than a single one. `UNROLL` independent sums per product hide the latency of the
/// additions.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "loops over constants are unrolled, and keep the sums in registers"
)]
pub(super) fn dots<S: Simd, const WEIGHTS: usize, const ROWS: usize, const UNROLL: usize>(
    simd: S,
    weights: [&[f32]; WEIGHTS],
    rows: [&[f32]; ROWS],
) -> [[f32; ROWS]; WEIGHTS] {
    let len = weights[0].len();
    let weights = weights.map(|weight| S::as_simd_f32s(&weight[..len]));
    let rows = rows.map(|row| S::as_simd_f32s(&row[..len]));
    let weight_blocks = weights.map(|weight| weight.0.as_chunks::<UNROLL>());
    let row_blocks = rows.map(|row| row.0.as_chunks::<UNROLL>());
    let mut sums = [[[simd.splat_f32s(0.0); UNROLL]; ROWS]; WEIGHTS];
    for i in 0..weight_blocks[0].0.len() {
        for unroll in 0..UNROLL {
            let x = row_blocks.map(|row| row.0[i][unroll]);
            for weight in 0..WEIGHTS {
                let w = weight_blocks[weight].0[i][unroll];
                for row in 0..ROWS {
                    let sum = &mut sums[weight][row][unroll];
                    *sum = simd.mul_add_e_f32s(w, x[row], *sum);
                }
            }
        }
    }
    let mut totals = [[0.0; ROWS]; WEIGHTS];
    for weight in 0..WEIGHTS {
        for row in 0..ROWS {
            let sums = &mut sums[weight][row];
            for (&w, &x) in weight_blocks[weight].1.iter().zip(row_blocks[row].1) {
                sums[0] = simd.mul_add_e_f32s(w, x, sums[0]);
            }
            if !rows[row].1.is_empty() {
                let w = simd.partial_load_f32s(weights[weight].1);
                let x = simd.partial_load_f32s(rows[row].1);
                sums[0] = simd.mul_add_e_f32s(w, x, sums[0]);
            }
            let mut sum = sums[0];
            for &other in &sums[1..] {
                sum = simd.add_f32s(sum, other);
            }
            totals[weight][row] = simd.reduce_sum_f32s(sum);
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three units in the last place of f32: the rounding of the reduction, of
    /// the polynomial and of the final product.
    const EXP_TOLERANCE: f64 = 2e-7;

    struct Exp<'a>(&'a mut [f32]);

    impl WithSimd for Exp<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            map(
                simd,
                self.0,
                #[inline(always)]
                |x| exp(simd, x),
            );
        }
    }

    #[test]
    fn exp_is_accurate_over_its_whole_range() {
        let inputs: Vec<f32> = (-87_000..88_000)
            .map(|i| i as f32 * 1e-3 + 3.3e-4)
            .collect();
        for portable in [false, true] {
            let mut outputs = inputs.clone();
            if portable {
                Exp(&mut outputs).with_simd(pulp::Scalar);
            } else {
                dispatch(Exp(&mut outputs));
            }
            for (&x, &y) in inputs.iter().zip(&outputs) {
                let expected = f64::from(x).exp();
                let error = (f64::from(y) / expected - 1.0).abs();
                assert!(error < EXP_TOLERANCE, "exp({x}) = {y}, error {error:e}");
            }
        }
    }

    #[test]
    fn exp_of_special_values() {
        let mut values = [f32::NEG_INFINITY, -1e30, -88.1, 0.0, f32::NAN];
        dispatch(Exp(&mut values));
        assert_eq!(values[..4], [0.0, 0.0, 0.0, 1.0]);
        assert!(values[4].is_nan());
    }
}
