//! Pictures composed of emoji on a plain ground.

use image::RgbaImage;
use image::imageops::{self, FilterType};

use super::build::SIZE;
use super::{EmojiError, Style};
use crate::picture::Picture;

/// One emoji in a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placed {
    /// The concept's number in the set.
    pub concept: usize,
    /// The style of the drawing.
    pub style: Style,
    /// Left edge in pixels.
    pub x: u32,
    /// Upper edge in pixels.
    pub y: u32,
    /// Width and height in pixels, 1 to 64.
    pub size: u32,
}

/// A ground of 64 x 64 pixels with emoji on it, painted in order.
///
/// A scene is plain data: [`EmojiSet::compose`](super::EmojiSet::compose) draws it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scene {
    /// Colour of the ground, RGB.
    pub ground: [u8; 3],
    /// What stands on it.
    pub emoji: Vec<Placed>,
}

impl Scene {
    /// Width and height of every scene, in pixels.
    pub const SIZE: u32 = SIZE;

    /// Side of an emoji that shares the ground with others, in pixels: objects
    /// are still told apart at this size.
    pub const SHARED_SIZE: u32 = SIZE / 2;

    /// One emoji that fills the ground.
    #[must_use]
    pub fn single(concept: usize, style: Style, ground: [u8; 3]) -> Self {
        let (x, y, size) = (0, 0, SIZE);
        Self {
            ground,
            emoji: vec![Placed {
                concept,
                style,
                x,
                y,
                size,
            }],
        }
    }

    /// Two emoji side by side, each half as wide as the ground.
    #[must_use]
    pub fn pair(left: (usize, Style), right: (usize, Style), ground: [u8; 3]) -> Self {
        let size = Self::SHARED_SIZE;
        let y = (SIZE - size) / 2;
        let place = |(concept, style), x| Placed {
            concept,
            style,
            x,
            y,
            size,
        };
        Self {
            ground,
            emoji: vec![place(left, 0), place(right, SIZE - size)],
        }
    }

    /// One to four emoji in the quarters of the ground.
    ///
    /// `quarters` are numbered 0 to 3 from the upper left, row by row; the
    /// shorter of both lists decides how many are placed.
    #[must_use]
    pub fn quarters(emoji: &[(usize, Style)], quarters: &[u32], ground: [u8; 3]) -> Self {
        let size = Self::SHARED_SIZE;
        let emoji = emoji
            .iter()
            .zip(quarters)
            .map(|(&(concept, style), quarter)| Placed {
                concept,
                style,
                x: quarter % 2 * size,
                y: quarter / 2 % 2 * size,
                size,
            })
            .collect();
        Self { ground, emoji }
    }

    /// Paints the scene with the drawings that `drawing` hands out.
    pub(super) fn draw(
        &self,
        mut drawing: impl FnMut(&Placed) -> Result<RgbaImage, EmojiError>,
    ) -> Result<Picture, EmojiError> {
        let mut pixels = self.ground.repeat((SIZE * SIZE) as usize);
        for placed in &self.emoji {
            let &Placed { x, y, size, .. } = placed;
            let fits = |start: u32| start.checked_add(size).is_some_and(|end| end <= SIZE);
            if size == 0 || !fits(x) || !fits(y) {
                return Err(EmojiError::OffTheGround { x, y, size });
            }
            let drawing = premultiplied(drawing(placed)?, size);
            for (row, line) in drawing.rows().enumerate() {
                let start = ((y as usize + row) * SIZE as usize + x as usize) * 3;
                let ground = pixels[start..].chunks_exact_mut(3);
                for (under, over) in ground.zip(line) {
                    let [colour @ .., alpha] = over.0;
                    for (under, over) in under.iter_mut().zip(colour) {
                        *under = over.saturating_add(product(*under, 255 - alpha));
                    }
                }
            }
        }
        Ok(Picture::from_rgb(SIZE, SIZE, pixels)
            .expect("SIZE * SIZE pixels of three channels were painted"))
    }
}

/// Scales a square drawing, with its colours multiplied by their alpha.
///
/// Multiplied first, so that the colour of clear pixels leaves no fringe.
fn premultiplied(mut drawing: RgbaImage, size: u32) -> RgbaImage {
    for pixel in drawing.pixels_mut() {
        let [r, g, b, alpha] = pixel.0;
        pixel.0 = [
            product(r, alpha),
            product(g, alpha),
            product(b, alpha),
            alpha,
        ];
    }
    if drawing.dimensions() == (size, size) {
        return drawing;
    }
    imageops::resize(&drawing, size, size, FilterType::Triangle)
}

/// The product of two fractions of 255, rounded.
fn product(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}
