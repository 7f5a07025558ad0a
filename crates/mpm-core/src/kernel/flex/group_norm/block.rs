//! What group norm does to a group and to blocks of its channels.

use pulp::{Simd, WithSimd};

use super::{
    super::{
        math::{dispatch, dots, map, sigmoid, sum, zip},
        number::Number,
        silu::silu_slope,
    },
    BLOCK,
};
use crate::kernel::Activation;

pub(super) struct Moments {
    pub mean: f32,
    /// `1 / √(variance + ε)`
    pub inverse: f32,
}

impl Moments {
    /// Sums up blocks by their distances from the mean of the blocks before, or at first from
    /// an element, and merges them (Chan, Golub and LeVeque 1979): nothing cancels where the
    /// mean is large beside the variance.
    pub fn of<T: Number>(group: &[T], epsilon: f64) -> Self {
        let mut buffer = [0.0; BLOCK];
        let (mut count, mut squares) = (0.0, 0.0);
        let mut mean: f64 = group[0].elem();
        for block in group.chunks(BLOCK) {
            let x = match T::as_f32(block) {
                Some(x) => x,
                None => {
                    let x = &mut buffer[..block.len()];
                    T::widen(block, x);
                    x
                }
            };
            let centre = mean as f32;
            let [sum, sum_of_squares] = dispatch(Distances { x, centre });
            let size = block.len() as f64;
            let distance = f64::from(sum) / size;
            let block_squares = f64::from(sum_of_squares) - distance * distance * size;
            let distance = distance + f64::from(centre) - mean;
            let share = size / (count + size);
            squares += block_squares + distance * distance * count * share;
            mean += distance * share;
            count += size;
        }
        let variance = (squares / count).max(0.0);
        Self {
            mean: mean as f32,
            inverse: (variance + epsilon).sqrt().recip() as f32,
        }
    }
}

/// The sums of the distances of a block from a centre, and of their squares.
struct Distances<'a> {
    x: &'a [f32],
    centre: f32,
}

impl WithSimd for Distances<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; 2] {
        /// Independent sums, which hide the latency of the additions.
        const UNROLL: usize = 4;

        let centre = simd.splat_f32s(self.centre);
        let (vectors, rest) = S::as_simd_f32s(self.x);
        let (blocks, left) = vectors.as_chunks::<UNROLL>();
        let mut sums = [simd.splat_f32s(0.0); UNROLL];
        let mut squares = sums;
        for block in blocks {
            for i in 0..UNROLL {
                let distance = simd.sub_f32s(block[i], centre);
                sums[i] = simd.add_f32s(sums[i], distance);
                squares[i] = simd.mul_add_e_f32s(distance, distance, squares[i]);
            }
        }
        for &x in left {
            let distance = simd.sub_f32s(x, centre);
            sums[0] = simd.add_f32s(sums[0], distance);
            squares[0] = simd.mul_add_e_f32s(distance, distance, squares[0]);
        }
        let mut sum = sums[0];
        let mut square = squares[0];
        for i in 1..UNROLL {
            sum = simd.add_f32s(sum, sums[i]);
            square = simd.add_f32s(square, squares[i]);
        }
        let (mut sum, mut square) = (simd.reduce_sum_f32s(sum), simd.reduce_sum_f32s(square));
        for &x in rest {
            let distance = x - self.centre;
            sum += distance;
            square += distance * distance;
        }
        [sum, square]
    }
}

/// What happens to the elements of one channel of a picture.
#[derive(Clone, Copy)]
pub(super) struct Channel {
    pub mean: f32,
    /// `1 / √(variance + ε)`
    pub inverse: f32,
    pub weight: f32,
    pub bias: f32,
    pub activation: Activation,
}

/// Normalises elements of a channel and applies weight, bias and activation.
pub(super) struct Forward<'a> {
    pub x: &'a [f32],
    pub output: &'a mut [f32],
    pub channel: Channel,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mean = simd.splat_f32s(self.channel.mean);
        let scale = simd.splat_f32s(self.channel.inverse * self.channel.weight);
        let bias = simd.splat_f32s(self.channel.bias);
        match self.channel.activation {
            Activation::Identity => zip(
                simd,
                self.output,
                self.x,
                #[inline(always)]
                |_, x| simd.mul_add_e_f32s(simd.sub_f32s(x, mean), scale, bias),
            ),
            Activation::Silu => zip(
                simd,
                self.output,
                self.x,
                #[inline(always)]
                |_, x| {
                    let x = simd.mul_add_e_f32s(simd.sub_f32s(x, mean), scale, bias);
                    simd.mul_f32s(x, sigmoid(simd, x))
                },
            ),
        }
    }
}

/// Sums over a channel of a picture, or their means over a group.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    /// Of the gradient before the activation.
    pub grad: f32,
    /// Of the same times the normalised input.
    pub product: f32,
}

/// Normalises a block of the input, takes the gradient back through the activation, and sums.
pub(super) struct Backward<'a> {
    pub x: &'a mut [f32],
    pub grad: &'a mut [f32],
    pub channel: Channel,
}

impl WithSimd for Backward<'_> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums {
        let mean = simd.splat_f32s(self.channel.mean);
        let inverse = simd.splat_f32s(self.channel.inverse);
        map(
            simd,
            self.x,
            #[inline(always)]
            |x| simd.mul_f32s(simd.sub_f32s(x, mean), inverse),
        );
        if self.channel.activation == Activation::Silu {
            let weight = simd.splat_f32s(self.channel.weight);
            let bias = simd.splat_f32s(self.channel.bias);
            zip(
                simd,
                self.grad,
                self.x,
                #[inline(always)]
                |grad, normal| {
                    let x = simd.mul_add_e_f32s(normal, weight, bias);
                    simd.mul_f32s(grad, silu_slope(simd, x))
                },
            );
        }
        let [[product]] = dots::<S, 1, 1, 4>(simd, [self.grad], [self.x]);
        Sums {
            grad: sum(simd, self.grad),
            product,
        }
    }
}

/// Replaces a block of the normalised input n by the gradient of the input. With
/// `h = grad · weight` that is `(h - mean(h) - n mean(h n)) / √(variance + ε)`.
pub(super) struct InputGradient<'a> {
    pub x: &'a mut [f32],
    pub grad: &'a [f32],
    pub channel: Channel,
    pub mean: Sums,
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let weight = simd.splat_f32s(self.channel.weight);
        let inverse = simd.splat_f32s(self.channel.inverse);
        let shift = simd.splat_f32s(-self.mean.grad);
        let slope = simd.splat_f32s(-self.mean.product);
        zip(
            simd,
            self.x,
            self.grad,
            #[inline(always)]
            |normal, grad| {
                let inner = simd.mul_add_e_f32s(grad, weight, shift);
                simd.mul_f32s(simd.mul_add_e_f32s(normal, slope, inner), inverse)
            },
        );
    }
}
