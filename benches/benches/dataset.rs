//! How many pictures of a WebDataset archive become batches for a model in a second: read,
//! decoded, resized to 448 x 448 pixels and normalised, by one worker and by two.
//!
//! `MPM_BENCH_SHARD` names an archive of one's own.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::{
    env,
    fs::File,
    io::Cursor,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use mpm_data::{
    dataset::{
        Columns, DatasetConfig, DatasetFormat, DatasetMix, ExampleLoader, MixMember, StreamOptions,
    },
    picture::PicturePreprocessor,
};

const SIZE: NonZeroU32 = NonZeroU32::new(448).expect("448 is not zero");
const BATCH: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Pictures of an archive that is made here.
const PICTURES: u32 = 128;

const QUALITY: u8 = 85;

/// An archive of pictures of 640 x 480 pixels with smooth gradients and some texture.
fn archive() -> PathBuf {
    let path = env::temp_dir().join(format!("mpm-bench-{}.tar", std::process::id()));
    let file = File::create(&path).expect("the folder for temporary files can be written to");
    let mut archive = tar::Builder::new(file);
    for number in 0..PICTURES {
        let picture = RgbImage::from_fn(640, 480, |x, y| {
            let texture = (x * (x ^ 0x9E37)).wrapping_add(y * y + number * 7919) >> 7;
            let (across, down) = ((x * 200 / 640 + number) % 230, y * 200 / 480);
            let levels = [across, down, 200 - (across + down) / 3];
            image::Rgb(levels.map(|level| (level + texture % 24) as u8))
        });
        let mut jpeg = Cursor::new(Vec::new());
        picture
            .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
            .expect("any RGB picture of this size can be encoded");
        let files = [("jpg", jpeg.into_inner()), ("txt", b"a picture".to_vec())];
        for (extension, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let name = format!("{number:06}.{extension}");
            archive
                .append_data(&mut header, name, content.as_slice())
                .expect("there is space for a small archive");
        }
    }
    archive
        .finish()
        .expect("there is space for a small archive");
    path
}

/// Reads all pictures once, and says how many there were.
fn epoch(shard: &Path, workers: usize) -> u64 {
    let member = MixMember {
        name: "shard".into(),
        weight: 1.0,
        dataset: DatasetConfig {
            format: DatasetFormat::Webdataset,
            files: vec![shard.to_path_buf()],
            pictures: None,
            language: None,
            columns: Columns::default(),
        },
    };
    let stream = StreamOptions {
        window: BATCH,
        epochs: NonZeroU64::new(1),
        ..StreamOptions::new(0)
    };
    let workers = NonZeroUsize::new(workers).expect("there are workers");
    let preprocessor = PicturePreprocessor::new(SIZE);
    let mix = DatasetMix::new(vec![member], stream).expect("the archive is there");
    let mut loader = ExampleLoader::new(mix, workers).expect("threads can be started");
    let mut pictures = 0;
    let mut next =
        || loader.next_batch(BATCH, |_, pictures, _| Ok(preprocessor.apply(&pictures[0])));
    while let Some(batch) = next().expect("the archive is sound") {
        pictures += batch.len() as u64;
    }
    pictures
}

fn bench(c: &mut Criterion) {
    let own = env::var_os("MPM_BENCH_SHARD").map(PathBuf::from);
    let shard = own.clone().unwrap_or_else(archive);
    let mut group = c.benchmark_group("dataset");
    group.sample_size(10);
    group.throughput(Throughput::Elements(epoch(&shard, 2)));
    for workers in [1, 2] {
        group.bench_function(BenchmarkId::new("webdataset", workers), |b| {
            b.iter(|| epoch(&shard, workers));
        });
    }
    group.finish();
    if own.is_none() {
        // It lies where the system cleans up anyway.
        let _ = std::fs::remove_file(shard);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
