//! Parallel sentences, whole and damaged.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use mpm_data::{
    DataError,
    parallel::{ParallelCorpus, ParallelError},
};
use proptest::prelude::*;

fn tsv(text: &str) -> Result<ParallelCorpus, ParallelError> {
    ParallelCorpus::read_tsv(text.as_bytes())
}

fn json(text: &str) -> Result<ParallelCorpus, ParallelError> {
    ParallelCorpus::read_json_lines(text.as_bytes())
}

#[test]
fn both_layouts_say_the_same() {
    let table = "\u{feff}en\tzh\tde\r\na cat\t一只猫\t\r\n\t一只狗\tein Hund\r\na cow\r\n";
    let lines = "{\"en\": \"a cat\", \"zh\": \"一只猫\", \"de\": null}\n\n\
                 {\"zh\": \"一只狗\", \"de\": \"ein Hund\"}\n{\"en\": \" a cow \"}";
    let (table, lines) = (tsv(table).unwrap(), json(lines).unwrap());
    assert_eq!(table.rows(), lines.rows());
    assert_eq!(table.languages(), ["en", "zh", "de"]);
    assert_eq!(table.pairs("zh", "en"), [("一只猫", "a cat")]);
    assert_eq!(table.pairs("de", "zh"), [("ein Hund", "一只狗")]);
    assert_eq!(table.pairs("en", "de"), []);
    assert_eq!(table.pairs("en", "fr"), []);
}

#[test]
fn sentences_with_two_translations_are_ambiguous() {
    let corpus = tsv("en\tde\nyou\tdu\nyou\tSie\nhe\ter\nhe\ter\nshe\tsie\nthey\tsie").unwrap();
    assert_eq!(corpus.unambiguous_pairs("en", "de"), [("he", "er")]);
}

#[test]
fn damage_is_reported_with_its_line() {
    let message = |result: Result<_, ParallelError>| result.unwrap_err().to_string();
    assert!(matches!(tsv(""), Err(ParallelError::NoHeader)));
    assert!(message(tsv("en\t\tzh\n")).contains("column 2"));
    assert!(message(tsv("en\ten\n")).contains("`en` twice"));
    let error = message(tsv("en\tzh\na\tb\na\tb\tc\n"));
    assert!(error.contains("line 3 has 3 cells"), "{error}");
    let error = message(json("{\"en\": \"a\"}\n{\"en\": 7}\n"));
    assert!(error.contains("line 2"), "{error}");
    assert!(message(json("[]")).contains("line 1"));
    let error = message(ParallelCorpus::read_tsv(&b"en\tzh\n\xff\n"[..]));
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn files_are_read_by_their_extension() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.tsv"), "en\tzh\na\tb\n").unwrap();
    fs::write(path("a.jsonl"), "{\"en\": \"a\", \"zh\": \"b\"}\n").unwrap();
    fs::write(path("a.txt"), "").unwrap();
    let table = ParallelCorpus::open(path("a.tsv")).unwrap();
    assert_eq!(table, ParallelCorpus::open(path("a.jsonl")).unwrap());
    for (name, part) in [("a.txt", ".jsonl"), ("absent.tsv", "cannot be read")] {
        let error = ParallelCorpus::open(path(name)).unwrap_err();
        assert!(matches!(error, DataError::Parallel { .. }));
        let error = error.to_string();
        assert!(error.contains(name) && error.contains(part), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ParallelCorpus::read_tsv(bytes.as_slice());
        let _ = ParallelCorpus::read_json_lines(bytes.as_slice());
    }

    #[test]
    fn a_table_comes_back(rows in proptest::collection::vec(
        ("[a-z猫]{0,4}", "[a-z狗]{0,4}"), 0..20,
    )) {
        let lines = rows.iter().map(|(a, b)| format!("{a}\t{b}\n"));
        let table = "en\tzh\n".to_owned() + &lines.collect::<String>();
        let both = rows.iter().filter(|(a, b)| !a.is_empty() && !b.is_empty());
        let both: Vec<_> = both.map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let corpus = tsv(&table).unwrap();
        prop_assert_eq!(corpus.pairs("en", "zh"), both);
    }
}
