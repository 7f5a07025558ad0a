//! Weights that are written anew.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use burn::tensor::{DType, TensorData};
use mpm_core::{
    model_folder::FolderError,
    partial_folder::{CHECKSUMS_FILE, PartialFolder, verify},
    weights::{
        ConvertOptions, ConvertPlan, Format, Precision, Selection, WeightFile, WeightsError,
        convert,
    },
};
use safetensors::{Dtype, tensor::TensorView};

const NAMES: [&str; 4] = ["a", "b", "c", "unused"];
const LEN: usize = 1000;
const TENSOR_BYTES: usize = LEN * size_of::<f32>();

/// Four vectors in f32.
fn source(folder: &Path) -> PathBuf {
    let path = folder.join("source.safetensors");
    let values: Vec<_> = (0..NAMES.len()).map(values).collect();
    let views = NAMES.iter().zip(&values).map(|(name, values)| {
        let view = TensorView::new(Dtype::F32, vec![LEN], values.as_bytes());
        (*name, view.unwrap())
    });
    safetensors::serialize_to_file(views, None, &path).unwrap();
    path
}

fn values(tensor: usize) -> TensorData {
    let values: Vec<f32> = (0..LEN).map(|i| i as f32 + 0.1 * tensor as f32).collect();
    values.as_slice().into()
}

fn selection() -> Selection<'static> {
    Selection {
        wanted: &|name| name != "unused",
        quantized: Default::default(),
    }
}

fn options(precision: Precision, shard_bytes: usize) -> ConvertOptions {
    ConvertOptions {
        precision,
        quantization: None,
        shard_bytes,
        progress: None,
    }
}

/// Converts all of it.
fn whole(source: &Path, folder: &Path, options: &ConvertOptions) -> WeightFile {
    let file = WeightFile::open(source).unwrap();
    let mut target = PartialFolder::open(folder, &"plan").unwrap();
    let name = convert(&file, &mut target, "model", &selection(), options).unwrap();
    target.finish(&"config").unwrap();
    WeightFile::open(folder.join(name)).unwrap()
}

fn assert_holds(file: &WeightFile, dtype: DType) {
    assert!(file.tensors().keys().eq(&NAMES[..3]));
    for (i, tensor) in file.tensors().values().enumerate() {
        let expected = values(i).convert_dtype(dtype);
        assert!(tensor.read().unwrap() == expected);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn tensors_are_written_in_files_of_limited_size() {
    let temporary = tempfile::tempdir().unwrap();
    let source = source(temporary.path());
    let folder = temporary.path().join("model");

    let one = whole(&source, &folder, &options(Precision::AsStored, usize::MAX));
    assert_eq!(one.format(), Format::Safetensors);
    assert_holds(&one, DType::F32);
    let expected = [CHECKSUMS_FILE, "config.json", "model.safetensors"];
    assert_eq!(names(&folder), expected);

    let folder = temporary.path().join("shards");
    let halves = options(Precision::Cast(DType::F16), TENSOR_BYTES);
    let two = whole(&source, &folder, &halves);
    assert_eq!(two.format(), Format::Sharded);
    assert_holds(&two, DType::F16);
    let expected = [
        CHECKSUMS_FILE,
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ];
    assert_eq!(names(&folder), expected);

    // A tensor that is larger than a file may be has one of its own.
    let folder = temporary.path().join("small");
    let three = whole(&source, &folder, &options(Precision::AsStored, 1));
    assert_holds(&three, DType::F32);
    assert_eq!(names(&folder).len(), 6);
}

#[test]
fn other_readers_understand_the_files() {
    let temporary = tempfile::tempdir().unwrap();
    let source = source(temporary.path());
    let folder = temporary.path().join("model");
    whole(&source, &folder, &options(Precision::AsStored, usize::MAX));
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.tensor("b").unwrap().data(), values(1).as_bytes());
}

#[test]
fn a_run_goes_on_where_the_last_one_ended() {
    let temporary = tempfile::tempdir().unwrap();
    let source = source(temporary.path());
    let folder = temporary.path().join("model");
    let file = WeightFile::open(&source).unwrap();
    let small = options(Precision::AsStored, TENSOR_BYTES);
    // As a run that is killed after its last shard.
    let mut first = PartialFolder::open(&folder, &"plan").unwrap();
    convert(&file, &mut first, "model", &selection(), &small).unwrap();
    drop(first);
    let staging = folder.join(".partial");
    let shard = |i| staging.join(format!("model-0000{i}-of-00003.safetensors"));
    let damaged = fs::read(shard(2)).unwrap();
    fs::write(shard(2), &damaged[1..]).unwrap();
    fs::write(
        staging.join("model-00003-of-00003.safetensors.unfinished"),
        "x",
    )
    .unwrap();

    let mut second = PartialFolder::open(&folder, &"plan").unwrap();
    assert!(second.has("model-00001-of-00003.safetensors"));
    assert!(!second.has("model-00002-of-00003.safetensors"));
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let counted = ConvertOptions {
        progress: Some(Arc::new(move |done, total| {
            assert_eq!(total, 3 * TENSOR_BYTES);
            counter.fetch_add(usize::from(done > 2 * TENSOR_BYTES), Ordering::Relaxed);
        })),
        ..small
    };
    let name = convert(&file, &mut second, "model", &selection(), &counted).unwrap();
    second.finish(&"config").unwrap();
    assert_eq!(written.load(Ordering::Relaxed), 1, "one shard was written");
    assert_holds(&WeightFile::open(folder.join(name)).unwrap(), DType::F32);
    assert!(!staging.exists());
}

#[test]
fn files_of_another_plan_are_not_kept() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut first = PartialFolder::open(folder, &"f32").unwrap();
    first.write_bytes("model.safetensors", b"old").unwrap();
    drop(first);
    assert!(
        PartialFolder::open(folder, &"f32")
            .unwrap()
            .has("model.safetensors")
    );
    assert!(
        !PartialFolder::open(folder, &"f16")
            .unwrap()
            .has("model.safetensors")
    );
}

