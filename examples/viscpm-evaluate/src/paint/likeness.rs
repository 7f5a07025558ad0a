//! How near pictures are to real ones.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use burn::tensor::{Tensor, TensorData};
use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_train::picture_metrics::FeatureStatistics;

use crate::EvaluateError;

/// Names of pictures end so; other files of a folder are left alone.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "gif", "bmp"];

/// The highest level of a pixel.
const WHITE: f32 = 255.0;

/// The pictures of a folder, by the endings of their names, in alphabetical order. Folders in it are
/// not looked into.
///
/// # Errors
/// [`EvaluateError::Read`], [`EvaluateError::Empty`].
pub fn picture_files(folder: &Path) -> Result<Vec<PathBuf>, EvaluateError> {
    let failed = |source| EvaluateError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        if ENDINGS.iter().any(|known| ending == *known) {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(EvaluateError::Empty {
            path: folder.to_owned(),
            what: "pictures (PNG, JPEG, WebP, GIF or BMP)",
        }),
        false => Ok(files),
    }
}

/// Mean and covariance of the features of pictures, read `batch` at a time.
///
/// # Shapes
/// - features: from `[pictures, 3, height, width]`, red, green and blue from 0 to 1, to
///   `[pictures, width]`; pictures of one call are of one size
///
/// # Errors
/// [`EvaluateError::Picture`] names a picture that cannot be read; what `features` returns, and
/// [`EvaluateError::PictureMetric`].
pub fn picture_statistics<B: MpmBackend>(
    files: &[PathBuf],
    batch: NonZeroUsize,
    width: usize,
    device: &B::Device,
    features: impl Fn(Tensor<B, 4>) -> Result<Tensor<B, 2>, EvaluateError>,
) -> Result<FeatureStatistics, EvaluateError> {
    let mut statistics = FeatureStatistics::new(width);
    for files in files.chunks(batch.get()) {
        let pictures = files.iter().map(Picture::open);
        let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
        let alike = |one: &Picture, other: &Picture| {
            (one.width(), one.height()) == (other.width(), other.height())
        };
        for pictures in pictures.chunk_by(alike) {
            statistics.add(features(pixels(pictures, device))?)?;
        }
    }
    Ok(statistics)
}

/// Pictures of one size, `[pictures, 3, height, width]`, from 0 to 1.
fn pixels<B: MpmBackend>(pictures: &[Picture], device: &B::Device) -> Tensor<B, 4> {
    let size = pictures
        .first()
        .map_or([0, 0], |first| [first.height(), first.width()]);
    let [height, width] = size.map(|side| side as usize);
    let levels = pictures.iter().flat_map(Picture::pixels);
    let values: Vec<f32> = levels.map(|&level| f32::from(level) / WHITE).collect();
    let shape = [pictures.len(), height, width, 3];
    let pixels: Tensor<B, 4> = Tensor::from_data(TensorData::new(values, shape), device);
    pixels.permute([0, 3, 1, 2])
}
