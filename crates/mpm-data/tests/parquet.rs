//! Parquet files as they are published, and damaged ones.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{fs, fs::File, path::Path, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use mpm_data::{
    DataError,
    dataset::{
        Columns, DatasetConfig, DatasetError, DatasetFormat, Example, ExampleText, Fault,
        PictureSource,
    },
    picture::Picture,
};
use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::{Value, json};

/// Values of a column, and whether they are there; with repetition levels, if it has any.
type Column<'a> = (Vec<Option<&'a [u8]>>, i16, Option<Vec<i16>>);

/// Writes a table in row groups.
fn write(path: &Path, schema: &str, groups: &[Vec<Column>], compression: Compression) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for columns in groups {
        let mut group = writer.next_row_group().unwrap();
        for (cells, depth, repetition) in columns {
            let levels: Vec<i16> = cells
                .iter()
                .map(|cell| depth - i16::from(cell.is_none()))
                .collect();
            let values = cells.iter().flatten();
            let values: Vec<ByteArray> = values.map(|value| value.to_vec().into()).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&levels), repetition.as_deref())
                .unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn config(format: DatasetFormat, file: &Path) -> DatasetConfig {
    DatasetConfig {
        format,
        files: vec![file.to_path_buf()],
        pictures: None,
        language: Some("en".into()),
        columns: Columns::default(),
    }
}

fn picture() -> Vec<u8> {
    let picture = Picture::from_rgb(1, 1, vec![1, 2, 3]).unwrap();
    picture.encode_png(&[]).unwrap()
}

fn read(config: &DatasetConfig) -> (Vec<Example>, Vec<String>) {
    let (mut examples, mut reports) = (Vec::new(), Vec::new());
    for item in config.open(&config.files[0]).unwrap() {
        match item {
            Ok(example) => examples.push(example),
            Err(Fault::Skip(bad)) => reports.push(bad.to_string()),
            Err(Fault::Stop(error)) => reports.push(format!("stopped: {error}")),
        }
    }
    (examples, reports)
}

/// Languages and captions, or questions and answers.
fn texts(example: &Example) -> Value {
    match &example.text {
        ExampleText::Captions(captions) => captions
            .iter()
            .map(|one| json!([one.language, one.text]))
            .collect(),
        ExampleText::Dialogue(dialogue) => {
            let turns = dialogue.turns.iter();
            turns
                .map(|turn| json!([turn.question, turn.answer]))
                .collect()
        }
    }
}

/// As Hugging Face's `datasets` has a feature `Image()`.
const CAPTIONS: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (UTF8); }
    optional binary en (UTF8); optional binary extra (UTF8); }";

#[test]
fn hugging_face_has_structs_of_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("train.parquet");
    let png = picture();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(Default::default()),
    ] {
        let group = |texts: [Option<&'static [u8]>; 3]| -> Vec<Column> {
            vec![
                (vec![Some(&png[..]), None, None], 2, None),
                (vec![None, Some(&b"x.png"[..]), None], 2, None),
                (texts.to_vec(), 1, None),
                (vec![None; 3], 1, None),
            ]
        };
        let groups = [
            group([Some(b"a dog"), Some(b"a cat"), Some(b"nothing")]),
            group([Some(b"a bird"), None, None]),
        ];
        write(&file, CAPTIONS, &groups, compression);
        let mut config = config(DatasetFormat::HuggingFace, &file);
        config.columns.caption = "en".into();
        let (examples, reports) = read(&config);
        let found: Vec<_> = examples.iter().map(texts).collect();
        assert_eq!(
            found,
            [
                json!([["en", "a dog"]]),
                json!([["en", "a cat"]]),
                json!([["en", "a bird"]])
            ]
        );
        assert_eq!(examples[0].pictures, [PictureSource::Bytes(png[..].into())]);
        let named = PictureSource::File(folder.path().join("x.png"));
        assert_eq!(examples[1].pictures, [named]);
        for (report, part) in reports.iter().zip([
            "row 2: it has no picture",
            "row 4: it has no text",
            "row 5: it has no picture",
        ]) {
            assert!(report.contains(part), "{report}");
        }
        assert_eq!(reports.len(), 3);
    }
}

