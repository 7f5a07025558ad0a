//! Weight files as PyTorch and others write them, and files that are none.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking and reports by printing"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::{
    backend::Flex,
    module::{Module, Param},
    nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig},
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::weights::{
    Format, KeyMap, LoadOptions, Precision, WeightFile, WeightsError, load, module_keys, save,
};
use proptest::prelude::*;

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
            assert_eq!(tensor.read(), other.tensors()[key].read(), "{key}");
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
        let ours = mixed.tensors()[key].read().convert::<f64>();
        let theirs = tensor.read().convert::<f64>();
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

#[test]
fn keys_are_listed_as_pytorch_shapes() {
    let keys = module_keys(&block());
    assert_eq!(keys["proj.weight"], [5, 3]);
    assert_eq!(keys["norm.weight"], [5]);
    assert_eq!(keys.len(), 6);
}

#[test]
fn other_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, expected) in [
        ("text.pt", &b"hello, this is a letter"[..], "a text file"),
        ("empty.pt", b"", "an empty file"),
        ("picture.pt", b"\x89PNG\r\n\x1a\n0000", "a PNG picture"),
        ("lfs.pt", b"version https://git-lfs.github.com", "LFS"),
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
}

/// `os.system("…")` as `pickle.dumps` writes it, bare and in a torch archive.
#[test]
fn code_in_a_pickle_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("executed");
    let command = format!("touch {}", marker.display());
    let mut bytes = b"\x80\x02cposix\nsystem\nX".to_vec();
    bytes.extend((command.len() as u32).to_le_bytes());
    bytes.extend(command.as_bytes());
    bytes.extend(b"\x85R.");
    let bare = write(&folder, "bare.pkl", &bytes);
    let archive = folder.path().join("archive.pt");
    let mut zip = zip::ZipWriter::new(fs::File::create(&archive).unwrap());
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("archive/data.pkl", stored).unwrap();
    std::io::Write::write_all(&mut zip, &bytes).unwrap();
    zip.finish().unwrap();
    for path in [bare, archive] {
        let error = WeightFile::open(path).unwrap_err();
        assert!(
            matches!(&error, WeightsError::ForeignCode { callable, .. } if callable == "posix.system"),
            "{error}"
        );
    }
    assert!(!marker.exists());
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
    let scalar = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![], &value);
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
