//! The one form in which pictures travel through this workspace.

use super::PictureError;

/// Bytes per pixel of a [`Picture`].
pub(super) const CHANNELS: usize = 3;

/// An RGB picture with 8 bits per channel.
///
/// Pixels are stored row by row from the top left, as `[height, width, 3]`. Width and height are
/// at least 1.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// Makes a picture of its pixels `[height, width, 3]`.
    ///
    /// # Errors
    /// [`PictureError::WrongShape`] when there are not `height * width * 3` bytes, or none at all.
    ///
    /// ```
    /// use mpm_data::picture::Picture;
    ///
    /// let red = Picture::from_rgb(2, 1, vec![255, 0, 0, 255, 0, 0])?;
    /// assert_eq!(red.pixel(1, 0), Some([255, 0, 0]));
    /// # Ok::<(), mpm_data::picture::PictureError>(())
    /// ```
    pub fn from_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, PictureError> {
        let expected = u128::from(width) * u128::from(height) * CHANNELS as u128;
        if expected == 0 || expected != pixels.len() as u128 {
            return Err(PictureError::WrongShape {
                width,
                height,
                bytes: pixels.len(),
            });
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// Like [`from_rgb`](Self::from_rgb), for buffers whose size this module computed itself.
    pub(super) fn from_own_buffer(width: u32, height: u32, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), width as usize * height as usize * CHANNELS);
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All pixels, `[height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Gives up the picture for its pixels, `[height, width, 3]`.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Red, green and blue at column `x` and row `y`, or `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; CHANNELS]> {
        if x >= self.width {
            return None;
        }
        let index = y as usize * self.width as usize + x as usize;
        self.pixels.as_chunks().0.get(index).copied()
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Megabytes of pixels would drown every message that shows a picture.
        f.debug_struct("Picture")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}