#[test]
fn conversations_may_be_lists_of_structs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.parquet");
    let schema = "message schema { optional binary image (UTF8);
        optional group conversations (LIST) { repeated group list { optional group element {
            optional binary from (UTF8); optional binary value (UTF8); } } } }";
    // Rows of 2, 4, 2, 4, … utterances: more than are read at once.
    let (mut from, mut value, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    let said: Vec<_> = (0..60).map(|number| format!("text {number}")).collect();
    for row in 0..20 {
        for place in 0..(row % 2 + 1) * 2 {
            from.push(Some(if place % 2 == 0 {
                &b"human"[..]
            } else {
                b"gpt"
            }));
            value.push(Some(said[value.len()].as_bytes()));
            repetition.push(i16::from(place > 0));
        }
    }
    let columns: Vec<Column> = vec![
        (vec![Some(b"a.png"); 20], 1, None),
        (from, 4, Some(repetition.clone())),
        (value, 4, Some(repetition)),
    ];
    write(&file, schema, &[columns], Compression::SNAPPY);
    let (examples, reports) = read(&config(DatasetFormat::HuggingFace, &file));
    assert_eq!(reports, Vec::<String>::new());
    let turns: Vec<Value> = examples
        .iter()
        .flat_map(|one| texts(one).as_array().unwrap().clone())
        .collect();
    let pairs: Vec<_> = said.chunks(2).map(|pair| json!(pair)).collect();
    assert_eq!(turns, pairs);
    assert_eq!(texts(&examples[1]).as_array().unwrap().len(), 2);
}

#[test]
fn unimm_chat_and_viscpm_have_json_and_base64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.parquet");
    let (png, encoded) = (picture(), BASE64_STANDARD.encode(picture()));
    let said = |question: &str, answer: &str| {
        json!([{ "from": "human", "value": question }, { "from": "gpt", "value": answer }])
            .to_string()
    };
    let (en, zh) = (said("What?", "A bus."), said("什么？", "公交车。"));
    let schema =
        "message schema { optional binary image (UTF8); optional binary conversation (UTF8); }";
    let columns: Vec<Column> = vec![
        (
            vec![
                Some(encoded.as_bytes()),
                Some(b"*"),
                Some(encoded.as_bytes()),
            ],
            1,
            None,
        ),
        (
            vec![Some(en.as_bytes()), Some(en.as_bytes()), Some(b"[{")],
            1,
            None,
        ),
    ];
    write(&file, schema, &[columns], Compression::SNAPPY);
    let (examples, reports) = read(&config(DatasetFormat::UnimmChat, &file));
    assert_eq!(texts(&examples[0]), json!([["What?", "A bus."]]));
    assert_eq!(examples[0].pictures, [PictureSource::Bytes(png[..].into())]);
    assert!(
        reports[0].contains("row 1: a picture is not valid Base64"),
        "{reports:?}"
    );
    assert!(reports[1].contains("row 2: not an example"), "{reports:?}");

    let schema = "message schema { optional binary BUFFER; optional binary TEXT (UTF8);
        optional binary ZH_TEXT (UTF8); }";
    let columns: Vec<Column> = vec![
        (
            vec![Some(&png[..]), Some(encoded.as_bytes()), Some(&png[..])],
            1,
            None,
        ),
        (vec![Some(b"a bus"), Some(en.as_bytes()), None], 1, None),
        (
            vec![
                Some("一辆公交车".as_bytes()),
                Some(zh.as_bytes()),
                Some("车".as_bytes()),
            ],
            1,
            None,
        ),
    ];
    write(&file, schema, &[columns], Compression::SNAPPY);
    for (language, answer) in [("en", "A bus."), ("zh", "公交车。")] {
        let mut config = config(DatasetFormat::Viscpm, &file);
        config.language = Some(language.into());
        let (examples, reports) = read(&config);
        assert_eq!(reports, Vec::<String>::new());
        assert_eq!(
            texts(&examples[0]),
            json!([["en", "a bus"], ["zh", "一辆公交车"]])
        );
        assert_eq!(texts(&examples[1])[0][1], answer);
        assert_eq!(texts(&examples[2]), json!([["zh", "车"]]));
        assert_eq!(examples[1].pictures, [PictureSource::Bytes(png[..].into())]);
    }
    // One of the languages may have no column.
    for column in ["TEXT", "ZH_TEXT"] {
        let schema = format!(
            "message schema {{ optional binary BUFFER; optional binary {column} (UTF8); }}"
        );
        write(&file, &schema, &[], Compression::SNAPPY);
        config(DatasetFormat::Viscpm, &file).check().unwrap();
    }
}

