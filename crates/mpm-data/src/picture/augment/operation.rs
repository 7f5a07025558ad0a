//! The ten operations and what their magnitude means.

use serde::{Deserialize, Serialize};

use super::{geometry, tone};
use crate::picture::Picture;

/// The largest magnitude of an operation.
pub const MAX_MAGNITUDE: f64 = 10.0;

/// One of the operations of RandAugment.
///
/// Reference: `func_dict` and `arg_dict` in VisCPM, `utils/utils.py`, for the ten names that
/// `build_transform` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// No change.
    Identity,
    /// [`tone::auto_contrast`]; has no magnitude.
    AutoContrast,
    /// [`tone::equalize`]; has no magnitude.
    Equalize,
    /// [`tone::brightness`] by 0.1 to 1.9.
    Brightness,
    /// [`tone::sharpness`] by 0.1 to 1.9.
    Sharpness,
    /// [`geometry::shear_x`] by 0 to 0.3.
    ShearX,
    /// [`geometry::shear_y`] by 0 to 0.3.
    ShearY,
    /// [`geometry::translate_x`] by 0 to 10 pixels.
    TranslateX,
    /// [`geometry::translate_y`] by 0 to 10 pixels.
    TranslateY,
    /// [`geometry::rotate`] by 0 to 30 degrees.
    Rotate,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 10] = [
        Self::Identity,
        Self::AutoContrast,
        Self::Equalize,
        Self::Brightness,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Rotate,
    ];

    /// Applies the operation at `magnitude`, clamped to 0 to [`MAX_MAGNITUDE`]. `reversed` turns
    /// the direction of geometric operations around and means nothing for the others.
    pub fn apply(self, picture: &Picture, magnitude: f64, reversed: bool) -> Picture {
        let strength = magnitude.clamp(0.0, MAX_MAGNITUDE) / MAX_MAGNITUDE;
        let factor = (strength * 1.8 + 0.1) as f32;
        let signed = if reversed { -strength } else { strength };
        match self {
            Self::Identity => picture.clone(),
            Self::AutoContrast => tone::auto_contrast(picture),
            Self::Equalize => tone::equalize(picture),
            Self::Brightness => tone::brightness(picture, factor),
            Self::Sharpness => tone::sharpness(picture, factor),
            Self::ShearX => geometry::shear_x(picture, signed * 0.3),
            Self::ShearY => geometry::shear_y(picture, signed * 0.3),
            Self::TranslateX => geometry::translate_x(picture, signed * 10.0),
            Self::TranslateY => geometry::translate_y(picture, signed * 10.0),
            Self::Rotate => geometry::rotate(picture, signed * 30.0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn magnitude_zero_leaves_geometry_alone() {
        let picture = Picture::from_rgb(3, 2, (0..18).collect()).unwrap();
        for operation in [
            Operation::Identity,
            Operation::ShearX,
            Operation::ShearY,
            Operation::TranslateX,
            Operation::TranslateY,
            Operation::Rotate,
        ] {
            assert_eq!(
                operation.apply(&picture, 0.0, true),
                picture,
                "{operation:?}"
            );
        }
    }
}
