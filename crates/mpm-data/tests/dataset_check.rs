//! What is found in a data set's files before they are read.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use std::{io::Write, path::Path};

use common::{config, picture, tar, write};
use flate2::{Compression, write::GzEncoder};
use mpm_data::{
    DataError,
    dataset::{Columns, DatasetConfig, DatasetError, DatasetFormat, Fault, MixMember},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

/// What is wrong with the second of two files, of which the first is whole.
fn refusal(
    folder: &Path,
    format: DatasetFormat,
    first: impl AsRef<[u8]>,
    second: impl AsRef<[u8]>,
) -> String {
    let files = [
        write(folder, "first", first),
        write(folder, "second", second),
    ];
    match config(format, &files).check() {
        Err(DataError::Dataset { path, source }) => {
            assert_eq!(path, files[1]);
            source.to_string()
        }
        other => panic!("{other:?}"),
    }
}

fn accepts(folder: &Path, format: DatasetFormat, content: impl AsRef<[u8]>) {
    let file = write(folder, "whole", content);
    config(format, &[file]).check().unwrap();
}

/// Two examples, the second one with a name that needs an entry of its own.
fn archive() -> Vec<u8> {
    let long = format!("{}.png", "long".repeat(40));
    tar(&[
        ("1.png", picture()),
        ("1.txt", b"a dog".to_vec()),
        (&long, picture()),
    ])
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_archive_is_cut_off_wherever_an_entry_is_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let format = DatasetFormat::Webdataset;
    let whole = archive();
    accepts(folder.path(), format, &whole);
    // Four entries of a header and a block, and two blocks of zeros.
    let entries = whole.len() - 2 * 512;
    assert_eq!(entries, 4 * 2 * 512);
    for length in 0..=entries {
        let cut = &whole[..length];
        // The third entry is the name of the fourth one.
        if [2 * 512, 4 * 512, entries].contains(&length) {
            accepts(folder.path(), format, cut);
            continue;
        }
        let error = refusal(folder.path(), format, &whole, cut);
        assert!(error.contains("damaged"), "{length}: {error}");
    }
    let error = refusal(folder.path(), format, &whole, &whole[..3 * 512 + 3]);
    assert!(
        error.contains("behind entry 1.txt: the file is cut off after 1539 bytes"),
        "{error}"
    );
    let error = refusal(folder.path(), format, &whole, "no archive".repeat(100));
    assert!(error.contains("at its head"), "{error}");
}

#[test]
fn an_archive_is_not_read_to_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_path("1.png").unwrap();
    // More than a test could read, and a file system with holes has room for.
    header.set_size(1 << 40);
    header.set_cksum();
    let path = write(folder.path(), "huge.tar", header.as_bytes());
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let dataset = config(DatasetFormat::Webdataset, &[path]);
    file.set_len(512 + (1 << 40) - 1).unwrap();
    let error = dataset.check().unwrap_err().to_string();
    assert!(error.contains("cut off"), "{error}");
    file.set_len(512 + (1 << 40)).unwrap();
    dataset.check().unwrap();
}

#[test]
fn zstandard_is_cut_off_wherever_a_block_is_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let format = DatasetFormat::Webdataset;
    // Blocks of all types: compressed, repeated and raw.
    let mut files = vec![
        ("1.txt", b"dog ".repeat(100)),
        ("2.txt", vec![b'x'; 1 << 19]),
    ];
    let mut noise = vec![0; 1 << 18];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut noise);
    files.push(("3.txt", noise));
    let whole = tar(&files);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&whole).unwrap();
    let with_checksum = encoder.finish().unwrap();
    let simple = zstd::encode_all(archive().as_slice(), 1).unwrap();
    let skippable = [b"\x50\x2A\x4D\x18\x03\0\0\0abc", simple.as_slice()].concat();
    let two_frames = [simple.as_slice(), &with_checksum].concat();
    let frames = [0, simple.len()];
    for (packed, ends) in [
        (&with_checksum, &[][..]),
        (&skippable, &[11]),
        (&two_frames, &frames[1..]),
    ] {
        accepts(folder.path(), format, packed);
        // Each length near the beginning, and some of the others.
        let lengths = (1..packed.len()).filter(|length| *length < 2000 || length % 997 == 0);
        for length in lengths.filter(|length| !ends.contains(length)) {
            let error = refusal(folder.path(), format, &simple, &packed[..length]);
            assert!(error.contains("damaged"), "{length}: {error}");
        }
    }
    let garbage = [simple.as_slice(), b"garbage"].concat();
    let error = refusal(folder.path(), format, &simple, garbage);
    assert!(error.contains("no frame of Zstandard"), "{error}");
}

