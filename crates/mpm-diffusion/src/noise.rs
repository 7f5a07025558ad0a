//! Noise that a seed decides, on every machine and every backend.

mod normal;

use std::ops::Range;

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Standard normal noise that depends on a seed, the number of the picture and the number of the
/// draw, and on nothing else.
///
/// Picture 3 of a seed is the same picture alone and in a batch of any size, and a draw does not
/// move if others are left out: plans number them by the step that takes them.
///
/// The numbers are computed on the host: a ChaCha8 stream of its own for every draw of every
/// picture, whose words become normals by the inverse of the normal distribution function, one
/// word each. Only sums, products, quotients and square roots of f64 are used, which IEEE 754
/// defines to the last bit, and no function of the platform's mathematical library; so the f32
/// values are equal bit by bit wherever Rust computes f64 as IEEE 754 says (all its targets but
/// x86 without SSE2). They are not the numbers that PyTorch draws from an equal seed.
///
/// ```
/// use mpm_diffusion::noise::NoiseSource;
///
/// let source = NoiseSource::new(7);
/// assert_eq!(source.values(0, 0, 100), NoiseSource::new(7).values(0, 0, 100));
/// assert_ne!(source.values(0, 0, 100), source.values(1, 0, 100));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoiseSource {
    seed: u64,
}

impl NoiseSource {
    /// The noise of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The first `len` numbers of a draw for a picture.
    pub fn values(&self, picture: u64, draw: u64, len: usize) -> Vec<f32> {
        let mut key = [0; 32];
        for (bytes, number) in key.chunks_exact_mut(8).zip([self.seed, picture, draw]) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        let mut words = ChaCha8Rng::from_seed(key);
        (0..len)
            .map(|_| normal::normal(words.next_u64()) as f32)
            .collect()
    }

    /// A draw for several pictures: `[pictures, channels, height, width]`, f32. Each row is the
    /// [`values`](Self::values) of its picture.
    pub fn tensor<B: Backend>(
        &self,
        pictures: Range<u64>,
        draw: u64,
        shape: [usize; 3],
        device: &B::Device,
    ) -> Tensor<B, 4> {
        let [channels, height, width] = shape;
        let len = channels * height * width;
        let rows: Vec<Vec<f32>> = pictures
            .map(|picture| self.values(picture, draw, len))
            .collect();
        let shape = [rows.len(), channels, height, width];
        Tensor::from_data(TensorData::new(rows.concat(), shape), (device, DType::F32))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;

    #[test]
    fn noise_is_standard_normal() {
        let values = NoiseSource::new(3).values(0, 0, 200_000);
        let count = values.len() as f64;
        let mean_of = |power: i32| {
            let sum: f64 = values.iter().map(|&x| f64::from(x).powi(power)).sum();
            sum / count
        };
        // Five standard deviations of the mean of each power: those of x, x², x³ and x⁴ are 1,
        // √2, √15 and √96.
        let allowed = |deviation: f64| 5.0 * deviation / count.sqrt();
        assert!(mean_of(1).abs() < allowed(1.0));
        assert!((mean_of(2) - 1.0).abs() < allowed(2.0_f64.sqrt()));
        assert!(mean_of(3).abs() < allowed(15.0_f64.sqrt()));
        assert!((mean_of(4) - 3.0).abs() < allowed(96.0_f64.sqrt()));
        for (bound, share) in [(1.0, 0.682_689_5), (2.0, 0.954_499_7), (3.0, 0.997_300_2)] {
            let inside = values.iter().filter(|x| x.abs() < bound).count() as f64 / count;
            assert!((inside - share).abs() < allowed((share * (1.0 - share)).sqrt()));
        }
    }

    #[test]
    fn neighbours_are_not_correlated() {
        let source = NoiseSource::new(3);
        let values = source.values(5, 9, 50_000);
        let others = [
            NoiseSource::new(4).values(5, 9, 50_000),
            source.values(6, 9, 50_000),
            source.values(5, 10, 50_000),
            source.values(9, 5, 50_000),
            source.values(5, 9, 50_001)[1..].to_vec(),
        ];
        for other in others {
            let products = values.iter().zip(&other).map(|(x, y)| f64::from(x * y));
            let correlation = products.sum::<f64>() / 50_000.0;
            assert!(correlation.abs() < 5.0 / 50_000_f64.sqrt(), "{correlation}");
        }
    }

    #[test]
    fn a_picture_does_not_depend_on_its_batch() {
        let source = NoiseSource::new(u64::MAX);
        let device = Default::default();
        let batch = source.tensor::<Flex>(2..5, 7, [4, 3, 2], &device);
        assert_eq!(batch.dims(), [3, 4, 3, 2]);
        let alone = source.tensor::<Flex>(3..4, 7, [4, 3, 2], &device);
        let row: Tensor<Flex, 4> = batch.narrow(0, 1, 1);
        assert_eq!(row.into_data(), alone.clone().into_data());
        let values: Vec<f32> = alone.into_data().iter().collect();
        assert_eq!(values, source.values(3, 7, 24));
        assert_eq!(values[..10], source.values(3, 7, 10));
    }

    #[test]
    fn no_pictures_are_an_empty_batch() {
        let device = Default::default();
        let none = NoiseSource::new(0).tensor::<Flex>(3..3, 0, [4, 2, 2], &device);
        assert_eq!(none.dims(), [0, 4, 2, 2]);
    }

    /// The bits themselves: what a seed means must not change. They were also computed in Python,
    /// from a ChaCha8 written after RFC 8439 and `statistics.NormalDist().inv_cdf`.
    #[test]
    fn the_numbers_of_a_seed_stay() {
        let bits: Vec<u32> = NoiseSource::new(42)
            .values(1, 2, 4096)
            .into_iter()
            .map(f32::to_bits)
            .collect();
        let digest = bits
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |digest, &word| {
                (digest ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3)
            });
        assert_eq!(
            bits[..4],
            [3_195_304_232, 3_216_208_129, 3_214_172_839, 3_199_822_676]
        );
        assert_eq!(digest, 0xbc6f_cb9d_3fed_4095);
    }
}
