//! Data sets in the layouts in which they are published, and in damaged ones.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    collections::HashSet,
    fs,
    io::Write,
    num::{NonZeroU64, NonZeroUsize},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use common::{config, numbered, picture, tar, texts, write};
use flate2::{Compression, write::GzEncoder};
use mpm_data::{
    DataError,
    dataset::{
        Columns, DatasetConfig, DatasetError, DatasetFormat, Example, ExampleStream, Fault,
        PictureSource, StreamOptions,
    },
    picture::PictureLimits,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The examples of a file, and what was said of the others.
fn read(config: &DatasetConfig) -> (Vec<Example>, Vec<String>) {
    let (mut examples, mut reports) = (Vec::new(), Vec::new());
    for item in config.open(&config.files[0]).unwrap() {
        match item {
            Ok(example) => examples.push(example),
            Err(Fault::Skip(bad)) => reports.push(bad.to_string()),
            Err(Fault::Stop(error)) => {
                reports.push(format!("stopped: {error}"));
                break;
            }
        }
    }
    (examples, reports)
}

fn turns(said: &[(&str, &str)]) -> Value {
    said.iter()
        .map(|(from, value)| json!({ "from": from, "value": value }))
        .collect()
}

#[test]
fn llava_is_a_list_of_conversations() {
    let folder = tempfile::tempdir().unwrap();
    let list = json!([
        { "id": "1", "image": "1.png", "conversations": turns(&[
            ("human", "<image>\nWhat is this?"), ("gpt", "A bus."),
            ("human", "Which colour?"), ("gpt", " Red. ")]) },
        { "id": "2", "conversations": turns(&[("human", "Hi"), ("gpt", "Hello")]) },
        { "id": "3", "image": ["1.png", "2.png"], "conversations": turns(&[
            ("user", "<image> or <image>?"), ("assistant", "The first.")]) },
        { "id": "4", "image": "1.png", "conversations": turns(&[("human", "?"), ("human", "!")]) },
        { "id": "5", "image": "1.png", "conversations": turns(&[
            ("human", "<image><image>"), ("gpt", "Two?")]) },
        { "id": "6", "image": "1.png", "conversations": 7 },
        { "id": "7", "image": "1.png", "conversations": [] },
    ]);
    let file = write(folder.path(), "llava.json", list.to_string());
    write(folder.path(), "1.png", picture());
    let (examples, reports) = read(&config(DatasetFormat::Llava, &[file]));
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [
            vec![["What is this?", "A bus."], ["Which colour?", "Red."]],
            vec![["Hi", "Hello"]],
            vec![["or ?", "The first."]],
        ]
    );
    assert_eq!(examples[0].pictures.len(), 1);
    assert_eq!(examples[2].pictures.len(), 2);
    let decoded = examples[0].pictures[0].decode(&PictureLimits::default());
    assert_eq!(decoded.unwrap().pixel(1, 0), Some([40, 50, 60]));
    assert!(
        examples[2].pictures[1]
            .decode(&PictureLimits::default())
            .is_err()
    );
    for (report, part) in reports.iter().zip([
        "llava.json, row 3: turn 1 of the conversation is not the assistant's",
        "llava.json, row 4: the text marks 2 pictures, but there are 1",
        "llava.json, row 5: not an example of this format",
        "llava.json, row 6: it has no conversation",
    ]) {
        assert!(report.contains(part), "{report}");
    }
    assert_eq!(reports.len(), 4);
}

#[test]
fn a_list_that_breaks_off_gives_what_comes_before() {
    let folder = tempfile::tempdir().unwrap();
    let whole = json!([{ "image": "a", "caption": "x" }, { "image": "b", "caption": "y" }]);
    let whole = whole.to_string();
    let file = write(folder.path(), "cut.json", &whole[..whole.len() - 9]);
    let (examples, reports) = read(&config(DatasetFormat::Llava, &[file]));
    assert_eq!(examples.len(), 1);
    assert!(reports[0].contains("at element 1"), "{reports:?}");
    let file = write(folder.path(), "object.json", "{}");
    let opened = config(DatasetFormat::Llava, std::slice::from_ref(&file)).open(&file);
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("at its head"), "{error}");
}

