//! Drawings and photographs without a background, as files.

use std::{fs, path::Path};

use emoji_training::BoxError;
use image::{
    RgbaImage,
    imageops::{FilterType, resize},
};
use mpm_data::picture::Picture;
use resvg::{
    tiny_skia::{Color, ColorU8, IntSize, Pixmap, PixmapPaint, Transform},
    usvg,
};

/// Reads an SVG, or a picture with or without transparency, and puts it on a ground: as large as
/// it fits, in the middle of `side` x `side` pixels.
///
/// # Errors
/// Names the file that cannot be read.
pub fn on_ground(file: &Path, side: u32, ground: [u8; 3]) -> Result<Picture, BoxError> {
    let picture = place(file, side, ground);
    picture.map_err(|error| format!("{}: {error}", file.display()).into())
}

fn place(file: &Path, side: u32, [red, green, blue]: [u8; 3]) -> Result<Picture, BoxError> {
    let mut canvas = Pixmap::new(side, side).ok_or("no picture has 0 pixels")?;
    canvas.fill(Color::from_rgba8(red, green, blue, u8::MAX));
    let is_svg = file
        .extension()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("svg"));
    if is_svg {
        let tree = usvg::Tree::from_data(&fs::read(file)?, &usvg::Options::default())?;
        let size = tree.size();
        let scale = side as f32 / size.width().max(size.height());
        let middle = |length: f32| (side as f32 - scale * length) / 2.0;
        let to_middle = Transform::from_scale(scale, scale)
            .post_translate(middle(size.width()), middle(size.height()));
        resvg::render(&tree, to_middle, &mut canvas.as_mut());
    } else {
        let picture = shrunk(image::open(file)?.into_rgba8(), side)?;
        let middle = |length: u32| ((side - length) / 2) as i32;
        let (x, y) = (middle(picture.width()), middle(picture.height()));
        let paint = PixmapPaint::default();
        canvas.draw_pixmap(x, y, picture.as_ref(), &paint, Transform::identity(), None);
    }
    let pixels = canvas.pixels().iter();
    let rgb = pixels.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]);
    Ok(Picture::from_rgb(side, side, rgb.collect())?)
}

/// A picture whose longer side has `side` pixels, with colours multiplied by their alpha.
///
/// Multiplied first, so that the colour of clear pixels leaves no fringe.
fn shrunk(mut picture: RgbaImage, side: u32) -> Result<Pixmap, BoxError> {
    for pixel in picture.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let colour = ColorU8::from_rgba(red, green, blue, alpha).premultiply();
        pixel.0 = [colour.red(), colour.green(), colour.blue(), alpha];
    }
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    let scaled = |length: u32| {
        let length = u64::from(length) * u64::from(side) / u64::from(longest);
        (length as u32).max(1)
    };
    let picture = resize(
        &picture,
        scaled(width),
        scaled(height),
        FilterType::Triangle,
    );
    let size = IntSize::from_wh(picture.width(), picture.height());
    let pixmap = size.and_then(|size| Pixmap::from_vec(picture.into_raw(), size));
    Ok(pixmap.ok_or("the picture has no pixels")?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    const GROUND: [u8; 3] = [200, 210, 220];

    #[test]
    fn pictures_and_drawings_stand_on_the_ground() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        // Twice as wide as high: clear on the left, red on the right.
        let picture = RgbaImage::from_fn(40, 20, |x, _| match x < 20 {
            true => image::Rgba([255, 255, 255, 0]),
            false => image::Rgba([255, 0, 0, 255]),
        });
        picture.save(file("a.png")).unwrap();
        let drawing = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40"
            height="20"><rect x="20" width="20" height="20" fill="red"/></svg>"#;
        fs::write(file("a.svg"), drawing).unwrap();
        for name in ["a.png", "a.svg"] {
            let picture = on_ground(&file(name), 8, GROUND).unwrap();
            assert_eq!((picture.width(), picture.height()), (8, 8));
            assert_eq!(picture.pixel(1, 3), Some(GROUND), "{name}");
            assert_eq!(picture.pixel(6, 3), Some([255, 0, 0]), "{name}");
            assert_eq!(picture.pixel(6, 0), Some(GROUND), "{name}");
        }
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["dog.png", "dog.svg"] {
            let file = folder.path().join(name);
            fs::write(&file, "no picture").unwrap();
            let error = on_ground(&file, 8, GROUND).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
