//! Pictures as another hand might have drawn them.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::colour;
use crate::picture::Picture;

/// The numbers of levels that a posterized picture may have.
const POSTERIZED_LEVELS: std::ops::RangeInclusive<u8> = 3..=6;

/// Random changes of colours and lines, for pictures to be known again in a style that training
/// never showed.
///
/// Probabilities are in `0..=1`; values outside are clamped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StyleJitter {
    /// Probability that edges are darkened, by an even share. Default: 0.4.
    pub outline: f64,
    /// How far each channel's gain is from 1, and the logarithm of its gamma from 0, at most.
    /// Default: 0.4.
    pub curves: f64,
    /// The largest turn of all hues, as a share of the circle, either way. Default: 0.05.
    pub hue: f64,
    /// Probability that colours fade towards grey, by an even share. Default: 0.3.
    pub fade: f64,
    /// Probability that each channel is rounded to 3 to 6 levels. Default: 0.2.
    pub posterize: f64,
}

impl Default for StyleJitter {
    fn default() -> Self {
        Self {
            outline: 0.4,
            curves: 0.4,
            hue: 0.05,
            fade: 0.3,
            posterize: 0.2,
        }
    }
}

impl StyleJitter {
    /// Changes a picture at random. How much is drawn of `rng` does not depend on what comes out.
    pub fn apply(&self, picture: &Picture, rng: &mut impl Rng) -> Picture {
        let mut by_chance = |probability: f64| {
            let (chance, share) = (rng.random::<f64>(), rng.random::<f32>());
            (chance < probability).then_some(share)
        };
        let outline = by_chance(self.outline);
        let fade = by_chance(self.fade);
        let posterize = by_chance(self.posterize);
        let mut around_zero = |most: f64| (most * (2.0 * rng.random::<f64>() - 1.0)) as f32;
        let gains = [(); 3].map(|()| 1.0 + around_zero(self.curves));
        let gammas = [(); 3].map(|()| around_zero(self.curves).exp());
        let hue = around_zero(self.hue);

        let mut changed = match outline {
            Some(strength) => colour::outline(picture, strength),
            None => picture.clone(),
        };
        changed = colour::curves(&changed, gains, gammas);
        changed = colour::turn_hue(&changed, hue);
        if let Some(share) = fade {
            changed = colour::fade(&changed, share);
        }
        if let Some(share) = posterize {
            let (fewest, most) = (*POSTERIZED_LEVELS.start(), *POSTERIZED_LEVELS.end());
            let more = (f32::from(most - fewest + 1) * share) as u8;
            changed = colour::posterize(&changed, fewest + more);
        }
        changed
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    fn gradient() -> Picture {
        let pixels = (0..16 * 16 * 3).map(|i| (i * 5 % 256) as u8).collect();
        Picture::from_rgb(16, 16, pixels).unwrap()
    }

    #[test]
    fn nothing_changes_without_strength() {
        let still = StyleJitter {
            outline: 0.0,
            curves: 0.0,
            hue: 0.0,
            fade: 0.0,
            posterize: 0.0,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(still.apply(&gradient(), &mut rng), gradient());
    }

    #[test]
    fn a_seed_decides_what_is_drawn() {
        let draw = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let picture = StyleJitter::default().apply(&gradient(), &mut rng);
            (picture, rng.random::<u64>())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7).0, draw(8).0);
    }
}
