//! Random parts of a picture, as `RandomResizedCrop` of torchvision and timm draws them.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::picture::Picture;
use crate::picture::crop::Region;

/// How many shapes are drawn before a centred part is taken instead.
const ATTEMPTS: usize = 10;

/// A random rectangle with a random share of the picture's area.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RandomCrop {
    /// Smallest and largest share of the area. Default: 0.5 to 1.
    pub scale: [f64; 2],
    /// Smallest and largest width / height. Default: 3/4 to 4/3.
    pub ratio: [f64; 2],
}

impl Default for RandomCrop {
    fn default() -> Self {
        Self {
            scale: [0.5, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
        }
    }
}

impl RandomCrop {
    /// Draws a rectangle: its area evenly, the logarithm of its aspect ratio evenly, its place
    /// evenly. Where no drawn shape fits, the largest centred one within the aspect ratios.
    pub(super) fn draw(&self, picture: &Picture, rng: &mut impl Rng) -> Region {
        let [full_width, full_height] = [picture.width(), picture.height()].map(f64::from);
        let log_ratio = self.ratio.map(f64::ln);
        for _ in 0..ATTEMPTS {
            let area = full_width * full_height * between(self.scale, rng);
            let ratio = between(log_ratio, rng).exp();
            let width = (area * ratio).sqrt().round_ties_even();
            let height = (area / ratio).sqrt().round_ties_even();
            if (1.0..=full_width).contains(&width) && (1.0..=full_height).contains(&height) {
                let (width, height) = (width as u32, height as u32);
                return Region {
                    left: rng.random_range(0..=picture.width() - width),
                    top: rng.random_range(0..=picture.height() - height),
                    width,
                    height,
                };
            }
        }
        let ratio = full_width / full_height;
        let (mut width, mut height) = (full_width, full_height);
        if ratio < self.ratio[0] {
            height = (full_width / self.ratio[0]).round_ties_even();
        } else if ratio > self.ratio[1] {
            width = (full_height * self.ratio[1]).round_ties_even();
        }
        let width = (width as u32).clamp(1, picture.width());
        let height = (height as u32).clamp(1, picture.height());
        Region {
            left: (picture.width() - width) / 2,
            top: (picture.height() - height) / 2,
            width,
            height,
        }
    }
}

/// An evenly distributed number between two bounds.
fn between([low, high]: [f64; 2], rng: &mut impl Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    fn blank(width: u32, height: u32) -> Picture {
        Picture::from_rgb(width, height, vec![0; (width * height * 3) as usize]).unwrap()
    }

    #[test]
    fn area_and_aspect_ratio_stay_within_their_bounds() {
        let picture = blank(200, 160);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for _ in 0..1000 {
            let region = RandomCrop::default().draw(&picture, &mut rng);
            assert!(region.left + region.width <= 200 && region.top + region.height <= 160);
            // Rounding to whole pixels changes area and ratio by up to 1 %.
            let area = f64::from(region.width * region.height) / f64::from(200 * 160);
            assert!((0.49..=1.01).contains(&area), "{area}");
            let ratio = f64::from(region.width) / f64::from(region.height);
            assert!((0.74..=1.35).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn narrow_pictures_give_a_centred_part() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(
            RandomCrop::default().draw(&blank(1000, 3), &mut rng),
            Region {
                left: 498,
                top: 0,
                width: 4,
                height: 3
            }
        );
        assert_eq!(
            RandomCrop::default().draw(&blank(3, 1000), &mut rng),
            Region {
                left: 0,
                top: 498,
                width: 3,
                height: 4
            }
        );
    }
}
