//! Examples prepared on several threads.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    collections::HashSet,
    num::{NonZeroU64, NonZeroUsize},
    path::Path,
};

use common::{config, tar, texts, write};
use mpm_data::{
    dataset::{DatasetFormat, DatasetMix, ExampleLoader, MixMember, StreamOptions},
    picture::Picture,
};
use rand_chacha::rand_core::Rng;

const BATCH: NonZeroUsize = NonZeroUsize::new(6).unwrap();

/// An archive of 25 pictures whose red is the number of the caption; one in five is damaged.
fn pictures(folder: &Path) -> MixMember {
    let mut files = Vec::new();
    for number in 0..25u8 {
        let picture = Picture::from_rgb(2, 2, [number, 0, 0].repeat(4)).unwrap();
        let mut bytes = picture.encode_png(&[]).unwrap();
        if number % 5 == 4 {
            bytes.truncate(50);
        }
        files.push((format!("{number:02}.png"), bytes));
        files.push((format!("{number:02}.txt"), number.to_string().into_bytes()));
    }
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let file = write(folder, "pictures.tar", tar(&files));
    MixMember {
        name: "pictures".to_owned(),
        weight: 1.0,
        dataset: config(DatasetFormat::Webdataset, &[file]),
    }
}

fn loader(folder: &Path, threads: usize, max_bad: u64) -> ExampleLoader {
    let options = StreamOptions {
        window: NonZeroUsize::new(10).unwrap(),
        epochs: NonZeroU64::new(2),
        max_bad,
        ..StreamOptions::new(3)
    };
    let mix = DatasetMix::new(vec![pictures(folder)], options).unwrap();
    ExampleLoader::new(mix, NonZeroUsize::new(threads).unwrap()).unwrap()
}

/// Caption, red and a random number of each example, by batch.
fn load(loader: &mut ExampleLoader) -> Vec<Vec<(String, u8, u64)>> {
    let next = || {
        let batch = loader.next_batch(BATCH, |example, pictures, rng| {
            let red = pictures[0].pixels()[0];
            Ok((texts(example)[0][1].to_owned(), red, rng.next_u64()))
        });
        batch.unwrap()
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn batches_do_not_depend_on_threads_and_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let expected = load(&mut loader(folder.path(), 1, 99));
    // 20 usable ones, twice.
    let sizes: Vec<_> = expected.iter().map(Vec::len).collect();
    assert_eq!(sizes, [6, 6, 6, 6, 6, 6, 4]);
    for (caption, red, _) in expected.iter().flatten() {
        assert_eq!(caption.parse::<u8>().unwrap(), *red);
    }
    let drawn: HashSet<_> = expected.iter().flatten().map(|one| one.2).collect();
    assert_eq!(drawn.len(), 40);
    assert_eq!(load(&mut loader(folder.path(), 3, 99)), expected);

    for batches in 0..expected.len() {
        let mut first = loader(folder.path(), 2, 99);
        for _ in 0..batches {
            let batch = first.next_batch(BATCH, |_, _, _| Ok(()));
            batch.unwrap();
        }
        let json = serde_json::to_string(&first.position()).unwrap();
        let mut second = loader(folder.path(), 1, 99);
        second.seek(&serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(load(&mut second), expected[batches..]);
        let bad = second.mix().members().map(|member| member.bad);
        assert_eq!(bad.collect::<Vec<_>>(), [10]);
    }
}

#[test]
fn what_a_model_cannot_read_is_counted_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut loader = loader(folder.path(), 2, 99);
    let odd = loader.next_batch(BATCH, |_, pictures, _| match pictures[0].pixels()[0] {
        red if red % 2 == 1 => Ok(red),
        red => Err(format!("{red} is even").into()),
    });
    let odd = odd.unwrap().unwrap();
    assert_eq!(odd.len(), BATCH.get());
    assert!(odd.iter().all(|red| red % 2 == 1));
    assert!(loader.mix().members().all(|member| member.bad >= 5));
}

#[test]
fn a_batch_that_fails_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let expected = load(&mut loader(folder.path(), 1, 99));
    let loader_of = |max_bad| loader(folder.path(), 2, max_bad);
    let mut failing = loader_of(2);
    let mut next = || {
        let batch = failing.next_batch(BATCH, |_, _, _| Ok(()));
        let result = batch.map(|batch| batch.is_some());
        (
            result.map_err(|error| error.to_string()),
            failing.position(),
        )
    };
    let (mut batches, mut before) = (0, None);
    let (error, after) = loop {
        match next() {
            (Ok(more), position) => {
                assert!(more, "the data ended without an error");
                (batches, before) = (batches + 1, Some(position));
            }
            (Err(error), position) => break (error, position),
        }
    };
    assert!(batches > 0 && batches < expected.len());
    assert_eq!(before.as_ref(), Some(&after));
    assert_eq!(next(), (Err(error), after.clone()));

    let mut patient = loader_of(99);
    patient.seek(&after).unwrap();
    assert_eq!(load(&mut patient), expected[batches..]);
}

#[test]
fn too_many_bad_pictures_end_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let mut loader = loader(folder.path(), 2, 2);
    let error = loop {
        match loader.next_batch(BATCH, |_, _, _| Ok(())) {
            Ok(batch) => assert!(batch.is_some(), "the data ended without an error"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(
        error.contains("`pictures`") && error.contains("3 of"),
        "{error}"
    );
}
