//! The transforms of F(4 × 4, 3 × 3) in one direction.
//!
//! Polynomials are evaluated at 0, ±3/4, ±3/2 and infinity: exact in binary, and close enough
//! together that rounding errors are half as large as with the usual 0, ±1, ±2 (see Barabasz et
//! al. 2018, "Error analysis and improving the accuracy of Winograd convolution").

use pulp::Simd;

/// Side of a tile of outputs.
pub(super) const OUT: usize = 4;

/// Side of the tile of inputs that it depends on.
pub(super) const IN: usize = 6;

/// Side of the kernel.
pub(super) const KERNEL: usize = 3;

/// Values per tile, at all pairs of points.
pub(super) const POINTS: usize = IN * IN;

const A: f32 = 0.75;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
/// What the values at 0, at ±A and at ±B are divided by.
const ZERO_SCALE: f32 = A2 * B2;
const A_SCALE: f32 = 2.0 * A2 * (A2 - B2);
const B_SCALE: f32 = 2.0 * B2 * (B2 - A2);

/// A transform of `FROM` values to `TO` values.
pub(super) trait Transform<const FROM: usize, const TO: usize> {
    fn apply<S: Simd>(simd: S, x: [S::f32s; FROM]) -> [S::f32s; TO];
}

/// From the input to the points.
pub(super) struct Input;

impl Transform<IN, IN> for Input {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::f32s; IN]) -> [S::f32s; IN] {
        let even_a = add(simd, x[4], -B2, x[2]);
        let odd_a = scale(simd, A, add(simd, x[3], -B2, x[1]));
        let even_b = add(simd, x[4], -A2, x[2]);
        let odd_b = scale(simd, B, add(simd, x[3], -A2, x[1]));
        [
            add(simd, add(simd, x[4], -A2 - B2, x[2]), A2 * B2, x[0]),
            simd.add_f32s(even_a, odd_a),
            simd.sub_f32s(even_a, odd_a),
            simd.add_f32s(even_b, odd_b),
            simd.sub_f32s(even_b, odd_b),
            add(simd, add(simd, x[5], -A2 - B2, x[3]), A2 * B2, x[1]),
        ]
    }
}

/// From the kernel to the points.
pub(super) struct Kernel;

impl Transform<KERNEL, IN> for Kernel {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::f32s; KERNEL]) -> [S::f32s; IN] {
        let even_a = add(simd, scale(simd, A_SCALE.recip(), x[0]), A2 / A_SCALE, x[2]);
        let odd_a = scale(simd, A / A_SCALE, x[1]);
        let even_b = add(simd, scale(simd, B_SCALE.recip(), x[0]), B2 / B_SCALE, x[2]);
        let odd_b = scale(simd, B / B_SCALE, x[1]);
        [
            scale(simd, ZERO_SCALE.recip(), x[0]),
            simd.add_f32s(even_a, odd_a),
            simd.sub_f32s(even_a, odd_a),
            simd.add_f32s(even_b, odd_b),
            simd.sub_f32s(even_b, odd_b),
            x[2],
        ]
    }
}

/// From the points to the output.
pub(super) struct Output;

impl Transform<IN, OUT> for Output {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::f32s; IN]) -> [S::f32s; OUT] {
        let even_a = simd.add_f32s(x[1], x[2]);
        let odd_a = simd.sub_f32s(x[1], x[2]);
        let even_b = simd.add_f32s(x[3], x[4]);
        let odd_b = simd.sub_f32s(x[3], x[4]);
        [
            simd.add_f32s(simd.add_f32s(x[0], even_a), even_b),
            add(simd, scale(simd, A, odd_a), B, odd_b),
            add(simd, scale(simd, A2, even_a), B2, even_b),
            add(simd, add(simd, x[5], A2 * A, odd_a), B2 * B, odd_b),
        ]
    }
}

/// From the gradient of the output to that of the points: [`Output`] transposed.
pub(super) struct OutputGrad;