/// What belongs to the plan, by itself.
#[test]
fn replaced_shards_and_other_options_are_another_plan() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("shards");
    let small = options(Precision::AsStored, TENSOR_BYTES);
    whole(&source(temporary.path()), &folder, &small);
    let plan = |selection: &Selection<'_>, options: &ConvertOptions| {
        let file = WeightFile::open(folder.join("model.safetensors.index.json")).unwrap();
        assert_eq!(file.files().len(), 4);
        ConvertPlan::new(&file, selection, options).unwrap()
    };
    let first = plan(&selection(), &small);
    assert_eq!(plan(&selection(), &small), first);

    let narrow = options(Precision::Cast(DType::F16), TENSOR_BYTES);
    assert_ne!(plan(&selection(), &narrow), first);
    let fewer = Selection {
        wanted: &|name| name != "b",
        ..selection()
    };
    assert_ne!(plan(&fewer, &small), first);

    let shard = folder.join("model-00002-of-00003.safetensors");
    let shard = fs::File::options().write(true).open(shard).unwrap();
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    shard.set_modified(long_ago).unwrap();
    assert_ne!(plan(&selection(), &small), first);
}

#[test]
fn a_small_file_of_another_content_is_written_anew() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut first = PartialFolder::open(folder, &"plan").unwrap();
    first.write_bytes("vocab.txt", b"old").unwrap();
    drop(first);
    let mut second = PartialFolder::open(folder, &"plan").unwrap();
    assert!(second.has("vocab.txt"));
    second.write_bytes("vocab.txt", b"new").unwrap();
    second.finish(&"config").unwrap();
    assert_eq!(fs::read(folder.join("vocab.txt")).unwrap(), b"new");
    verify(folder).unwrap();
}

#[test]
fn one_process_writes_a_folder_at_a_time() {
    let temporary = tempfile::tempdir().unwrap();
    let first = PartialFolder::open(temporary.path(), &"plan").unwrap();
    let error = PartialFolder::open(temporary.path(), &"plan").unwrap_err();
    assert!(matches!(error, FolderError::Locked { .. }), "{error}");
    drop(first);
    PartialFolder::open(temporary.path(), &"plan").unwrap();
}

#[test]
fn a_disk_that_is_too_small_is_refused_before_the_work() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = PartialFolder::open(temporary.path(), &"plan").unwrap();
    folder.check_space(1000).unwrap();
    let error = folder.check_space(1 << 60).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("1152921504.7 GB are needed"), "{text}");
}

#[test]
fn changed_files_are_found() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut writer = PartialFolder::open(folder, &"plan").unwrap();
    writer.write_bytes("vocab.txt", b"words").unwrap();
    writer.finish(&"config").unwrap();
    verify(folder).unwrap();
    fs::write(folder.join("vocab.txt"), "Words").unwrap();
    let text = verify(folder).unwrap_err().to_string();
    assert!(text.contains("vocab.txt: the file has changed"), "{text}");
}

#[test]
fn a_source_that_is_cut_off_leaves_no_file() {
    let temporary = tempfile::tempdir().unwrap();
    let source = source(temporary.path());
    let folder = temporary.path().join("model");
    let file = WeightFile::open(&source).unwrap();
    let open = fs::OpenOptions::new().write(true).open(&source).unwrap();
    open.set_len(3 * TENSOR_BYTES as u64).unwrap();
    let mut target = PartialFolder::open(&folder, &"plan").unwrap();
    let small = options(Precision::AsStored, TENSOR_BYTES);
    let error = convert(&file, &mut target, "model", &selection(), &small).unwrap_err();
    assert!(
        matches!(&error, WeightsError::Tensor { path, .. } if *path == source),
        "{error}"
    );
    assert!(target.has("model-00002-of-00003.safetensors"));
    assert!(!target.has("model-00003-of-00003.safetensors"));
    assert!(!folder.join("config.json").exists());
}
