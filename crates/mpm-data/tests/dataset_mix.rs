//! Several data sets as one stream.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    collections::HashSet,
    fs,
    num::{NonZeroU64, NonZeroUsize},
    path::Path,
};

use common::{config, numbered, texts, write};
use mpm_data::{
    DataError,
    dataset::{DatasetFormat, DatasetMix, MixError, MixMember, StreamOptions},
};
use proptest::prelude::*;

/// Members of numbered captions, in folders of their own.
fn members(folder: &Path, parts: &[(f64, &[usize])]) -> Vec<MixMember> {
    let members = parts.iter().enumerate().map(|(number, (weight, sizes))| {
        let folder = folder.join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        MixMember {
            name: format!("member {number}"),
            weight: *weight,
            dataset: numbered(&folder, sizes),
        }
    });
    members.collect()
}

fn options(window: usize) -> StreamOptions {
    StreamOptions {
        window: NonZeroUsize::new(window).unwrap(),
        ..StreamOptions::new(11)
    }
}

/// Members and captions.
fn deliver(mix: &mut DatasetMix, count: usize) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    while all.len() < count
        && let Some(next) = mix.next_example().unwrap()
    {
        all.push((next.member, texts(&next.example)[0][1].to_owned()));
    }
    all
}

#[test]
fn members_that_end_leave_their_share_to_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let members = members(folder.path(), &[(1.0, &[3]), (1.0, &[9, 11]), (2.0, &[5])]);
    let once = StreamOptions {
        epochs: NonZeroU64::new(1),
        ..options(4)
    };
    let mut mix = DatasetMix::new(members, once).unwrap();
    let all = deliver(&mut mix, 1000);
    assert_eq!(all.len(), 28);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 28);
    assert!(mix.next_example().unwrap().is_none());
    let reports: Vec<_> = mix
        .members()
        .map(|member| (member.name, member.delivered, member.epochs))
        .collect();
    assert_eq!(
        reports,
        [("member 0", 3, 1), ("member 1", 20, 1), ("member 2", 5, 1)]
    );
}

#[test]
fn a_mixture_goes_on_behind_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut members = members(folder.path(), &[(1.0, &[3]), (1.0, &[6])]);
    let bad = write(folder.path(), "bad.jsonl", "{}\n{}\n");
    members[0].dataset.files.push(bad);
    let once = StreamOptions {
        epochs: NonZeroU64::new(1),
        ..options(4)
    };
    let mut mix = DatasetMix::new(members.clone(), once).unwrap();
    assert_eq!(deliver(&mut mix, 100).len(), 9);
    let mut resumed = DatasetMix::new(members, once).unwrap();
    resumed.seek(&mix.position()).unwrap();
    assert!(resumed.next_example().unwrap().is_none());
    assert!(resumed.members().eq(mix.members()));
    assert_eq!(resumed.members().next().unwrap().bad, 2);
}

#[test]
fn reports_name_the_member() {
    let folder = tempfile::tempdir().unwrap();
    let mut members = members(folder.path(), &[(1.0, &[8]), (1.0, &[8])]);
    let bad = write(folder.path(), "bad.jsonl", "{}\n".repeat(4));
    members[1].dataset.files = vec![bad];
    let options = StreamOptions {
        max_bad: 3,
        ..options(4)
    };
    let mut mix = DatasetMix::new(members, options).unwrap();
    let error = loop {
        match mix.next_example() {
            Ok(example) => assert_eq!(example.unwrap().member, 0),
            Err(error) => break error,
        }
    };
    let error = error.to_string();
    assert!(error.contains("`member 1` of the mixture"), "{error}");
    assert!(error.contains("4 of 4 examples cannot be used"), "{error}");
    assert_eq!(
        mix.members().map(|member| member.bad).collect::<Vec<_>>(),
        [0, 4]
    );
}

#[test]
fn members_that_make_no_mixture_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = members(folder.path(), &[(1.0, &[2]), (1.0, &[2])]);
    let refused = |members: Vec<MixMember>| DatasetMix::new(members, options(4)).err().unwrap();
    assert!(matches!(
        refused(Vec::new()),
        DataError::Mix(MixError::Empty)
    ));
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut members = good.clone();
        members[1].weight = weight;
        let error = refused(members).to_string();
        assert!(error.contains("the weight of `member 1`"), "{error}");
    }
    let mut members = good.clone();
    members[1].name = "member 0".into();
    assert!(refused(members).to_string().contains("called `member 0`"));

    let mut other = good.clone();
    other[0].name = "another".into();
    let position = DatasetMix::new(other, options(4)).unwrap().position();
    let mut mix = DatasetMix::new(good, options(4)).unwrap();
    let error = mix.seek(&position).unwrap_err().to_string();
    assert!(error.contains("one of another, member 1"), "{error}");
}