#[test]
fn a_cut_of_gzip_is_met_where_the_file_ends() {
    let folder = tempfile::tempdir().unwrap();
    let whole = gzip(&archive());
    let cut = &whole[..whole.len() - 20];
    accepts(folder.path(), DatasetFormat::Webdataset, cut);
    let file = folder.path().join("whole");
    let dataset = config(DatasetFormat::Webdataset, std::slice::from_ref(&file));
    let last = dataset.open(&file).unwrap().last().unwrap();
    assert!(matches!(
        last,
        Err(Fault::Stop(DatasetError::Damaged { .. }))
    ));
    let error = refusal(
        folder.path(),
        DatasetFormat::Webdataset,
        &whole,
        gzip(&b"no archive".repeat(100)),
    );
    assert!(error.contains("at its head"), "{error}");
}

#[test]
fn json_has_to_be_closed() {
    let folder = tempfile::tempdir().unwrap();
    let llava = json!([{"image": "a", "conversations": []}]).to_string() + " \n";
    let coco = json!({"images": [], "annotations": [{"image_id": 1, "caption": "a"}]}).to_string();
    let line = json!({"image": "a", "caption": "b"}).to_string();
    let lines = format!("{line}\n{line}\n\n");
    for (format, whole, cut) in [
        (DatasetFormat::Llava, &llava, llava.len() - 6),
        (DatasetFormat::CocoCaptions, &coco, coco.len() - 5),
        (DatasetFormat::JsonLines, &lines, lines.len() - 4),
    ] {
        accepts(folder.path(), format, whole);
        let error = refusal(folder.path(), format, whole, &whole[..cut]);
        assert!(error.contains("cut off"), "{error}");
    }
    accepts(folder.path(), DatasetFormat::JsonLines, "");
    accepts(
        folder.path(),
        DatasetFormat::Csv,
        "image,caption\na,\"b\"\n",
    );
    let error = refusal(folder.path(), DatasetFormat::Llava, &llava, "");
    assert!(error.contains("at its head"), "{error}");
}

#[test]
fn missing_files_columns_and_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let table = "image,caption\na,b\n";
    let error = refusal(
        folder.path(),
        DatasetFormat::Csv,
        table,
        "image,captoin\na,b\n",
    );
    assert!(error.contains("is it `captoin`?"), "{error}");

    let first = write(folder.path(), "first.csv", table);
    let check = |dataset: DatasetConfig| dataset.check().unwrap_err().to_string();
    let missing = folder.path().join("missing.csv");
    let error = check(config(DatasetFormat::Csv, &[first.clone(), missing]));
    assert!(error.contains("missing.csv"), "{error}");
    let mut dataset = config(DatasetFormat::Csv, &[first]);
    dataset.pictures = Some(folder.path().join("train2017"));
    assert!(check(dataset).contains("train2017"));
}

#[test]
fn columns_that_the_configuration_names_have_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let check = |header: &str, change: fn(&mut Columns)| {
        let table = format!("{header}\n");
        let mut dataset = config(
            DatasetFormat::Csv,
            &[write(folder.path(), "table.csv", table)],
        );
        change(&mut dataset.columns);
        dataset.check().map_err(|error| error.to_string())
    };
    let translated = |columns: &mut Columns| {
        columns.translations = [("zh".to_owned(), "zh".to_owned())].into();
    };
    let renamed = |columns: &mut Columns| columns.caption = "text".into();
    let plain = |_: &mut Columns| ();
    check("image,caption,zh", translated).unwrap();
    check("image,conversations,zh", translated).unwrap();
    check("image,text", renamed).unwrap();
    check("image,question,answer", plain).unwrap();
    check("image,conversations,question", plain).unwrap();
    type Change = fn(&mut Columns);
    let refused: [(&str, Change, &str); 5] = [
        ("image,caption,zn", translated, "zh"),
        ("image,conversations,caption", renamed, "text"),
        ("image,question", plain, "answer"),
        ("image,question,caption", plain, "answer"),
        ("image,answer", plain, "caption"),
    ];
    for (header, change, missing) in refused {
        let error = check(header, change).unwrap_err();
        let expected = format!("there is no column `{missing}`");
        assert!(error.contains(&expected), "{header}: {error}");
    }
}

#[test]
fn the_first_bad_file_of_many_is_named_with_its_member() {
    let folder = tempfile::tempdir().unwrap();
    let whole = archive();
    for number in 0..200 {
        let length = whole.len() - 1500 * usize::from(number >= 57);
        write(folder.path(), &format!("{number:03}.tar"), &whole[..length]);
    }
    let member = MixMember {
        name: "many".into(),
        weight: 1.0,
        dataset: config(DatasetFormat::Webdataset, &[folder.path().join("*.tar")]),
    };
    let error = member.check().unwrap_err().to_string();
    assert!(
        error.contains("`many` of the mixture") && error.contains("057.tar"),
        "{error}"
    );
}