#[test]
fn coco_joins_captions_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let list = json!({
        "info": { "year": 2017, "nested": [1, { "images": [] }] },
        "images": [{ "id": 9, "file_name": "9.jpg", "width": 3 }],
        "licenses": [],
        "annotations": [
            { "image_id": 9, "id": 1, "caption": "A dog.\n" },
            { "image_id": 8, "id": 2, "caption": "Nobody." },
            { "image_id": 9, "id": 3, "caption": "An animal." },
        ],
    });
    let file = write(folder.path(), "captions.json", list.to_string());
    let mut config = config(DatasetFormat::CocoCaptions, &[file]);
    config.pictures = Some("train2017".into());
    let (examples, reports) = read(&config);
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [[["en", "A dog."]], [["en", "An animal."]]]
    );
    let expected = PictureSource::File("train2017/9.jpg".into());
    assert_eq!(examples[0].pictures, [expected]);
    assert!(
        reports[0].contains("row 1: it has no picture"),
        "{reports:?}"
    );

    let file = write(folder.path(), "instances.json", r#"{"images": []}"#);
    let error = config.open(&file).err().unwrap().to_string();
    assert!(error.contains("before `annotations`"), "{error}");
}

#[test]
fn conceptual_captions_finds_what_was_downloaded() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "a dog\thttp://x/1\na cat\thttp://x/2\nno tab\na bird\thttp://x/3\n";
    let file = write(folder.path(), "Train.tsv", lines);
    write(folder.path(), "000000000.jpg", "");
    fs::create_dir(folder.path().join("00000")).unwrap();
    write(folder.path(), "00000/000000003.jpg", "");
    let (examples, reports) = read(&config(DatasetFormat::ConceptualCaptions, &[file]));
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [[["en", "a dog"]], [["en", "a bird"]]]
    );
    assert!(
        reports[0].contains("line 2: it has no picture"),
        "{reports:?}"
    );
    assert!(
        reports[1].contains("line 3: it has no address"),
        "{reports:?}"
    );
}

#[test]
fn m3it_carries_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let encoded = BASE64_STANDARD.encode(picture());
    let line = |picture: Value, inputs: &str, outputs: &str| {
        json!({ "instruction": "Name it.", "inputs": inputs, "outputs": outputs,
                "image_base64_str": picture, "meta": {} })
        .to_string()
    };
    let lines = [
        line(json!([encoded]), "", "a bus"),
        line(json!(encoded), "In French.", "un bus"),
        line(json!(["*"]), "", "?"),
        line(json!([encoded]), "", " "),
        "{".into(),
        line(json!([encoded]), "<image>", "marked"),
        line(json!([]), "<image>", "marked"),
    ];
    let file = write(folder.path(), "m3it.jsonl", lines.join("\n\n"));
    let (examples, reports) = read(&config(DatasetFormat::M3it, &[file]));
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [
            [["Name it.", "a bus"]],
            [["Name it.\nIn French.", "un bus"]],
            [["Name it.", "marked"]],
        ]
    );
    let decoded = examples[1].pictures[0].decode(&PictureLimits::default());
    assert_eq!(decoded.unwrap().pixel(0, 0), Some([10, 20, 30]));
    for (report, part) in reports.iter().zip([
        "line 5: a picture is not valid Base64",
        "line 7: it has no answer",
        "line 9: not an example of this format",
        "line 13: the text marks 1 pictures, but there are 0",
    ]) {
        assert!(report.contains(part), "{report}");
    }
}

