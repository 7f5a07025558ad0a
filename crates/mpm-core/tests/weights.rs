//! Weight files as PyTorch and others write them, and files that are none.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::{
    backend::Flex,
    module::{Module, Param, ParamId},
    nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig},
    tensor::{Bool, DType, Int, Tensor, backend::Backend},
};
use mpm_core::weights::{
    Format, KeyMap, LoadOptions, ParameterKind, Precision, WeightFile, WeightsError, check, load,
    module_keys, save,
};
use proptest::prelude::*;
use safetensors::{Dtype, tensor::TensorView};

fn fixtures() -> PathBuf {
    std::env::var_os("MPM_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures"),
        PathBuf::from,
    )
}

fn checkpoint(name: &str) -> PathBuf {
    fixtures().join("i_checkpoints").join(name)
}

fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[derive(Module, Debug)]
struct Block<B: Backend> {
    proj: Linear<B>,
    norm: LayerNorm<B>,
    layers: Vec<Linear<B>>,
    query: Param<Tensor<B, 2>>,
}

fn block() -> Block<Flex> {
    let device = Default::default();
    Block {
        proj: LinearConfig::new(3, 5).init(&device),
        norm: LayerNormConfig::new(5).init(&device),
        layers: vec![LinearConfig::new(5, 2).with_bias(false).init(&device)],
        query: Param::from_data([[1.0, 2.0], [3.0, 4.0]], &device),
    }
}

#[test]
fn torch_containers_hold_the_same_tensors() {
    let zip = WeightFile::open(checkpoint("chat_a.pt")).unwrap();
    assert_eq!(zip.format(), Format::TorchZip);
    let bin = WeightFile::open(checkpoint("chat_a_pytorch_model.bin")).unwrap();
    let legacy = WeightFile::open(checkpoint("chat_a_legacy.pt")).unwrap();
    assert_eq!(legacy.format(), Format::TorchLegacy);
    assert!(zip.tensors().len() > 100);
    for other in [&bin, &legacy] {
        assert!(zip.tensors().keys().eq(other.tensors().keys()));
        for (key, tensor) in zip.tensors() {
            assert_eq!(
                tensor.read().unwrap(),
                other.tensors()[key].read().unwrap(),
                "{key}"
            );
        }
    }
}

#[test]
fn views_and_dtypes_are_read_as_pytorch_means_them() {
    let expected = WeightFile::open(fixtures().join("i_ckpt_chat_a.safetensors")).unwrap();
    assert_eq!(expected.format(), Format::Safetensors);
    let mixed = WeightFile::open(checkpoint("chat_a_parameters_f32_bf16_mixed.pt")).unwrap();
    let mut compared = 0;
    for (key, tensor) in expected.tensors() {
        let Some(key) = key.strip_prefix("mixed.") else {
            continue;
        };
        // The fixture stores what safetensors lacks in a wider dtype.
        let ours = mixed.tensors()[key].read().unwrap().convert::<f64>();
        let theirs = tensor.read().unwrap().convert::<f64>();
        assert_eq!(
            ours.to_vec::<f64>().unwrap(),
            theirs.to_vec::<f64>().unwrap(),
            "{key}"
        );
        compared += 1;
    }
    assert!(compared >= 10, "the fixture lost its mixed.* tensors");
}

#[test]
fn a_saved_module_loads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("block.safetensors");
    let keys = KeyMap::new()
        .rename("q", "query")
        .rename("body.proj", "proj");
    let original = block();
    save(&original, &path, &keys, Precision::AsStored).unwrap();
    let file = WeightFile::open(&path).unwrap();
    let names: Vec<_> = file.tensors().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "body.proj.bias",
            "body.proj.weight",
            "layers.0.weight",
            "norm.bias",
            "norm.weight",
            "q"
        ]
    );
    assert_eq!(file.tensors()["body.proj.weight"].shape(), [5, 3]);
    let options = LoadOptions {
        keys,
        ..Default::default()
    };
    let loaded = load(block(), &file, &options).unwrap();
    assert_eq!(
        original.proj.weight.val().to_data(),
        loaded.proj.weight.val().to_data()
    );
    assert_eq!(original.query.val().to_data(), loaded.query.val().to_data());
}

