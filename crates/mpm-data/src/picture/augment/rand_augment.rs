//! RandAugment (Cubuk et al., 2020), in the form of the reference.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::Operation;
use crate::picture::Picture;

/// Draws `count` of the ten operations, with repetition, and applies each with `probability`.
///
/// Reference: `RandomAugment` in VisCPM, `utils/utils.py`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RandAugment {
    /// Number of operations drawn for a picture. Default: 2.
    pub count: usize,
    /// Strength, from 0 to [`MAX_MAGNITUDE`](super::MAX_MAGNITUDE). Default: 7.
    pub magnitude: f64,
    /// Probability with which a drawn operation is applied, in `0..=1`; values outside are
    /// clamped. Default: 0.5.
    pub probability: f64,
}

impl Default for RandAugment {
    fn default() -> Self {
        Self {
            count: 2,
            magnitude: 7.0,
            probability: 0.5,
        }
    }
}

impl RandAugment {
    /// Applies random operations to `picture`. Directions (left or right, up or down) are drawn
    /// evenly.
    pub fn apply(&self, mut picture: Picture, rng: &mut impl Rng) -> Picture {
        for _ in 0..self.count {
            let operation = Operation::ALL[rng.random_range(0..Operation::ALL.len())];
            let reversed = rng.random::<bool>();
            if rng.random::<f64>() < self.probability {
                picture = operation.apply(&picture, self.magnitude, reversed);
            }
        }
        picture
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn probability_zero_changes_nothing() {
        let picture = Picture::from_rgb(3, 1, (0..9).collect()).unwrap();
        let never = RandAugment {
            probability: 0.0,
            ..RandAugment::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(never.apply(picture.clone(), &mut rng), picture);
    }
}