#[test]
fn wrong_columns_and_damaged_files_are_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("train.parquet");
    let png = picture();
    let columns: Vec<Column> = vec![
        (vec![Some(&png[..])], 2, None),
        (vec![None], 2, None),
        (vec![Some(b"a dog")], 1, None),
        (vec![None], 1, None),
    ];
    write(&file, CAPTIONS, &[columns], Compression::SNAPPY);
    let mut config = config(DatasetFormat::HuggingFace, &file);
    config.columns.picture = "imgae".into();
    let error = config.open(&file).err().unwrap().to_string();
    assert_eq!(
        error,
        "there is no column `imgae`; there are image, en, extra (is it `image`?)"
    );
    config.columns = Columns::default();
    let error = config.open(&file).err().unwrap().to_string();
    assert_eq!(
        error,
        "there is no column `caption`; there are image, en, extra"
    );

    let whole = fs::read(&file).unwrap();
    config.columns.caption = "en".into();
    for length in [0, 3, 10, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let error = config.open(&file).err().unwrap();
        assert!(
            matches!(error, DatasetError::Damaged { .. }),
            "{length}: {error}"
        );
    }
    // Wherever a byte is wrong, nothing panics.
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        fs::write(&file, &damaged).unwrap();
        if let Ok(examples) = config.open(&file) {
            assert!(examples.take(100).count() <= 100);
        }
    }
}

#[test]
fn columns_of_numbers_are_no_pictures_and_no_texts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("train.parquet");
    let types = [("image", "int64"), ("caption", "double")];
    for (column, number) in types {
        let schema = format!("message schema {{ optional {number} {column}; }}");
        let other = match column {
            "image" => "optional binary caption (UTF8); }",
            _ => "optional binary image (UTF8); }",
        };
        write(&file, &schema.replace('}', other), &[], Compression::SNAPPY);
        let error = config(DatasetFormat::HuggingFace, &file).check();
        let error = error.unwrap_err().to_string();
        let expected = format!("the column `{column}` holds neither bytes nor texts");
        assert!(error.contains(&expected), "{error}");
    }
    // All that is wanted is there; nothing is asked of the question.
    let schema = "message schema { optional binary image (UTF8); optional int64 question;
        optional binary caption (UTF8); optional int32 answer (UNKNOWN); }";
    write(&file, schema, &[], Compression::SNAPPY);
    let dataset = config(DatasetFormat::HuggingFace, &file);
    dataset.check().unwrap();
}

#[test]
fn the_second_file_is_checked_before_the_first_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let good = "message schema { optional binary image (UTF8); optional binary caption (UTF8); }";
    let other = good.replace("caption", "text");
    write(&file("1"), good, &[], Compression::SNAPPY);
    write(&file("2"), &other, &[], Compression::SNAPPY);
    let mut dataset = config(DatasetFormat::HuggingFace, &file("1"));
    dataset.files.push(file("2"));
    let error = dataset.check().unwrap_err();
    let DataError::Dataset { path, source } = error else {
        panic!("{error}");
    };
    assert_eq!(path, file("2"));
    assert!(matches!(source, DatasetError::Column { .. }), "{source}");

    let whole = fs::read(file("1")).unwrap();
    for length in 0..whole.len() {
        fs::write(file("2"), &whole[..length]).unwrap();
        let error = dataset.check().unwrap_err().to_string();
        assert!(error.contains("2: damaged"), "{error}");
    }
}

#[test]
fn tables_of_pyarrow_are_read_whole() {
    for name in ["list_of_structs", "struct_of_lists"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet_files");
        let file = folder.join(name).with_extension("parquet");
        let (examples, reports) = read(&config(DatasetFormat::HuggingFace, &file));
        assert_eq!(reports, Vec::<String>::new());
        assert_eq!(examples.len(), 250);
        for (row, example) in examples.iter().enumerate() {
            let turns = (0..row % 3 + 1).map(|turn| {
                json!([
                    format!("question {row}.{turn}"),
                    format!("answer {row}.{turn}")
                ])
            });
            assert_eq!(texts(example), turns.collect::<Value>());
            let bytes = [&b"\x89PNG"[..], &[row as u8]].concat();
            assert_eq!(example.pictures, [PictureSource::Bytes(bytes.into())]);
        }
    }
}