#[test]
fn tables_have_the_columns_that_they_are_said_to_have() {
    let folder = tempfile::tempdir().unwrap();
    let table = "path,en,zh\na.png,\"a dog, a cat\",狗和猫\nb.png,,鸟\nc.png,,\n";
    let file = write(folder.path(), "t.csv", table);
    let mut config = config(DatasetFormat::Csv, std::slice::from_ref(&file));
    let error = config.open(&file).err().unwrap().to_string();
    assert!(
        error.contains("no column `image`; there are path, en, zh"),
        "{error}"
    );
    config.columns.picture = "path".into();
    config.columns.caption = "en".into();
    config.columns.translations = [("zh".into(), "zh".into())].into();
    let (examples, reports) = read(&config);
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [
            vec![["en", "a dog, a cat"], ["zh", "狗和猫"]],
            vec![["zh", "鸟"]]
        ]
    );
    assert!(reports[0].contains("line 4: it has no text"), "{reports:?}");

    let lines = "{\"image\": \"a.png\", \"question\": \"<image>\\n?\", \"answer\": \"!\"}\n[]\n";
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(lines.as_bytes()).unwrap();
    let file = write(folder.path(), "l.jsonl.gz", encoder.finish().unwrap());
    let (examples, reports) = read(&DatasetConfig {
        format: DatasetFormat::JsonLines,
        files: vec![file],
        columns: Columns::default(),
        ..config
    });
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [[["?", "!"]]]
    );
    assert!(reports[0].contains("line 2: it has no text"), "{reports:?}");
}

#[test]
fn malformed_rows_of_a_table_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let table = b"image,caption\na.png,a dog\nb.png\nc.png,a cat,and more\nd.png,\xFF\n,a bird\n";
    let file = write(folder.path(), "t.csv", table);
    let (examples, reports) = read(&config(DatasetFormat::Csv, &[file]));
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [[["en", "a dog"]], [["en", "a bird"]]]
    );
    // An empty cell is no picture.
    let pictures = examples.iter().map(|example| example.pictures.len());
    assert_eq!(pictures.collect::<Vec<_>>(), [1, 0]);
    assert_eq!(reports.len(), 3, "{reports:?}");
    for (report, part) in reports.iter().zip([
        "t.csv, line 3: not a row of this table",
        "t.csv, line 4: not a row of this table",
        "t.csv, line 5: not a row of this table",
    ]) {
        assert!(report.contains(part), "{report}");
    }
}

#[test]
fn what_is_no_name_of_a_picture_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let line = |image: Value| json!({ "image": image, "caption": "a dog" }).to_string();
    let lines = [
        line(Value::Null),
        line(json!("")),
        line(json!([])),
        line(json!(42)),
        line(json!(["a.jpg", null])),
        line(json!(["", "a.jpg"])),
        line(json!({ "path": "a.jpg" })),
    ];
    let file = write(folder.path(), "l.jsonl", lines.join("\n"));
    let (examples, reports) = read(&config(DatasetFormat::JsonLines, &[file]));
    assert_eq!(examples.len(), 3);
    assert!(examples.iter().all(|example| example.pictures.is_empty()));
    assert_eq!(reports.len(), 4, "{reports:?}");
    for (report, part) in reports.iter().zip([
        "line 4: a number stands",
        "line 5: null stands",
        "line 6: an empty text stands",
        "line 7: an object stands where the name of a picture belongs",
    ]) {
        assert!(report.contains(part), "{report}");
    }
}

/// Compressed by gzip and by Zstandard.
fn packed(content: &[u8]) -> [Vec<u8>; 2] {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    [
        encoder.finish().unwrap(),
        zstd::encode_all(content, 1).unwrap(),
    ]
}

#[test]
fn where_compressed_lines_are_damaged_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = 0..20_000;
    let lines = numbers.clone().map(|number| {
        let line = json!({ "image": "x", "caption": format!("dog {number}") });
        format!("{line}\n")
    });
    let rows = numbers.map(|number| format!("x,a dog with the number {number}\n"));
    let table = "image,caption\n".to_owned() + &rows.collect::<String>();
    for (format, content, head) in [
        (DatasetFormat::JsonLines, lines.collect::<String>(), 0),
        (DatasetFormat::Csv, table, 1),
    ] {
        for packed in packed(content.as_bytes()) {
            let file = write(folder.path(), "cut", &packed[..packed.len() / 2]);
            let (examples, reports) = read(&config(format, &[file]));
            assert!(examples.len() > 1000);
            let [report] = reports.as_slice() else {
                panic!("{reports:?}");
            };
            let place = format!("behind line {}:", examples.len() + head);
            assert!(
                report.contains("stopped: damaged") && report.contains(&place),
                "{report}, but not {place}"
            );
        }
    }
}

