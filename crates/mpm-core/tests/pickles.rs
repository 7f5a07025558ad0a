//! Checkpoints as `torch.save` pickles them, and pickles that would do harm.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use mpm_core::weights::{WeightFile, WeightsError};
use safetensors::{Dtype, tensor::TensorView};

fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
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
