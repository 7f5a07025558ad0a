//! How many JPEG pictures become the values of VisCPM's encoder in a second, on one core:
//! decoded, resized to 224 x 224 pixels and normalised.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::hint::black_box;
use std::io::Cursor;
use std::num::NonZeroU32;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageResult, RgbImage};
use mpm_data::picture::{Picture, PicturePreprocessor};

/// Of VisCPM's pretraining.
const SIZE: NonZeroU32 = NonZeroU32::new(224).expect("224 is not zero");

/// A camera's picture of 12 megapixels, and a typical one of a data set.
const PICTURES: [(&str, u32, u32); 2] = [("12-megapixels", 4000, 3000), ("640x480", 640, 480)];

const QUALITY: u8 = 85;

/// Gradients with some texture, so that the blocks have about as many coefficients as those of
/// photographs.
fn jpeg(width: u32, height: u32) -> ImageResult<Vec<u8>> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let texture = (x.wrapping_mul(x ^ 0x9E37).wrapping_add(y.wrapping_mul(y)) >> 7) % 24;
        let (across, down) = (x * 200 / width, y * 200 / height);
        image::Rgb([across, down, 200 - (across + down) / 2].map(|level| (level + texture) as u8))
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
    Ok(bytes.into_inner())
}

fn bench(c: &mut Criterion) {
    let preprocessor = PicturePreprocessor::new(SIZE);
    let mut group = c.benchmark_group("picture");
    group.throughput(Throughput::Elements(1));
    for (name, width, height) in PICTURES {
        let bytes = jpeg(width, height).expect("any RGB picture of this size can be encoded");
        let decode = || Picture::decode(black_box(&bytes)).expect("the encoder wrote a valid JPEG");
        let picture = decode();
        let resized = picture.resize(SIZE, SIZE);
        group.bench_function(BenchmarkId::new("decode", name), |b| b.iter(decode));
        group.bench_function(BenchmarkId::new("resize", name), |b| {
            b.iter(|| black_box(&picture).resize(SIZE, SIZE));
        });
        group.bench_function(BenchmarkId::new("normalise", name), |b| {
            b.iter(|| preprocessor.normalize(black_box(&resized)));
        });
        group.bench_function(BenchmarkId::new("all", name), |b| {
            b.iter(|| preprocessor.apply(&decode()));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
