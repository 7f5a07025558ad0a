//! The transforms of F(4 × 4, 3 × 3) in one direction.
//!
//! Polynomials are evaluated at 0, ±3/4, ±3/2 and infinity: exact in binary, and close enough
//! together that rounding errors stay at a third of those of the usual 0, ±1, ±2 (Barabasz et
//! al. 2018, "Error analysis and improving the accuracy of Winograd convolution").

use pulp::Simd;

/// Side of a tile of outputs.
pub(super) const OUT: usize = 4;

/// Side of the tile of inputs that it depends on.
pub(super) const IN: usize = 6;

/// Side of the kernel.
pub(super) const KERNEL: usize = 3;

const A: f32 = 0.75;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
/// What the values at ±A and at ±B are divided by.
const A_SCALE: f32 = 2.0 * A2 * (A2 - B2);
const B_SCALE: f32 = 2.0 * B2 * (B2 - A2);

/// Of the input.
#[inline(always)]
pub(super) fn input<S: Simd>(simd: S, x: [S::f32s; IN]) -> [S::f32s; IN] {
    let [a, b] = [A, B].map(|x| simd.splat_f32s(x));
    let [minus_a2, minus_b2] = [-A2, -B2].map(|x| simd.splat_f32s(x));
    let [product, minus_sum] = [A2 * B2, -A2 - B2].map(|x| simd.splat_f32s(x));
    let add = |x, factor, y| simd.mul_add_e_f32s(factor, y, x);
    let even_a = add(x[4], minus_b2, x[2]);
    let odd_a = simd.mul_f32s(a, add(x[3], minus_b2, x[1]));
    let even_b = add(x[4], minus_a2, x[2]);
    let odd_b = simd.mul_f32s(b, add(x[3], minus_a2, x[1]));
    [
        add(add(x[4], minus_sum, x[2]), product, x[0]),
        simd.add_f32s(even_a, odd_a),
        simd.sub_f32s(even_a, odd_a),
        simd.add_f32s(even_b, odd_b),
        simd.sub_f32s(even_b, odd_b),
        add(add(x[5], minus_sum, x[3]), product, x[1]),
    ]
}

/// Of the kernel.
#[inline(always)]
pub(super) fn kernel<S: Simd>(simd: S, x: [S::f32s; KERNEL]) -> [S::f32s; IN] {
    let scaled = |factor, x| simd.mul_f32s(simd.splat_f32s(factor), x);
    let even = |scale: f32, square| {
        let square = simd.splat_f32s(square / scale);
        simd.mul_add_e_f32s(square, x[2], scaled(scale.recip(), x[0]))
    };
    let (even_a, odd_a) = (even(A_SCALE, A2), scaled(A / A_SCALE, x[1]));
    let (even_b, odd_b) = (even(B_SCALE, B2), scaled(B / B_SCALE, x[1]));
    [
        scaled((A2 * B2).recip(), x[0]),
        simd.add_f32s(even_a, odd_a),
        simd.sub_f32s(even_a, odd_a),
        simd.add_f32s(even_b, odd_b),
        simd.sub_f32s(even_b, odd_b),
        x[2],
    ]
}

/// Of the products, to the output.
#[inline(always)]
pub(super) fn output<S: Simd>(simd: S, x: [S::f32s; IN]) -> [S::f32s; OUT] {
    let even_a = simd.add_f32s(x[1], x[2]);
    let odd_a = simd.sub_f32s(x[1], x[2]);
    let even_b = simd.add_f32s(x[3], x[4]);
    let odd_b = simd.sub_f32s(x[3], x[4]);
    let sum = |a, x, b, y| {
        let x = simd.mul_f32s(simd.splat_f32s(a), x);
        simd.mul_add_e_f32s(simd.splat_f32s(b), y, x)
    };
    [
        simd.add_f32s(simd.add_f32s(x[0], even_a), even_b),
        sum(A, odd_a, B, odd_b),
        sum(A2, even_a, B2, even_b),
        simd.add_f32s(sum(A2 * A, odd_a, B2 * B, odd_b), x[5]),
    ]
}
