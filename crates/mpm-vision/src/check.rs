//! What configurations are checked for.

use crate::VisionError;

/// Largest side of an input picture in pixels: many times that of any published model, and small
/// enough for its patches to be counted.
pub const MAX_IMAGE_SIZE: usize = 16_384;

/// The largest width or table: far larger than any model's, and so small that sizes can be
/// multiplied.
pub(crate) const MAX_SIZE: usize = 1 << 24;

/// The most layers: far more than any model has, and few enough to be made.
pub(crate) const MAX_LAYERS: usize = 1 << 16;

/// Whether a model can have these sizes: 1 to [`MAX_SIZE`].
pub(crate) fn check_sizes<const N: usize>(
    sizes: [(&'static str, usize); N],
) -> Result<(), VisionError> {
    sizes
        .into_iter()
        .try_for_each(|(field, size)| check_limit(field, size, MAX_SIZE))
}

/// Whether a model can have so many layers: 1 to [`MAX_LAYERS`].
pub(crate) fn check_layers(field: &'static str, layers: usize) -> Result<(), VisionError> {
    check_limit(field, layers, MAX_LAYERS)
}

/// Whether a picture of this side, 1 to [`MAX_IMAGE_SIZE`], can be cut into patches.
pub(crate) fn check_image_size(image_size: usize, patch_size: usize) -> Result<(), VisionError> {
    check_limit("image_size", image_size, MAX_IMAGE_SIZE)?;
    let divides = image_size.is_multiple_of(patch_size);
    require(divides, "image_size", image_size, || {
        format!("it must be a multiple of patch_size {patch_size}")
    })
}

/// Whether a picture of this side, 1 to [`MAX_IMAGE_SIZE`], holds a patch at all: for encoders that
/// do not see what is left beside their whole patches.
pub(crate) fn check_holds_patch(image_size: usize, patch_size: usize) -> Result<(), VisionError> {
    check_limit("image_size", image_size, MAX_IMAGE_SIZE)?;
    require(image_size >= patch_size, "image_size", image_size, || {
        format!("it must be at least patch_size {patch_size}")
    })
}

/// Whether a norm can add this to the variance.
pub(crate) fn check_eps(field: &'static str, eps: f64) -> Result<(), VisionError> {
    let possible = eps > 0.0 && eps.is_finite();
    require(possible, field, eps, || {
        "it must be a positive number".to_owned()
    })
}

/// Names the field when its value does not satisfy what it has to.
pub(crate) fn require(
    satisfied: bool,
    field: &'static str,
    value: impl ToString,
    requirement: impl FnOnce() -> String,
) -> Result<(), VisionError> {
    if satisfied {
        return Ok(());
    }
    Err(VisionError::Config {
        field,
        value: value.to_string(),
        requirement: requirement(),
    })
}

fn check_limit(field: &'static str, value: usize, limit: usize) -> Result<(), VisionError> {
    require((1..=limit).contains(&value), field, value, || {
        format!("it must be from 1 to {limit}")
    })
}