#[test]
fn webdataset_groups_what_is_called_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("00/1.png", picture()),
        ("00/1.txt", b" a dog \n".to_vec()),
        ("00/1.json", br#"{"caption": "not this"}"#.to_vec()),
        ("00/2.json", br#"{"caption": "a cat"}"#.to_vec()),
        ("00/2.PNG", picture()),
        ("00/3.txt", b"no picture".to_vec()),
        (".hidden", Vec::new()),
        ("00/4.png", picture()),
        ("00/4.cls", b"5".to_vec()),
        ("00/5.png", picture()),
        ("00/5.json", b"{".to_vec()),
    ];
    let archive = tar(&files);
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&archive).unwrap();
    let packed = [
        ("plain.tar", archive.clone()),
        ("gz.tar.gz", gz.finish().unwrap()),
        (
            "zst.tar.zst",
            zstd::encode_all(archive.as_slice(), 1).unwrap(),
        ),
    ];
    for (name, content) in packed {
        let file = write(folder.path(), name, content);
        let (examples, reports) = read(&config(DatasetFormat::Webdataset, &[file]));
        assert_eq!(
            examples.iter().map(texts).collect::<Vec<_>>(),
            [[["en", "a dog"]], [["en", "a cat"]]]
        );
        let decoded = examples[1].pictures[0].decode(&PictureLimits::default());
        assert_eq!(decoded.unwrap().width(), 2);
        for (report, part) in reports.iter().zip([
            "entry 00/3: it has no picture",
            "entry 00/4: it has no text",
            "entry 00/5: not an example",
        ]) {
            assert!(report.contains(part), "{report}");
        }
    }
    let file = write(folder.path(), "cut.tar", &archive[..archive.len() - 3000]);
    let (examples, reports) = read(&config(DatasetFormat::Webdataset, &[file]));
    assert_eq!(examples.len(), 2);
    assert!(reports.last().unwrap().contains("stopped"), "{reports:?}");
}

#[test]
fn a_part_larger_than_any_picture_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let archive = tar(&[
        ("1.png", picture()),
        ("1.txt", b"a dog".to_vec()),
        ("2.txt", b"a cat".to_vec()),
    ]);
    let entries = &archive[..archive.len() - 2 * 512];
    let path = write(folder.path(), "large.tar", entries);
    let mut header = tar::Header::new_gnu();
    header.set_path("2.png").unwrap();
    const LARGE: u64 = 257 << 20;
    header.set_size(LARGE);
    header.set_cksum();
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    // A hole takes no room on the disk.
    let length = file.metadata().unwrap().len();
    file.set_len(length + LARGE).unwrap();
    let more = tar(&[("3.mp4", b"a film".to_vec()), ("3.png", picture())]);
    file.write_all(&more).unwrap();
    let (examples, reports) = read(&config(DatasetFormat::Webdataset, &[path]));
    assert_eq!(
        examples.iter().map(texts).collect::<Vec<_>>(),
        [[["en", "a dog"]]]
    );
    assert!(
        reports[0].contains("entry 2: it has 269484037 bytes; at most 268435456 are read"),
        "{reports:?}"
    );
    assert!(
        reports[1].contains("entry 3: it has no text"),
        "{reports:?}"
    );
}

#[test]
fn a_name_of_megabytes_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let long = "long/".repeat(1 << 19) + "2.png";
    let archive = tar(&[
        ("1.png", picture()),
        ("1.txt", b"a dog".to_vec()),
        (&long, picture()),
    ]);
    let file = write(folder.path(), "names.tar", archive);
    let dataset = config(DatasetFormat::Webdataset, &[file]);
    let (examples, reports) = read(&dataset);
    let checked = dataset.check().unwrap_err().to_string();
    for report in [&reports[0], &checked] {
        assert!(
            report.contains("behind entry 1") && report.contains("more than 1048576 bytes"),
            "{report}"
        );
    }
    assert!(examples.is_empty());
}