#[test]
fn precision_is_kept_or_cast() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    save(&block(), &path, &KeyMap::new(), Precision::Cast(DType::F16)).unwrap();
    let file = WeightFile::open(&path).unwrap();
    let kept = load(block(), &file, &LoadOptions::default()).unwrap();
    assert_eq!(kept.proj.weight.val().dtype(), DType::F16);
    let options = LoadOptions {
        precision: Precision::Cast(DType::F32),
        ..Default::default()
    };
    let cast = load(block(), &file, &options).unwrap();
    assert_eq!(cast.proj.weight.val().dtype(), DType::F32);
}

#[test]
fn numbers_that_would_become_infinite_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    save(&block(), &path, &KeyMap::new(), Precision::Cast(DType::F16)).unwrap();
    let before = fs::read(&path).unwrap();
    let device = Default::default();
    let large = Block {
        query: Param::from_data([[1.0, 65_519.0], [65_520.0, 4.0]], &device),
        ..block()
    };
    let error = save(&large, &path, &KeyMap::new(), Precision::Cast(DType::F16)).unwrap_err();
    let WeightsError::Tensor { key, reason, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(key, "query");
    assert!(reason.contains("bf16"), "{reason}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    save(&large, &path, &KeyMap::new(), Precision::Cast(DType::BF16)).unwrap();
}

#[test]
fn all_mismatches_are_reported_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("block.safetensors");
    let keys = KeyMap::new().rename("proj_in", "proj");
    save(&block(), &path, &keys, Precision::AsStored).unwrap();
    let mut module = block();
    module.query = Param::from_data([[1.0], [2.0]], &Default::default());
    let file = WeightFile::open(&path).unwrap();
    let error = load(module, &file, &LoadOptions::default()).unwrap_err();
    let WeightsError::Mismatch { report, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(report.missing, ["proj.bias", "proj.weight"]);
    assert_eq!(report.unused, ["proj_in.bias", "proj_in.weight"]);
    assert_eq!(
        report.misshapen,
        [("query".to_string(), vec![2, 1], vec![2, 2])]
    );
    assert!(error.to_string().contains("the file has proj_in.weight"));
}

#[derive(Module, Debug)]
struct Kinds<B: Backend> {
    float: Param<Tensor<B, 1>>,
    int: Param<Tensor<B, 1, Int>>,
    bool: Param<Tensor<B, 1, Bool>>,
}

fn kinds() -> Kinds<Flex> {
    let device = Default::default();
    let int = Tensor::<Flex, 1, Int>::from_ints([0, 0], &device);
    Kinds {
        float: Param::from_data([0.0, 0.0], &device),
        bool: Param::initialized(ParamId::new(), int.clone().equal_elem(1)),
        int: Param::initialized(ParamId::new(), int),
    }
}

/// A file of tensors of two elements each, which are all bytes of 1.
fn ones(folder: &tempfile::TempDir, tensors: &[(&str, Dtype)]) -> WeightFile {
    static ONES: [u8; 16] = [1; 16];
    let path = folder.path().join("ones.safetensors");
    let views = tensors.iter().map(|&(name, dtype)| {
        let bytes = &ONES[..2 * dtype.bitsize() / 8];
        (name, TensorView::new(dtype, vec![2], bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, &path).unwrap();
    WeightFile::open(path).unwrap()
}

#[test]
fn parameters_take_values_of_their_kind_only() {
    let folder = tempfile::tempdir().unwrap();
    let fits = [
        ("float", Dtype::F16),
        ("int", Dtype::I64),
        ("bool", Dtype::BOOL),
    ];
    let loaded = load(kinds(), &ones(&folder, &fits), &LoadOptions::default()).unwrap();
    assert_eq!(loaded.float.val().dtype(), DType::F16);
    assert_eq!(
        loaded.int.val().into_data(),
        [0x0101_0101_0101_0101_i64; 2].into()
    );
    let truths = loaded.bool.val().into_data();
    assert!(truths.iter::<bool>().eq([true, true]));
    for (name, kind, dtype) in [
        ("float", ParameterKind::Float, Dtype::I8),
        ("float", ParameterKind::Float, Dtype::U8),
        ("float", ParameterKind::Float, Dtype::I64),
        ("float", ParameterKind::Float, Dtype::BOOL),
        ("int", ParameterKind::Int, Dtype::F32),
        ("int", ParameterKind::Int, Dtype::BOOL),
        ("bool", ParameterKind::Bool, Dtype::U8),
        ("bool", ParameterKind::Bool, Dtype::F64),
    ] {
        let stored = fits.map(|(known, fitting)| match known == name {
            true => (known, dtype),
            false => (known, fitting),
        });
        let file = ones(&folder, &stored);
        let loaded = load(kinds(), &file, &LoadOptions::default()).map(drop);
        for result in [check(&kinds(), &file, &KeyMap::new()), loaded] {
            let error = result.unwrap_err();
            let WeightsError::Mismatch { report, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(report.mistyped, [(name.to_string(), kind, dtype)]);
            assert_eq!(report.matching, 2);
            let needs = format!("{name}: the model needs {kind}, the file has {dtype:?}");
            assert!(error.to_string().contains(&needs), "{error}");
        }
    }
}

#[test]
fn two_tensors_of_one_parameter_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = ones(
        &folder,
        &[
            ("bool", Dtype::BOOL),
            ("float", Dtype::F32),
            ("int", Dtype::I32),
            ("old.float", Dtype::F32),
        ],
    );
    let keys = KeyMap::new().rename("old", "");
    let error = check(&kinds(), &file, &keys).unwrap_err();
    let WeightsError::Mismatch { report, .. } = &error else {
        panic!("{error}");
    };
    let pair = ("old.float".to_string(), "float".to_string());
    assert_eq!(report.duplicate, [pair]);
    assert_eq!(report.matching, 3);
    let twice = "old.float: it fills what float fills";
    assert!(error.to_string().contains(twice), "{error}");
}

#[test]
fn keys_are_listed_as_pytorch_shapes() {
    let keys = module_keys(&block());
    assert_eq!(keys["proj.weight"], [5, 3]);
    assert_eq!(keys["norm.weight"], [5]);
    assert_eq!(keys.len(), 6);
}

#[test]
fn a_fused_projection_becomes_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fused.safetensors");
    let values: Vec<u8> = (0..12_u8)
        .flat_map(|value| f32::from(value).to_le_bytes())
        .collect();
    let view = |shape: &[usize]| {
        let bytes = shape.iter().product::<usize>() * size_of::<f32>();
        TensorView::new(Dtype::F32, shape.to_vec(), &values[..bytes]).unwrap()
    };
    let tensors = [
        ("in_proj_weight", view(&[6, 2])),
        ("in_proj_bias", view(&[6])),
        ("odd", view(&[4, 3])),
        ("scalar", view(&[])),
    ];
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let mut file = WeightFile::open(&path).unwrap();
    let names = |suffix: &str| ["q", "k", "v"].map(|name| format!("{name}.{suffix}"));
    file.split_rows("in_proj_weight", &names("weight"));
    file.split_rows("in_proj_bias", &names("bias"));
    // What does not divide, or is not there, stays as it is.
    file.split_rows("odd", &names("odd"));
    file.split_rows("scalar", &names("scalar"));
    file.split_rows("odd", &[]);
    file.split_rows("missing", &names("missing"));

    let found: Vec<&str> = file.tensors().keys().map(String::as_str).collect();
    let expected = [
        "k.bias", "k.weight", "odd", "q.bias", "q.weight", "scalar", "v.bias", "v.weight",
    ];
    assert_eq!(found, expected);
    let read = |name: &str| file.tensors()[name].read().unwrap();
    for (i, name) in ["q", "k", "v"].iter().enumerate() {
        let first = (4 * i) as f32;
        let weight = read(&format!("{name}.weight"));
        assert_eq!(weight.shape.to_vec(), [2, 2]);
        let expected: Vec<f32> = (0..4_u8).map(|j| first + f32::from(j)).collect();
        assert_eq!(weight.to_vec::<f32>().unwrap(), expected, "{name}");
        let first = (2 * i) as f32;
        let bias = read(&format!("{name}.bias")).to_vec::<f32>().unwrap();
        assert_eq!(bias, [first, first + 1.0], "{name}");
    }
    assert_eq!(file.byte_len(), 4 * (12 + 6 + 12 + 1));
}

#[test]
fn other_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, expected) in [
        ("text.pt", &b"hello, this is a letter"[..], "a text file"),
        ("empty.pt", b"", "an empty file"),
        ("picture.pt", b"\x89PNG\r\n\x1a\n0000", "a PNG picture"),
        ("lfs.pt", b"version https://git-lfs.github.com", "LFS"),
        // A pickle would begin as this does, but it would name a module and a class here.
        (
            "colours.pt",
            b"colours of the rainbow\nred and blue\nindigo\nviolet\n",
            "a text file",
        ),
        ("noise.pt", b"\x00\x01\x02\xFE\xFF", "unknown kind"),
    ] {
        let error = WeightFile::open(write(&folder, name, bytes)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(name), "{text}");
    }
    assert!(matches!(
        WeightFile::open(folder.path().join("absent")).unwrap_err(),
        WeightsError::Io { .. }
    ));
    let error = WeightFile::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("a folder"), "{error}");
}

