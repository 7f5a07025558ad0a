//! Random changes to training pictures.
//!
//! Reference: `build_transform(is_train=True)` in VisCPM, `utils/utils.py`. All randomness comes
//! from a generator that the caller passes in, so that a seed gives the same pictures on every
//! machine. The sequence of draws is this crate's own: equal seeds do not reproduce the
//! reference's pictures.

pub mod colour;
pub mod geometry;
mod operation;
mod rand_augment;
mod random_crop;
mod style_jitter;
pub mod tone;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

pub use operation::{MAX_MAGNITUDE, Operation};
pub use rand_augment::RandAugment;
pub use random_crop::RandomCrop;
pub use style_jitter::StyleJitter;

use super::resize::resize_region;
use super::{Picture, PicturePreprocessor, PixelValues};

/// The colour that shows where a picture was moved away.
pub const FILL: [u8; 3] = [128; 3];

/// How training pictures are varied: another drawing style, where one is asked for; a random part
/// of the picture, resized; a random mirroring; random operations; then the same normalising as
/// for inference.
///
/// ```
/// use mpm_data::picture::{Picture, PicturePreprocessor, augment::TrainAugmentation};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let augmentation = TrainAugmentation::new(PicturePreprocessor::default());
/// let picture = Picture::from_rgb(4, 3, (0..36).collect())?;
/// let values = augmentation.apply(&picture, &mut ChaCha8Rng::seed_from_u64(1));
/// assert_eq!(values.shape(), [3, 224, 224]);
/// assert_eq!(values, augmentation.apply(&picture, &mut ChaCha8Rng::seed_from_u64(1)));
/// # Ok::<(), mpm_data::picture::PictureError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainAugmentation {
    /// Size and normalising of the result.
    pub preprocessor: PicturePreprocessor,
    /// Changes of the drawing style. `None`, as in the reference, leaves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<StyleJitter>,
    /// Which part of the picture is used.
    #[serde(default)]
    pub crop: RandomCrop,
    /// Probability of mirroring left and right, in `0..=1`; values outside are clamped.
    #[serde(default = "default_flip_probability")]
    pub flip_probability: f64,
    /// The random operations. `None` leaves colours and geometry as they are.
    pub rand_augment: Option<RandAugment>,
}

fn default_flip_probability() -> f64 {
    0.5
}

impl TrainAugmentation {
    /// The reference's augmentation: a crop of half to all of the area, mirroring with
    /// probability 0.5, RandAugment(2, 7).
    pub fn new(preprocessor: PicturePreprocessor) -> Self {
        Self {
            preprocessor,
            style: None,
            crop: RandomCrop::default(),
            flip_probability: default_flip_probability(),
            rand_augment: Some(RandAugment::default()),
        }
    }

    /// Augments and normalises a picture: `[3, size, size]`.
    pub fn apply(&self, picture: &Picture, rng: &mut impl Rng) -> PixelValues {
        self.preprocessor.normalize(&self.augment(picture, rng))
    }

    /// Augments a picture without normalising it: `size` x `size` pixels.
    pub fn augment(&self, picture: &Picture, rng: &mut impl Rng) -> Picture {
        let size = self.preprocessor.size;
        let restyled = self.style.map(|style| style.apply(picture, rng));
        let picture = restyled.as_ref().unwrap_or(picture);
        let region = self.crop.draw(picture, rng);
        let mut picture = resize_region(picture, region, size, size);
        if rng.random::<f64>() < self.flip_probability {
            picture = geometry::flip_horizontal(&picture);
        }
        match &self.rand_augment {
            Some(rand_augment) => rand_augment.apply(picture, rng),
            None => picture,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::num::NonZeroU32;

    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn seeds_decide_the_result() {
        let pixels = (0..64 * 48 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let picture = Picture::from_rgb(64, 48, pixels).unwrap();
        let size = NonZeroU32::new(32).unwrap();
        let augmentation = TrainAugmentation::new(PicturePreprocessor::new(size));
        let draw = |seed| augmentation.augment(&picture, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(3), draw(3));
        let distinct: std::collections::HashSet<_> =
            (0..20).map(|seed| draw(seed).into_pixels()).collect();
        assert_eq!(distinct.len(), 20);
    }

    #[test]
    fn extreme_shapes_are_augmented() {
        let size = NonZeroU32::new(8).unwrap();
        let augmentation = TrainAugmentation::new(PicturePreprocessor::new(size));
        for (width, height) in [(1, 1), (10_000, 3), (1, 500), (2, 2)] {
            let pixels = vec![77; width as usize * height as usize * 3];
            let picture = Picture::from_rgb(width, height, pixels).unwrap();
            for seed in 0..50 {
                let result = augmentation.augment(&picture, &mut ChaCha8Rng::seed_from_u64(seed));
                assert_eq!((result.width(), result.height()), (8, 8));
            }
        }
    }
}