#[test]
fn a_file_of_zstandard_may_begin_with_a_skippable_frame() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"{"image": "x", "caption": "a dog"}"#;
    let frame = zstd::encode_all(line.as_bytes(), 1).unwrap();
    let packed = [b"\x50\x2A\x4D\x18\x04\0\0\0size", frame.as_slice()].concat();
    let file = write(folder.path(), "pzstd.jsonl.zst", packed);
    let (examples, _) = read(&config(DatasetFormat::JsonLines, &[file]));
    assert_eq!(texts(&examples[0]), [["en", "a dog"]]);
}

fn options(window: usize) -> StreamOptions {
    StreamOptions {
        window: NonZeroUsize::new(window).unwrap(),
        epochs: NonZeroU64::new(1),
        ..StreamOptions::new(7)
    }
}

fn deliver(stream: &mut ExampleStream, count: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    while numbers.len() < count
        && let Some(example) = stream.next_example().unwrap()
    {
        numbers.push(texts(&example)[0][1].parse().unwrap());
    }
    numbers
}

#[test]
fn every_example_comes_once_in_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = numbered(folder.path(), &[5, 0, 13, 7]);
    let mut stream = ExampleStream::new(dataset.clone(), options(6)).unwrap();
    let mut first = deliver(&mut stream, 100);
    assert_ne!(first, (1..=25).collect::<Vec<_>>());
    let again = deliver(
        &mut ExampleStream::new(dataset.clone(), options(6)).unwrap(),
        100,
    );
    assert_eq!(first, again);
    first.sort_unstable();
    assert_eq!(first, (1..=25).collect::<Vec<_>>());

    let endless = StreamOptions {
        epochs: None,
        ..options(6)
    };
    let two = deliver(&mut ExampleStream::new(dataset, endless).unwrap(), 50);
    assert_ne!(two[..25], two[25..]);
    assert_eq!(two[25..].iter().collect::<HashSet<_>>().len(), 25);
}

#[test]
fn workers_share_the_examples_out() {
    let folder = tempfile::tempdir().unwrap();
    for sizes in [&[20][..], &[4, 6, 3, 7]] {
        let dataset = numbered(folder.path(), sizes);
        let mut all = Vec::new();
        for rank in 0..3 {
            let options = StreamOptions {
                rank,
                ranks: NonZeroUsize::new(3).unwrap(),
                ..options(4)
            };
            let own = deliver(
                &mut ExampleStream::new(dataset.clone(), options).unwrap(),
                100,
            );
            assert!(!own.is_empty());
            all.extend(own);
        }
        all.sort_unstable();
        assert_eq!(all, (1..=20).collect::<Vec<_>>());
    }
}

#[test]
fn too_many_unusable_examples_end_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "bad.jsonl", "{}\n".repeat(5));
    let dataset = config(DatasetFormat::JsonLines, &[file]);
    let options = StreamOptions {
        max_bad: 3,
        ..options(4)
    };
    let mut stream = ExampleStream::new(dataset.clone(), options).unwrap();
    let error = stream.next_example().unwrap_err();
    assert!(
        error.to_string().contains("4 of 4 examples cannot be used"),
        "{error}"
    );
    let mut stream = ExampleStream::new(dataset, StreamOptions::new(1)).unwrap();
    let error = stream.next_example().unwrap_err();
    assert!(matches!(
        error,
        DataError::Dataset {
            source: DatasetError::NoExamples { bad: 5 },
            ..
        }
    ));
    let nothing = config(DatasetFormat::Csv, &[]);
    assert!(ExampleStream::new(nothing, StreamOptions::new(1)).is_err());
}

#[test]
fn a_failure_is_met_again_until_its_cause_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = numbered(folder.path(), &[9]);
    let lines = fs::read_to_string(&dataset.files[0]).unwrap() + "\n{}\n";
    let [whole, _] = packed(lines.as_bytes());
    // All lines are there, but not the checksum behind them.
    let cut = &whole[..whole.len() - 4];
    dataset.files = vec![write(folder.path(), "cut.jsonl.gz", cut)];
    let mut stream = ExampleStream::new(dataset.clone(), options(4)).unwrap();
    let mut all = deliver(&mut stream, 8);
    let error = stream.next_example().unwrap_err().to_string();
    assert!(error.contains("behind line 10"), "{error}");
    let position = stream.position();
    assert_eq!(stream.next_example().unwrap_err().to_string(), error);
    assert_eq!((stream.position(), stream.bad()), (position, 1));

    write(folder.path(), "cut.jsonl.gz", &whole);
    let rest = deliver(&mut stream, 99);
    all.extend(&rest);
    all.sort_unstable();
    assert_eq!(all, (1..=9).collect::<Vec<_>>());
    assert_eq!(stream.bad(), 1);
    let mut resumed = ExampleStream::new(dataset, options(4)).unwrap();
    resumed.seek(position).unwrap();
    assert_eq!(deliver(&mut resumed, 99), rest);
}

