//! Operations that move pixels. What comes from outside the picture has the colour
//! [`FILL`]; positions between pixels are interpolated bilinearly, as OpenCV's
//! `warpAffine` does.

use super::FILL;
use crate::picture::Picture;
use crate::picture::rgb::CHANNELS;

/// Mirrors left and right.
pub fn flip_horizontal(picture: &Picture) -> Picture {
    let pixels = picture
        .pixels()
        .chunks_exact(picture.width() as usize * CHANNELS)
        .flat_map(|row| {
            row.as_chunks::<CHANNELS>()
                .0
                .iter()
                .rev()
                .flatten()
                .copied()
        })
        .collect();
    Picture::from_own_buffer(picture.width(), picture.height(), pixels)
}

/// Moves each row to the right by `factor` times its distance from the top.
pub fn shear_x(picture: &Picture, factor: f64) -> Picture {
    warp(picture, [[1.0, -factor, 0.0], [0.0, 1.0, 0.0]])
}

/// Moves each column down by `factor` times its distance from the left.
pub fn shear_y(picture: &Picture, factor: f64) -> Picture {
    warp(picture, [[1.0, 0.0, 0.0], [-factor, 1.0, 0.0]])
}

/// Moves the picture to the left by `pixels`.
pub fn translate_x(picture: &Picture, pixels: f64) -> Picture {
    warp(picture, [[1.0, 0.0, pixels], [0.0, 1.0, 0.0]])
}

/// Moves the picture up by `pixels`.
pub fn translate_y(picture: &Picture, pixels: f64) -> Picture {
    warp(picture, [[1.0, 0.0, 0.0], [0.0, 1.0, pixels]])
}

/// Turns the picture counter-clockwise by `degrees` around the point `(width / 2, height / 2)`.
pub fn rotate(picture: &Picture, degrees: f64) -> Picture {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (x, y) = (
        f64::from(picture.width()) / 2.0,
        f64::from(picture.height()) / 2.0,
    );
    warp(
        picture,
        [
            [cos, -sin, (1.0 - cos) * x + sin * y],
            [sin, cos, (1.0 - cos) * y - sin * x],
        ],
    )
}

/// Fills each pixel `(x, y)` from the position `matrix * (x, y, 1)` of `picture`.
fn warp(picture: &Picture, matrix: [[f64; 3]; 2]) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let mut pixels = Vec::with_capacity(picture.pixels().len());
    for y in 0..height {
        for x in 0..width {
            let [source_x, source_y] =
                matrix.map(|[a, b, c]| a * f64::from(x) + b * f64::from(y) + c);
            pixels.extend(interpolate(picture, source_x, source_y));
        }
    }
    Picture::from_own_buffer(width, height, pixels)
}

/// The colour between the four pixels around a position.
fn interpolate(picture: &Picture, x: f64, y: f64) -> [u8; CHANNELS] {
    let (left, top) = (x.floor(), y.floor());
    let (right_weight, bottom_weight) = ((x - left) as f32, (y - top) as f32);
    let (left, top) = (left as i64, top as i64);
    let at = |x, y| pixel_or_fill(picture, x, y);
    let top_row = [at(left, top), at(left + 1, top)];
    let bottom_row = [at(left, top + 1), at(left + 1, top + 1)];
    std::array::from_fn(|channel| {
        let along = |row: [[u8; CHANNELS]; 2]| {
            let [left, right] = row.map(|pixel| f32::from(pixel[channel]));
            left + right_weight * (right - left)
        };
        let (top, bottom) = (along(top_row), along(bottom_row));
        (top + bottom_weight * (bottom - top)).round_ties_even() as u8
    })
}

fn pixel_or_fill(picture: &Picture, x: i64, y: i64) -> [u8; CHANNELS] {
    match (u32::try_from(x), u32::try_from(y)) {
        (Ok(x), Ok(y)) => picture.pixel(x, y).unwrap_or(FILL),
        _ => FILL,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn grey(width: u32, levels: &[u8]) -> Picture {
        let pixels = levels.iter().flat_map(|&level| [level; 3]).collect();
        Picture::from_rgb(width, levels.len() as u32 / width, pixels).unwrap()
    }

    #[test]
    fn flipping_mirrors_each_row() {
        assert_eq!(
            flip_horizontal(&grey(3, &[1, 2, 3, 4, 5, 6])),
            grey(3, &[3, 2, 1, 6, 5, 4])
        );
    }

    #[test]
    fn translating_fills_with_grey() {
        let picture = grey(3, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(translate_x(&picture, 1.0), grey(3, &[2, 3, 128, 5, 6, 128]));
        assert_eq!(
            translate_x(&picture, -2.0),
            grey(3, &[128, 128, 1, 128, 128, 4])
        );
        assert_eq!(
            translate_y(&picture, 1.0),
            grey(3, &[4, 5, 6, 128, 128, 128])
        );
        assert_eq!(translate_x(&grey(2, &[10, 20]), 0.5), grey(2, &[15, 74]));
    }

    #[test]
    fn shearing_moves_by_the_distance_from_the_corner() {
        let picture = grey(2, &[10, 20, 30, 40, 50, 60]);
        assert_eq!(
            shear_x(&picture, 1.0),
            grey(2, &[10, 20, 128, 30, 128, 128])
        );
        assert_eq!(shear_y(&picture, 1.0), grey(2, &[10, 128, 30, 20, 50, 40]));
    }

    #[test]
    fn rotating_by_a_quarter_turns_around_the_middle() {
        let picture = grey(2, &[10, 20, 30, 40]);
        // The centre is a pixel's corner, so one row leaves the picture, as in the reference.
        assert_eq!(rotate(&picture, 90.0), grey(2, &[128, 128, 20, 40]));
        assert_eq!(rotate(&picture, 0.0), picture);
    }
}