#[test]
fn patterns_stand_for_files() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.csv", "a.csv", "c.tsv", "x[1].csv"] {
        write(folder.path(), name, "image,caption\n");
    }
    fs::create_dir(folder.path().join("d.csv")).unwrap();
    let expand = |patterns: &[&str]| {
        let files: Vec<_> = patterns.iter().map(|one| folder.path().join(one)).collect();
        let expanded = config(DatasetFormat::Csv, &files).expand();
        expanded.map(|dataset| {
            let files = dataset.files.iter();
            let names = files.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
            names.collect::<Vec<_>>()
        })
    };
    assert_eq!(
        expand(&["c.tsv", "?.csv"]).unwrap(),
        ["c.tsv", "a.csv", "b.csv"]
    );
    assert_eq!(expand(&["x[1].csv"]).unwrap(), ["x[1].csv"]);
    for (pattern, part) in [
        ("*.tar", "no file matches"),
        ("a***.csv", "no pattern of files"),
        ("z.csv", "no such file"),
    ] {
        let error = expand(&["a.csv", pattern]).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(pattern), "{error}");
    }
    assert!(expand(&[]).is_err());
    let members = vec![MixMember {
        name: "captions".into(),
        weight: 1.0,
        dataset: config(DatasetFormat::Csv, &[folder.path().join("*.tar")]),
    }];
    let error = DatasetMix::new(members, options(4)).err().unwrap();
    assert!(error.to_string().contains("`captions` of the mixture"));
}

/// Multiples of the golden ratio stray from even shares by less than this in thousands of steps.
const STRAY: f64 = 12.0;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn shares_are_those_of_the_weights(
        weights in proptest::collection::vec(0.05f64..10.0, 1..6),
        seed: u64,
        rank in 0usize..4,
        count in 1usize..3000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let parts: Vec<_> = weights.iter().map(|&weight| (weight, &[40][..])).collect();
        let members = members(folder.path(), &parts);
        let ranks = NonZeroUsize::new(4).unwrap();
        let options = StreamOptions { seed, rank, ranks, ..options(50) };
        let mut mix = DatasetMix::new(members, options).unwrap();
        deliver(&mut mix, count);
        let total: f64 = weights.iter().sum();
        for (member, weight) in mix.members().zip(&weights) {
            let expected = weight / total * count as f64;
            let stray = member.delivered as f64 - expected;
            prop_assert!(stray.abs() < STRAY, "{member:?}, but {expected} are expected");
        }
    }

    #[test]
    fn a_mixture_goes_on_where_it_was(
        sizes in proptest::collection::vec(2usize..15, 1..4),
        epochs in proptest::option::of(1u64..3),
        window in 1usize..8,
        before in 0usize..60,
        rank in 0usize..2,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let sizes: Vec<_> = sizes.iter().map(|&size| [size, 3]).collect();
        let parts: Vec<_> = (1..).zip(&sizes).map(|(weight, sizes)| (f64::from(weight), &sizes[..])).collect();
        let mut members = members(folder.path(), &parts);
        let bad = write(folder.path(), "bad.jsonl", "{}\n{}\n");
        members[0].dataset.files.push(bad);
        let options = StreamOptions {
            rank,
            ranks: NonZeroUsize::new(2).unwrap(),
            epochs: epochs.and_then(NonZeroU64::new),
            max_bad: u64::MAX,
            ..options(window)
        };
        let mut mix = DatasetMix::new(members.clone(), options).unwrap();
        deliver(&mut mix, before);
        let position = serde_json::to_string(&mix.position()).unwrap();
        let expected = deliver(&mut mix, 40);
        let mut resumed = DatasetMix::new(members, options).unwrap();
        resumed.seek(&serde_json::from_str(&position).unwrap()).unwrap();
        prop_assert_eq!(deliver(&mut resumed, 40), expected);
        prop_assert!(resumed.members().eq(mix.members()));
    }

    #[test]
    fn ranks_share_the_examples_out(
        sizes in proptest::collection::vec(3usize..12, 1..5),
        ranks in 1usize..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let members = members(folder.path(), &[(1.0, &sizes), (3.0, &[7])]);
        let mut all = Vec::new();
        for rank in 0..ranks {
            let options = StreamOptions {
                rank,
                ranks: NonZeroUsize::new(ranks).unwrap(),
                epochs: NonZeroU64::new(1),
                ..options(4)
            };
            all.extend(deliver(&mut DatasetMix::new(members.clone(), options).unwrap(), 1000));
        }
        prop_assert_eq!(all.len(), sizes.iter().sum::<usize>() + 7);
        prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}