impl Transform<OUT, IN> for OutputGrad {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::f32s; OUT]) -> [S::f32s; IN] {
        let even_a = add(simd, x[0], A2, x[2]);
        let odd_a = add(simd, scale(simd, A, x[1]), A2 * A, x[3]);
        let even_b = add(simd, x[0], B2, x[2]);
        let odd_b = add(simd, scale(simd, B, x[1]), B2 * B, x[3]);
        [
            x[0],
            simd.add_f32s(even_a, odd_a),
            simd.sub_f32s(even_a, odd_a),
            simd.add_f32s(even_b, odd_b),
            simd.sub_f32s(even_b, odd_b),
            x[3],
        ]
    }
}

/// From the gradient of the points to that of the kernel: [`Kernel`] transposed.
pub(super) struct KernelGrad;

impl Transform<IN, KERNEL> for KernelGrad {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: [S::f32s; IN]) -> [S::f32s; KERNEL] {
        let even_a = scale(simd, A_SCALE.recip(), simd.add_f32s(x[1], x[2]));
        let odd_a = simd.sub_f32s(x[1], x[2]);
        let even_b = scale(simd, B_SCALE.recip(), simd.add_f32s(x[3], x[4]));
        let odd_b = simd.sub_f32s(x[3], x[4]);
        [
            add(
                simd,
                simd.add_f32s(even_a, even_b),
                ZERO_SCALE.recip(),
                x[0],
            ),
            add(simd, scale(simd, A / A_SCALE, odd_a), B / B_SCALE, odd_b),
            add(simd, add(simd, x[5], A2, even_a), B2, even_b),
        ]
    }
}

#[inline(always)]
fn scale<S: Simd>(simd: S, factor: f32, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(factor), x)
}

/// `x + factor · y`
#[inline(always)]
fn add<S: Simd>(simd: S, x: S::f32s, factor: f32, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), y, x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handful of roundings of values of order 10.
    const TOLERANCE: f32 = 1e-5;

    fn apply<T: Transform<FROM, TO>, const FROM: usize, const TO: usize>(
        x: [f32; FROM],
    ) -> [f32; TO] {
        T::apply(pulp::Scalar, x)
    }

    /// The matrix of a transform: what it makes of each unit vector.
    fn matrix<T: Transform<FROM, TO>, const FROM: usize, const TO: usize>() -> [[f32; TO]; FROM] {
        std::array::from_fn(|i| {
            let mut unit = [0.0; FROM];
            unit[i] = 1.0;
            apply::<T, FROM, TO>(unit)
        })
    }

    #[test]
    fn products_at_the_points_are_the_convolution() {
        let (input, kernel) = ([1.0, -2.0, 0.5, 3.0, 1.5, -1.0], [0.5, 2.0, -1.5]);
        let (mut values, factors) = (
            apply::<Input, IN, IN>(input),
            apply::<Kernel, KERNEL, IN>(kernel),
        );
        for (value, factor) in values.iter_mut().zip(factors) {
            *value *= factor;
        }
        for (i, y) in apply::<Output, IN, OUT>(values).into_iter().enumerate() {
            let expected: f32 = kernel.iter().zip(&input[i..]).map(|(w, x)| w * x).sum();
            assert!((y - expected).abs() < TOLERANCE, "{y} {expected}");
        }
    }

    #[test]
    fn gradients_are_transposed() {
        let (kernel, kernel_grad) = (
            matrix::<Kernel, KERNEL, IN>(),
            matrix::<KernelGrad, IN, KERNEL>(),
        );
        let (output, output_grad) = (matrix::<Output, IN, OUT>(), matrix::<OutputGrad, OUT, IN>());
        for point in 0..IN {
            for i in 0..KERNEL {
                assert!((kernel[i][point] - kernel_grad[point][i]).abs() < TOLERANCE);
            }
            for i in 0..OUT {
                assert!((output[point][i] - output_grad[i][point]).abs() < TOLERANCE);
            }
        }
    }
}
