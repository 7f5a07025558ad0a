//! From pictures to the numbers that a picture encoder reads.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::Picture;
use super::rgb::CHANNELS;

/// A picture as a picture encoder reads it: channels first, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelValues {
    /// The values `[channels, height, width]`, row-major.
    pub data: Vec<f32>,
    /// Number of channels: 3, in the order red, green, blue.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl PixelValues {
    /// `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }
}

/// How a picture is prepared for inference: resized to a square, scaled to `0..=1`, normalised.
///
/// Reference: `build_transform(is_train=False)` in VisCPM, `utils/utils.py`.
///
/// ```
/// use mpm_data::picture::{Picture, PicturePreprocessor};
///
/// let white = Picture::from_rgb(2, 1, vec![255; 6])?;
/// let values = PicturePreprocessor::default().apply(&white);
/// assert_eq!(values.shape(), [3, 224, 224]);
/// assert!(values.data.iter().all(|&value| value == 1.0));
/// # Ok::<(), mpm_data::picture::PictureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PicturePreprocessor {
    /// Width and height of the result in pixels. The aspect ratio is not kept.
    pub size: NonZeroU32,
    /// Subtracted from red, green and blue after scaling to `0..=1`.
    #[serde(default = "half")]
    pub mean: [f32; CHANNELS],
    /// Divides red, green and blue after the mean was subtracted.
    #[serde(default = "half")]
    pub std: [f32; CHANNELS],
}

/// The mean and standard deviation of the reference, which bring values to `-1..=1`.
fn half() -> [f32; CHANNELS] {
    [0.5; CHANNELS]
}

impl PicturePreprocessor {
    /// `size` x `size` pixels, mean and standard deviation 0.5.
    pub fn new(size: NonZeroU32) -> Self {
        Self {
            size,
            mean: half(),
            std: half(),
        }
    }

    /// Resizes (antialiased bicubic, see [`Picture::resize`]) and normalises: `[3, size, size]`.
    pub fn apply(&self, picture: &Picture) -> PixelValues {
        if picture.width() == self.size.get() && picture.height() == self.size.get() {
            return self.normalize(picture);
        }
        self.normalize(&picture.resize(self.size, self.size))
    }

    /// Only scales and normalises, at the picture's own size: `[3, height, width]`.
    pub fn normalize(&self, picture: &Picture) -> PixelValues {
        let (height, width) = (picture.height() as usize, picture.width() as usize);
        let pixels = picture.pixels().as_chunks::<CHANNELS>().0;
        let mut data = Vec::with_capacity(picture.pixels().len());
        for channel in 0..CHANNELS {
            // 256 values instead of a division per pixel.
            let table: [f32; 256] = std::array::from_fn(|level| {
                (level as f32 / 255.0 - self.mean[channel]) / self.std[channel]
            });
            data.extend(
                pixels
                    .iter()
                    .map(|pixel| table[usize::from(pixel[channel])]),
            );
        }
        PixelValues {
            data,
            channels: CHANNELS,
            height,
            width,
        }
    }
}

impl PicturePreprocessor {
    /// The picture that was [normalised](Self::normalize), to show what a model sees. `None`
    /// when the values are not those of three channels.
    pub fn restore(&self, values: &PixelValues) -> Option<Picture> {
        let [channels, height, width] = values.shape();
        let plane = height * width;
        if channels != CHANNELS || values.data.len() != CHANNELS * plane {
            return None;
        }
        let pixels = (0..plane).flat_map(|pixel| {
            (0..CHANNELS).map(move |channel| {
                let value = values.data[channel * plane + pixel];
                let level = value * self.std[channel] + self.mean[channel];
                (level * 255.0).round() as u8
            })
        });
        Picture::from_rgb(width as u32, height as u32, pixels.collect()).ok()
    }
}

impl Default for PicturePreprocessor {
    /// 224 x 224 pixels, the size that VisCPM was pretrained with.
    fn default() -> Self {
        const SIZE: NonZeroU32 = NonZeroU32::new(224).expect("224 is not zero");
        Self::new(SIZE)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn channels_come_first_and_are_normalised_on_their_own() {
        let picture = Picture::from_rgb(2, 1, vec![0, 51, 255, 255, 102, 0]).unwrap();
        let preprocessor = PicturePreprocessor {
            mean: [0.0, 0.2, 0.5],
            std: [1.0, 0.2, 0.5],
            ..PicturePreprocessor::default()
        };
        let values = preprocessor.normalize(&picture);
        assert_eq!(values.shape(), [3, 1, 2]);
        for (value, expected) in values.data.iter().zip([0.0, 1.0, 0.0, 1.0, 1.0, -1.0]) {
            assert!((value - expected).abs() < 1e-6, "{:?}", values.data);
        }
    }

    #[test]
    fn what_was_normalised_can_be_restored() {
        let pixels = (0..=251).collect();
        let picture = Picture::from_rgb(12, 7, pixels).unwrap();
        let preprocessor = PicturePreprocessor {
            mean: [0.48, 0.2, 0.5],
            std: [0.26, 0.2, 0.5],
            ..PicturePreprocessor::default()
        };
        let mut values = preprocessor.normalize(&picture);
        assert_eq!(preprocessor.restore(&values), Some(picture));
        values.data.pop();
        assert_eq!(preprocessor.restore(&values), None);
    }

    #[test]
    fn configuration_needs_only_the_size_and_refuses_zero() {
        let parsed: PicturePreprocessor = serde_json::from_str(r#"{"size":64}"#).unwrap();
        assert_eq!(
            parsed,
            PicturePreprocessor::new(NonZeroU32::new(64).unwrap())
        );
        assert!(serde_json::from_str::<PicturePreprocessor>(r#"{"size":0}"#).is_err());
    }
}
