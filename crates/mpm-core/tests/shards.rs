//! Models in several files.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{fs, path::Path};

use burn::tensor::{DType, TensorData};
use mpm_core::{
    pretrained::PretrainedFolder,
    weights::{Format, WeightFile, WeightsError},
};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;

const INDEX: &str = "model.safetensors.index.json";

/// Writes vectors of one element.
fn shard(folder: &Path, name: &str, tensors: &[(&str, f32)]) {
    let bytes: Vec<_> = tensors
        .iter()
        .map(|(_, value)| value.to_le_bytes())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((key, _), bytes)| {
        let view = TensorView::new(Dtype::F32, vec![1], bytes).unwrap();
        (*key, view)
    });
    safetensors::serialize_to_file(views, None, &folder.join(name)).unwrap();
}

fn index(folder: &Path, weight_map: &[(&str, &str)]) {
    let map: serde_json::Map<_, _> = weight_map
        .iter()
        .map(|&(key, file)| (key.to_owned(), file.into()))
        .collect();
    let index = json!({"metadata": {"total_size": 12}, "weight_map": map});
    fs::write(folder.join(INDEX), index.to_string()).unwrap();
}

/// Two shards of three tensors, and their index.
fn model(folder: &Path) {
    shard(folder, "1.safetensors", &[("a", 1.0), ("c", 3.0)]);
    shard(folder, "2.safetensors", &[("b", 2.0)]);
    index(
        folder,
        &[
            ("a", "1.safetensors"),
            ("b", "2.safetensors"),
            ("c", "1.safetensors"),
        ],
    );
}

fn open(folder: &Path) -> Result<WeightFile, WeightsError> {
    WeightFile::open(folder.join(INDEX))
}

#[test]
fn an_index_opens_as_one_file() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    let file = open(folder.path()).unwrap();
    assert_eq!(file.format(), Format::Sharded);
    assert_eq!(file.byte_len(), 12);
    let values = file.tensors().iter().map(|(key, tensor)| {
        let value: Vec<f32> = tensor.read().unwrap().to_vec().unwrap();
        (key.as_str(), value[0])
    });
    assert!(values.eq([("a", 1.0), ("b", 2.0), ("c", 3.0)]));
    let pretrained = PretrainedFolder::open(folder.path()).unwrap();
    assert_eq!(pretrained.weights().unwrap().tensors().len(), 3);
}

#[test]
fn missing_shards_are_named() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    fs::remove_file(folder.path().join("2.safetensors")).unwrap();
    let text = open(folder.path()).unwrap_err().to_string();
    let expected = "1 of the 2 files that it names are missing: 2.safetensors";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn mixed_up_shards_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    model(path);
    fs::rename(path.join("1.safetensors"), path.join("3")).unwrap();
    fs::rename(path.join("2.safetensors"), path.join("1.safetensors")).unwrap();
    fs::rename(path.join("3"), path.join("2.safetensors")).unwrap();
    let error = open(path).unwrap_err();
    let WeightsError::MixedShards { misplaced, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(misplaced.len(), 3);
    let text = error.to_string();
    assert!(text.contains("`a` should be in 1.safetensors"), "{text}");
}

#[test]
fn what_the_index_does_not_mention_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    let more = [("b", 2.0), ("stray", 9.0), ("a", 7.0)];
    shard(folder.path(), "2.safetensors", &more);
    let file = open(folder.path()).unwrap();
    assert!(file.tensors().keys().eq(["a", "b", "c", "stray"]));
    // As the index has it, and not from the shard that should not have it.
    let a = file.tensors()["a"].read().unwrap();
    assert_eq!(a, TensorData::from([1.0_f32]));
}

#[test]
fn a_damaged_shard_is_named() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    let path = folder.path().join("2.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let text = open(folder.path()).unwrap_err().to_string();
    assert!(text.contains("2.safetensors: safetensors header"), "{text}");
}

#[test]
fn an_index_leads_nowhere_else() {
    let outside = tempfile::tempdir().unwrap();
    shard(outside.path(), "1.safetensors", &[("a", 1.0)]);
    let folder = outside.path().join("model");
    fs::create_dir(&folder).unwrap();
    for file in ["../1.safetensors", "/etc/passwd", "./../1.safetensors"] {
        index(&folder, &[("a", file)]);
        let text = open(&folder).unwrap_err().to_string();
        assert!(text.contains("outside of the folder"), "{text}");
    }
}

#[test]
fn other_json_is_no_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, r#"{"hidden_size": 1}"#).unwrap();
    let text = WeightFile::open(&path).unwrap_err().to_string();
    assert!(text.contains("config.json: no index"), "{text}");
    assert!(text.contains("missing field `weight_map`"), "{text}");
}

#[test]
fn a_file_that_is_cut_off_while_it_is_open_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let values = vec![0; 1 << 20];
    let view = TensorView::new(Dtype::U8, vec![1 << 20], &values).unwrap();
    safetensors::serialize_to_file([("a", view)], None, &path).unwrap();
    let file = WeightFile::open(&path).unwrap();
    let open = fs::OpenOptions::new().write(true).open(&path).unwrap();
    open.set_len(1000).unwrap();
    let error = file.tensors()["a"].read().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

/// More values than are read at a time, through each pair of dtypes.
#[test]
fn values_are_cast_as_burn_casts_them() {
    const COUNT: usize = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let wide: Vec<f32> = (0..COUNT)
        .map(|i| (i as f32 - 1e5) * 1.000_123e-3)
        .collect();
    let wide = TensorData::new(wide, [3, COUNT / 3]);
    for (stored, dtype) in [
        (DType::F64, Dtype::F64),
        (DType::F32, Dtype::F32),
        (DType::F16, Dtype::F16),
        (DType::BF16, Dtype::BF16),
    ] {
        let data = wide.clone().convert_dtype(stored);
        let view = TensorView::new(dtype, vec![3, COUNT / 3], data.as_bytes()).unwrap();
        safetensors::serialize_to_file([("a", view)], None, &path).unwrap();
        let file = WeightFile::open(&path).unwrap();
        for target in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let read = file.tensors()["a"].read_as(target).unwrap();
            let expected = data.clone().convert_dtype(target);
            assert!(read == expected, "{stored:?} as {target:?}");
        }
    }
}

#[test]
fn finite_values_never_become_infinite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let read = |stored: DType, dtype: Dtype, value: f64, target: DType| {
        let data = TensorData::from([1.0, -value, f64::INFINITY]).convert_dtype(stored);
        let view = TensorView::new(dtype, vec![3], data.as_bytes()).unwrap();
        safetensors::serialize_to_file([("a", view)], None, &path).unwrap();
        let file = WeightFile::open(&path).unwrap();
        file.tensors()["a"].read_as(target)
    };
    for (stored, dtype) in [(DType::F64, Dtype::F64), (DType::F32, Dtype::F32)] {
        for (target, most, beyond) in [
            (DType::F16, 65_519.0, 65_520.0),
            (DType::BF16, 3.396e38, 3.3963e38),
        ] {
            let values = read(stored, dtype, most, target).unwrap();
            let values: Vec<f64> = values.iter().collect();
            assert!(values[1].is_finite() && values[2].is_infinite());
            let error = read(stored, dtype, beyond, target).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
            assert!(error.to_string().contains("bf16"), "{error}");
        }
    }
    assert!(read(DType::BF16, Dtype::BF16, 1e5, DType::F16).is_err());
    assert!(read(DType::F16, Dtype::F16, 6e4, DType::BF16).is_ok());
}
