//! Several pictures side by side in one.

use super::{DEFAULT_MAX_PIXELS, Picture, PictureError, rgb::CHANNELS};

/// Puts pictures of one size into rows of `columns`, from the left and the top; places that are
/// left over are black. Fewer pictures than columns make one row of their width.
///
/// # Errors
/// [`PictureError::Sheet`] without pictures or columns and for pictures of different sizes,
/// [`PictureError::TooManyPixels`] for more than [`DEFAULT_MAX_PIXELS`].
///
/// ```
/// use mpm_data::picture::{Picture, contact_sheet};
///
/// let dot = |level| Picture::from_rgb(1, 1, vec![level; 3]);
/// let sheet = contact_sheet(&[dot(1)?, dot(2)?, dot(3)?], 2)?;
/// assert_eq!((sheet.width(), sheet.height()), (2, 2));
/// assert_eq!(sheet.pixel(0, 1), Some([3, 3, 3]));
/// assert_eq!(sheet.pixel(1, 1), Some([0, 0, 0]));
/// # Ok::<(), mpm_data::picture::PictureError>(())
/// ```
pub fn contact_sheet(pictures: &[Picture], columns: usize) -> Result<Picture, PictureError> {
    let refuse = |reason| Err(PictureError::Sheet { reason });
    let Some(first) = pictures.first() else {
        return refuse("there are no pictures");
    };
    if columns == 0 {
        return refuse("there are no columns");
    }
    let size = |picture: &Picture| (picture.width(), picture.height());
    if pictures.iter().any(|picture| size(picture) != size(first)) {
        return refuse("the pictures differ in size");
    }
    let [width, height] = sheet_size(pictures.len(), columns, [first.width(), first.height()])?;
    let row_len = first.width() as usize * CHANNELS;
    let columns = columns.min(pictures.len());
    let mut pixels = vec![0; width as usize * height as usize * CHANNELS];
    for (place, picture) in pictures.iter().enumerate() {
        let top = place / columns * first.height() as usize;
        let left = place % columns * row_len;
        for (y, row) in picture.pixels().chunks_exact(row_len).enumerate() {
            let start = (top + y) * columns * row_len + left;
            pixels[start..start + row_len].copy_from_slice(row);
        }
    }
    Picture::from_rgb(width, height, pixels)
}

/// Width and height of the [`contact_sheet`] of `pictures` pictures of a size.
///
/// # Errors
/// [`PictureError::TooManyPixels`] for more than [`DEFAULT_MAX_PIXELS`].
pub fn sheet_size(
    pictures: usize,
    columns: usize,
    [width, height]: [u32; 2],
) -> Result<[u32; 2], PictureError> {
    let columns = columns.clamp(1, pictures.max(1));
    let rows = pictures.div_ceil(columns);
    let side = |of_one: u32, count: usize| {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        of_one.saturating_mul(count)
    };
    let (width, height) = (side(width, columns), side(height, rows));
    match u64::from(width) * u64::from(height) <= DEFAULT_MAX_PIXELS {
        true => Ok([width, height]),
        false => Err(PictureError::TooManyPixels {
            width,
            height,
            limit: DEFAULT_MAX_PIXELS,
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, level: u8) -> Picture {
        let bytes = (width * height * 3) as usize;
        Picture::from_rgb(width, height, vec![level; bytes]).unwrap()
    }

    #[test]
    fn pictures_fill_row_after_row() {
        let pictures: Vec<Picture> = (1..=7).map(|level| picture(3, 2, level)).collect();
        let sheet = contact_sheet(&pictures, 3).unwrap();
        assert_eq!((sheet.width(), sheet.height()), (9, 6));
        for y in 0..6 {
            for x in 0..9 {
                let place = y / 2 * 3 + x / 3;
                let level = if place < 7 { place as u8 + 1 } else { 0 };
                assert_eq!(sheet.pixel(x, y), Some([level; 3]), "{x} {y}");
            }
        }
        assert_eq!(contact_sheet(&pictures[..1], 8).unwrap(), pictures[0]);
        let row = contact_sheet(&pictures[..2], 8).unwrap();
        assert_eq!((row.width(), row.height()), (6, 2));
    }

    #[test]
    fn what_makes_no_sheet_is_refused() {
        let reason = |pictures: &[Picture], columns| {
            let error = contact_sheet(pictures, columns).unwrap_err();
            error.to_string()
        };
        assert!(reason(&[], 2).contains("no pictures"));
        assert!(reason(&[picture(1, 1, 0)], 0).contains("no columns"));
        let mixed = [picture(2, 1, 0), picture(1, 2, 0)];
        assert!(reason(&mixed, 2).contains("differ in size"));
        for pictures in [13, usize::MAX] {
            let error = sheet_size(pictures, 8, [2048, 2048]).unwrap_err();
            assert!(matches!(error, PictureError::TooManyPixels { .. }));
        }
        assert_eq!(sheet_size(10, 8, [2048, 1024]).unwrap(), [16384, 2048]);
    }
}
