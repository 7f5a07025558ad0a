//! Between pictures and what the autoencoder reads and writes.
//!
//! Source: `decode_latents` and `numpy_to_pil` in VisCPM's `models/stablediffusion.py`.

use burn::tensor::{DType, ElementConversion, Tensor, TensorData, backend::Backend};
use mpm_data::picture::Picture;
use mpm_diffusion::DiffusionError;

use crate::PaintError;

/// Pictures of one size as numbers in -1..1.
///
/// # Shapes
/// - output: `[pictures, 3, height, width]`
///
/// # Errors
/// [`PaintError::OtherSize`] when they differ in size.
pub fn from_pictures<B: Backend>(
    pictures: &[Picture],
    device: &B::Device,
) -> Result<Tensor<B, 4>, PaintError> {
    let size = pictures.first().map_or([0, 0], size_of);
    let [width, height] = size;
    let mut values = Vec::with_capacity(pictures.len() * 3 * width * height);
    for picture in pictures {
        require_size("a picture of the batch", picture, size)?;
        for channel in 0..3 {
            let bytes = picture.pixels().iter().skip(channel).step_by(3);
            values.extend(bytes.map(|&byte| f32::from(byte) / 127.5 - 1.0));
        }
    }
    let data = TensorData::new(values, [pictures.len(), 3, height, width]);
    Ok(Tensor::from_data(data, (device, DType::F32)))
}

/// Decoded latents as pictures.
///
/// # Shapes
/// - decoded: `[pictures, 3, height, width]`, of which -1..1 is shown
///
/// # Errors
/// [`PaintError::Picture`] when they are not of three channels or empty,
/// [`PaintError::Diffusion`] when they are no numbers.
pub fn to_pictures<B: Backend>(decoded: Tensor<B, 4>) -> Result<Vec<Picture>, PaintError> {
    let [pictures, channels, height, width] = decoded.dims();
    let decoded = decoded.cast(DType::F32);
    // They would be black.
    require_finite("the decoded pixels", &decoded)?;
    let levels = (decoded / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0;
    let data = levels.permute([0, 2, 3, 1]).into_data();
    let mut bytes = data
        .iter::<f32>()
        .map(|level| level.round_ties_even() as u8);
    let picture = |_| {
        let pixels = bytes.by_ref().take(channels * height * width).collect();
        let picture = Picture::from_rgb(width as u32, height as u32, pixels);
        Ok(picture?)
    };
    (0..pictures).map(picture).collect()
}

/// Refuses what the autoencoder computed, in f32, if it is no number: a sum of numbers is one
/// exactly if all of them are, and these are far from overflowing.
pub(crate) fn require_finite<B: Backend>(
    what: &'static str,
    computed: &Tensor<B, 4>,
) -> Result<(), DiffusionError> {
    let sum: f64 = computed.clone().sum().into_scalar().elem();
    match sum.is_finite() {
        true => Ok(()),
        false => Err(DiffusionError::NonFiniteAutoencoder { what }),
    }
}

/// Refuses a picture of another size than `[width, height]`.
pub(crate) fn require_size(
    what: &'static str,
    picture: &Picture,
    expected: [usize; 2],
) -> Result<(), PaintError> {
    let found = size_of(picture);
    match found == expected {
        true => Ok(()),
        false => Err(PaintError::OtherSize {
            what,
            expected,
            found,
        }),
    }
}

/// Width and height.
fn size_of(picture: &Picture) -> [usize; 2] {
    [picture.width() as usize, picture.height() as usize]
}