#[test]
fn a_cut_file_is_damaged_wherever_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["chat_a.pt", "chat_a_legacy.pt"] {
        let whole = fs::read(checkpoint(name)).unwrap();
        for tenth in 1..10 {
            let path = write(&folder, "cut.pt", &whole[..whole.len() * tenth / 10]);
            let error = WeightFile::open(path).unwrap_err();
            assert!(
                matches!(error, WeightsError::Damaged { .. }),
                "{name}: {error}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_open_or_fail_but_never_panic(
        head in prop::sample::select(vec![
            &b""[..], b"\x80\x02", b"PK\x03\x04", b"\x40\0\0\0\0\0\0\0{",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(&folder, "any", &[head, &tail].concat());
        let _ = WeightFile::open(path);
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0usize..95_671, value: u8) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = fs::read(checkpoint("chat_a_legacy.pt")).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(file) = WeightFile::open(write(&folder, "flipped.pt", &bytes)) {
            for tensor in file.tensors().values() {
                let _ = tensor.read();
            }
        }
    }
}

#[test]
fn scalars_fill_vectors_of_one_element() {
    #[derive(Module, Debug)]
    struct Scale<B: Backend> {
        logit_scale: Param<Tensor<B, 1>>,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scalar.safetensors");
    let value = 2.5_f32.to_le_bytes();
    let scalar = TensorView::new(Dtype::F32, vec![], &value);
    safetensors::serialize_to_file([("logit_scale", scalar.unwrap())], None, &path).unwrap();
    let file = WeightFile::open(&path).unwrap();

    let device = Default::default();
    let fresh = |size| Scale::<Flex> {
        logit_scale: Param::from_tensor(Tensor::zeros([size], &device)),
    };
    let loaded = load(fresh(1), &file, &LoadOptions::default()).unwrap();
    assert_eq!(loaded.logit_scale.val().into_data(), [2.5_f32].into());
    // Not more than one element.
    let error = load(fresh(2), &file, &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
}
