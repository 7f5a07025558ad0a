//! What happens to files that are no good pictures, and to pictures of unusual shapes.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::io::Cursor;
use std::num::NonZeroU32;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use mpm_data::DataError;
use mpm_data::picture::{Picture, PictureError, PictureLimits, PicturePreprocessor};
use proptest::prelude::*;

const FORMATS: [ImageFormat; 5] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Bmp,
];

fn encode(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([
            (x * 5 % 256) as u8,
            (y * 7 % 256) as u8,
            (x * y % 256) as u8,
        ])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image)
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

fn open_error(path: &Path) -> (DataError, String) {
    let error = Picture::open(path).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    (error, text)
}

fn reason(error: DataError) -> PictureError {
    match error {
        DataError::Picture { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn every_format_is_decoded() {
    for format in FORMATS {
        let picture = Picture::decode(&encode(31, 17, format)).unwrap();
        assert_eq!((picture.width(), picture.height()), (31, 17), "{format:?}");
    }
}

#[test]
fn missing_files_and_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (error, text) = open_error(&folder.path().join("nothing.png"));
    assert!(matches!(reason(error), PictureError::Missing(_)), "{text}");
    let (error, text) = open_error(folder.path());
    assert!(
        matches!(reason(error), PictureError::Unreadable(_)),
        "{text}"
    );
}

#[test]
fn other_files_are_no_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.png");
    for content in [&b"just text"[..], b"", b"%PDF-1.7", b"II*\0"] {
        std::fs::write(&path, content).unwrap();
        let (error, text) = open_error(&path);
        assert!(
            matches!(reason(error), PictureError::UnknownFormat),
            "{text}"
        );
    }
}

#[test]
fn half_a_file_is_truncated() {
    for format in FORMATS {
        let bytes = encode(64, 48, format);
        for part in [bytes.len() / 2, bytes.len() * 3 / 4] {
            let error = Picture::decode(&bytes[..part]).unwrap_err();
            assert!(
                matches!(error, PictureError::Truncated(_)),
                "{format:?}: {error:?}"
            );
        }
    }
}

#[test]
fn damage_in_the_middle_is_noticed() {
    let mut bytes = encode(64, 48, ImageFormat::Png);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    let error = Picture::decode(&bytes).unwrap_err();
    assert!(matches!(error, PictureError::Broken(_)), "{error:?}");
}

#[test]
fn large_files_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.bmp");
    let bytes = encode(20, 20, ImageFormat::Bmp);
    std::fs::write(&path, &bytes).unwrap();
    let limit = bytes.len() as u64 - 1;
    let limits = PictureLimits {
        max_bytes: limit,
        ..PictureLimits::default()
    };
    let error = reason(Picture::open_with(&path, &limits).unwrap_err());
    assert!(matches!(error, PictureError::TooManyBytes { limit: l, .. } if l == limit));
    assert!(matches!(
        Picture::decode_with(&bytes, &limits),
        Err(PictureError::TooManyBytes { .. })
    ));
    let limits = PictureLimits {
        max_bytes: limit + 1,
        ..limits
    };
    assert!(Picture::open_with(&path, &limits).is_ok());
}

#[test]
fn too_many_pixels_are_refused_by_the_header() {
    let limits = PictureLimits {
        max_pixels: 31 * 17 - 1,
        ..PictureLimits::default()
    };
    for format in FORMATS {
        let bytes = encode(31, 17, format);
        let error = Picture::decode_with(&bytes, &limits).unwrap_err();
        assert!(
            matches!(
                error,
                PictureError::TooManyPixels {
                    width: 31,
                    height: 17,
                    ..
                }
            ),
            "{format:?}: {error:?}"
        );
    }
    // A header alone, announcing 30,000 x 30,000 pixels.
    let mut bomb = encode(1, 1, ImageFormat::Bmp);
    bomb[18..26].copy_from_slice(&[0x30, 0x75, 0, 0, 0x30, 0x75, 0, 0]);
    assert!(matches!(
        Picture::decode(&bomb),
        Err(PictureError::TooManyPixels { .. })
    ));
}

#[test]
fn unusual_shapes_are_preprocessed() {
    for (width, height) in [(1, 1), (10_000, 3), (3, 10_000)] {
        let picture = Picture::decode(&encode(width, height, ImageFormat::Png)).unwrap();
        let values = PicturePreprocessor::default().apply(&picture);
        assert_eq!(values.shape(), [3, 224, 224]);
        assert!(values.data.iter().all(|value| (-1.0..=1.0).contains(value)));
    }
}

#[test]
fn orientation_tags_are_ignored() {
    // An EXIF block saying "rotate by 90 degrees", between start of image and the rest.
    let exif =
        b"\xFF\xE1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let plain = encode(32, 16, ImageFormat::Jpeg);
    let tagged = [&plain[..2], &exif[..], &plain[2..]].concat();
    assert_eq!(
        Picture::decode(&tagged).unwrap(),
        Picture::decode(&plain).unwrap()
    );
}

#[test]
fn wrong_shapes_are_refused() {
    for (width, height, bytes) in [(2, 2, 11), (0, 0, 0), (0, 5, 0), (u32::MAX, u32::MAX, 3)] {
        assert!(matches!(
            Picture::from_rgb(width, height, vec![0; bytes]),
            Err(PictureError::WrongShape { .. })
        ));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Picture::decode(&bytes);
    }

    #[test]
    fn damaged_pictures_are_no_panic(
        format in 0..FORMATS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(19, 13, FORMATS[format]);
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        let limits = PictureLimits { max_pixels: 1 << 20, ..PictureLimits::default() };
        for bytes in [&bytes[..], &bytes[..length.index(bytes.len())]] {
            let result = Picture::decode_with(bytes, &limits);
            prop_assert!(!matches!(result, Err(PictureError::DecoderPanicked(_))), "{result:?}");
        }
    }

    #[test]
    fn any_size_resizes(
        (width, height, to_width, to_height) in (1..64u32, 1..64u32, 1..64u32, 1..64u32),
        level in any::<u8>(),
    ) {
        let pixels = vec![level; (width * height * 3) as usize];
        let picture = Picture::from_rgb(width, height, pixels).unwrap();
        let size = [to_width, to_height].map(|size| NonZeroU32::new(size).unwrap());
        let resized = picture.resize(size[0], size[1]);
        prop_assert_eq!([resized.width(), resized.height()], [to_width, to_height]);
        // The weights sum to one, so a picture of one colour keeps it.
        prop_assert!(resized.pixels().iter().all(|&other| other == level));
    }
}