#[test]
fn unusable_examples_are_counted_over_all_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let good = "{\"image\": \"x\", \"caption\": \"1\"}\n";
    let lines = good.repeat(6) + "{}\n{}\n";
    let file = write(folder.path(), "bad.jsonl", lines);
    let dataset = config(DatasetFormat::JsonLines, &[file]);
    let options = StreamOptions {
        max_bad: 1,
        ..options(4)
    };
    let mut stream = ExampleStream::new(dataset.clone(), options).unwrap();
    deliver(&mut stream, 4);
    let mut resumed = ExampleStream::new(dataset, options).unwrap();
    resumed.seek(stream.position()).unwrap();
    for stream in [&mut stream, &mut resumed] {
        for _ in 0..2 {
            let error = stream.next_example().unwrap_err().to_string();
            assert!(error.contains("2 of 8 examples"), "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Also with unusable examples in between, and over the end of an epoch.
    #[test]
    fn a_stream_goes_on_where_it_was(
        sizes in proptest::collection::vec(0usize..9, 1..5),
        window in 1usize..12,
        before in 0usize..40,
        rank in 0usize..2,
    ) {
        prop_assume!(sizes.iter().sum::<usize>() > 2);
        let folder = tempfile::tempdir().unwrap();
        let mut dataset = numbered(folder.path(), &sizes);
        dataset.files.push(write(folder.path(), "bad.jsonl", "{}\n{}\n"));
        dataset.files.push(write(folder.path(), "two.jsonl", [
            r#"{"image": "x", "caption": "901"}"#,
            r#"{"image": "x", "caption": "902"}"#,
        ].join("\n")));
        let options = StreamOptions {
            rank,
            ranks: NonZeroUsize::new(2).unwrap(),
            epochs: None,
            max_bad: u64::MAX,
            ..options(window)
        };
        let Ok(mut stream) = ExampleStream::new(dataset.clone(), options) else { unreachable!() };
        // A worker may have got nothing but empty files.
        prop_assume!(stream.next_example().is_ok());
        deliver(&mut stream, before);
        let position = stream.position();
        let json = serde_json::to_string(&position).unwrap();
        let expected = deliver(&mut stream, 30);
        let mut resumed = ExampleStream::new(dataset, options).unwrap();
        resumed.seek(serde_json::from_str(&json).unwrap()).unwrap();
        prop_assert_eq!(resumed.position(), position);
        prop_assert_eq!(deliver(&mut resumed, 30), expected);
        prop_assert_eq!(resumed.bad(), stream.bad());
    }
}

proptest! {
    /// The end is a position like any other.
    #[test]
    fn a_stream_that_ended_counts_nothing_twice(window in 1usize..8) {
        let folder = tempfile::tempdir().unwrap();
        let mut dataset = numbered(folder.path(), &[3]);
        let good = r#"{"image": "x", "caption": "9"}"#;
        let lines = format!("{{}}\n{good}\n{{}}\n");
        dataset.files.push(write(folder.path(), "bad.jsonl", lines));
        let mut stream = ExampleStream::new(dataset.clone(), options(window)).unwrap();
        prop_assert_eq!(deliver(&mut stream, 99).len(), 4);
        let mut resumed = ExampleStream::new(dataset, options(window)).unwrap();
        resumed.seek(stream.position()).unwrap();
        prop_assert!(resumed.next_example().unwrap().is_none());
        prop_assert_eq!(resumed.bad(), stream.bad());
        prop_assert_eq!(stream.bad(), 2);
    }
}
