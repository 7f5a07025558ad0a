//! Weight files as PyTorch and others write them, and files that are none.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking and reports by printing"
)]

use std::{
    fs,
    io::Write,
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

/// A file as `torch.save` writes it: this pickle, and a storage `0` of four bytes.
fn archive(folder: &tempfile::TempDir, pickle: &[u8]) -> PathBuf {
    let path = folder.path().join("archive.pt");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in [("data.pkl", pickle), ("data/0", &2.5_f32.to_le_bytes())] {
        zip.start_file(format!("archive/{name}"), stored).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    path
}

/// These parts in a row.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The instruction that pushes a text.
fn text(content: &str) -> Vec<u8> {
    let length = (content.len() as u32).to_le_bytes();
    joined(&[b"X", &length, content.as_bytes()])
}

/// The instructions that push a dict.
fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter();
    let entries: Vec<_> = entries
        .map(|(key, value)| joined(&[&text(key), value]))
        .collect();
    joined(&[b"}(", &entries.concat(), b"u"])
}

/// The instructions that push a tensor with the one element of storage `0`, of this class and of
/// so many dimensions.
fn tensor(class: &str, rank: usize) -> Vec<u8> {
    let class = format!("ctorch\n{class}\n");
    let storage = joined(&[
        b"(",
        &text("storage"),
        class.as_bytes(),
        &text("0"),
        &text("cpu"),
        b"K\x01NtQ",
    ]);
    let shape = joined(&[b"(", &b"K\x01".repeat(rank), b"t"]);
    joined(&[
        b"ctorch._utils\n_rebuild_tensor_v2\n(",
        &storage,
        b"K\0",
        &shape,
        &shape,
        b"\x89NtR",
    ])
}

/// The pickle whose result these instructions push.
fn pickled(instructions: &[u8]) -> Vec<u8> {
    joined(&[b"\x80\x02", instructions, b"."])
}

/// A file as `torch.save` of the first releases wrote it, with storages of four bytes.
fn legacy(folder: &tempfile::TempDir, checkpoint: &[u8], storages: &[&str]) -> PathBuf {
    let magic = b"\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    let keys: Vec<_> = storages.iter().map(|key| text(key)).collect();
    let order = joined(&[b"](", &keys.concat(), b"e"]);
    let pickles: [&[u8]; 5] = [magic, b"M\xe9\x03", b"}", checkpoint, &order];
    let values = joined(&[&1_u64.to_le_bytes(), &2.5_f32.to_le_bytes()]);
    let content = joined(&[
        &pickles.map(pickled).concat(),
        &values.repeat(storages.len()),
    ]);
    write(folder, "legacy.pt", &content)
}

#[test]
fn the_model_is_found_in_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let size = b"ctorch\nSize\n)\x85R".to_vec();
    let model = dict(&[("weight", tensor("FloatStorage", 2))]);
    let checkpoint = dict(&[
        ("model", text("the name of the model")),
        ("size", size),
        ("model_state_dict", model),
    ]);
    for path in [
        archive(&folder, &pickled(&checkpoint)),
        legacy(&folder, &checkpoint, &["0"]),
    ] {
        let file = WeightFile::open(path).unwrap();
        assert!(file.tensors().keys().eq(["weight"]));
        let values = file.tensors()["weight"].read().unwrap();
        assert_eq!(values, [[2.5_f32]].into());
    }
}

/// The instructions that push a NumPy scalar, `module` being NumPy's of that time.
fn scalar(module: &str) -> Vec<u8> {
    let dtype = joined(&[
        b"cnumpy\ndtype\n",
        &text("f8"),
        b"K\0K\x01\x87R(K\x03",
        &text("<"),
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
    ]);
    let bytes = joined(&[
        b"c_codecs\nencode\n",
        &text("\0\0\0\0\0\0\u{f8}?"),
        &text("latin1"),
        b"\x86R",
    ]);
    let name = format!("c{module}\nscalar\n");
    joined(&[name.as_bytes(), &dtype, &bytes, b"\x86R"])
}

#[test]
fn scores_of_numpy_beside_the_model_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    for module in ["numpy.core.multiarray", "numpy._core.multiarray"] {
        let checkpoint = dict(&[
            ("best_model_score", scalar(module)),
            ("state_dict", dict(&[("weight", tensor("FloatStorage", 1))])),
        ]);
        for path in [
            archive(&folder, &pickled(&checkpoint)),
            legacy(&folder, &checkpoint, &["0"]),
        ] {
            let file = WeightFile::open(path).unwrap();
            assert!(file.tensors().keys().eq(["weight"]));
        }
    }
}

/// An empty tensor needs no storage, whatever its strides say.
#[test]
fn strides_of_nothing_may_be_any() {
    let folder = tempfile::tempdir().unwrap();
    let huge = joined(&[b"\x8a\x08", &(1_u64 << 62).to_le_bytes()]);
    let empty = joined(&[
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text("0"),
        &text("cpu"),
        b"K\x01NtQK\0K\x03K\0\x86",
        &huge,
        b"K\x01\x86\x89NtR",
    ]);
    let mut file = WeightFile::open(archive(&folder, &pickled(&dict(&[("w", empty)])))).unwrap();
    let values = file.tensors()["w"].read().unwrap();
    assert_eq!(values.shape.to_vec(), [3, 0]);
    let names = ["a", "b", "c"].map(str::to_owned);
    file.split_rows("w", &names);
    assert!(file.tensors().keys().eq(["w"]));
}

#[test]
fn a_checkpoint_without_tensors_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = dict(&[("epoch", b"K\x03".to_vec()), ("model", dict(&[]))]);
    for path in [
        archive(&folder, &pickled(&checkpoint)),
        legacy(&folder, &checkpoint, &[]),
    ] {
        let error = WeightFile::open(path).unwrap_err();
        assert!(matches!(error, WeightsError::NotWeights { .. }), "{error}");
        assert!(error.to_string().contains("without named tensors"));
    }
}

#[test]
fn unsupported_dtypes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = folder.path().join("f8.safetensors");
    let f8 = TensorView::new(Dtype::F8_E4M3, vec![2], &[1, 2]).unwrap();
    safetensors::serialize_to_file([("w", f8)], None, &bytes).unwrap();
    let complex = dict(&[("w", tensor("ComplexFloatStorage", 1))]);
    let new = b"ctorch._utils\n_rebuild_tensor_v3\n(NNNNNNctorch\nuint16\ntR".to_vec();
    for (path, dtype) in [
        (bytes, "F8_E4M3"),
        (archive(&folder, &pickled(&complex)), "ComplexFloatStorage"),
        (legacy(&folder, &complex, &["0"]), "ComplexFloatStorage"),
    ] {
        assert_unsupported(&path, dtype);
    }
    let new = archive(&folder, &pickled(&dict(&[("w", new)])));
    assert_unsupported(&new, "torch.uint16");
}

fn assert_unsupported(path: &Path, dtype: &str) {
    let error = WeightFile::open(path).unwrap_err();
    let WeightsError::Unsupported { feature, .. } = &error else {
        panic!("{error}");
    };
    assert!(
        feature.contains("`w`") && feature.contains(dtype),
        "{feature}"
    );
}

/// Pickles of a few kilobytes that would take megabytes, and of a few megabytes, gigabytes.
#[test]
fn pickles_that_ask_for_much_memory_are_refused() {
    let class = joined(&[&text(&"m".repeat(2000)), b"q\0", &text("name"), b"\x93"]);

    // A list of a thousand pairs, of which dicts are made again and again.
    let list = joined(&[
        &text("k"),
        b"K\x01\x86q\x000](",
        &b"h\0".repeat(1000),
        b"e\x85q\x01",
    ]);
    let copies = joined(&[
        &list,
        b"ccollections\nOrderedDict\nq\x02",
        &b"h\x02h\x01R".repeat(2000),
    ]);

    // Dicts within each other, all under one long name.
    let nested = joined(&[
        &text(&"k".repeat(5000)),
        b"q\0",
        &b"(h\0".repeat(200),
        b"}",
        &b"d".repeat(200),
    ]);

    let wide = dict(&[("w", tensor("FloatStorage", 65))]);
    let folder = tempfile::tempdir().unwrap();
    for (instructions, reason) in [
        (class, "name of a class is too long"),
        (copies, "more memory"),
        (nested, "more memory"),
        (wide, "too many dimensions"),
        // Not its thousand items, but what is wrong.
        (joined(&[&list, b")R"]), "neither class nor function"),
    ] {
        let error = WeightFile::open(archive(&folder, &pickled(&instructions))).unwrap_err();
        assert!(matches!(error, WeightsError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let most = dict(&[("w", tensor("FloatStorage", 64))]);
    let file = WeightFile::open(archive(&folder, &pickled(&most))).unwrap();
    assert_eq!(file.tensors()["w"].shape(), [1; 64]);
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
    let oldest = write(&folder, "oldest.pkl", b"cposix\nsystem\n(S'true'\ntR.");
    for path in [bare, oldest, archive(&folder, &bytes)] {
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
