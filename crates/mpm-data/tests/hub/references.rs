//! What names a file of the Hub.

use mpm_data::hub::{HubFolder, HubReference, HubRepo, ReferenceError, RepoKind};
use proptest::prelude::*;

fn parse(text: &str) -> Result<HubReference, ReferenceError> {
    text.parse()
}

#[test]
fn references_have_a_repository_a_revision_and_a_file() {
    let read = |text: &str| {
        let reference = parse(text).unwrap();
        let repo = reference.repo();
        let [name, revision, file] =
            [repo.name(), repo.revision(), reference.file()].map(str::to_owned);
        (repo.kind(), name, revision, file)
    };
    let is = |kind, repo: &str, revision: &str, file: &str| {
        (kind, repo.to_owned(), revision.to_owned(), file.to_owned())
    };
    let (model, dataset) = (RepoKind::Model, RepoKind::Dataset);
    assert_eq!(
        read("hf://openbmb/VisCPM-Chat/pytorch_model.v1.bin"),
        is(model, "openbmb/VisCPM-Chat", "main", "pytorch_model.v1.bin")
    );
    assert_eq!(
        read("hf://o/r@v1.0/a/b.bin"),
        is(model, "o/r", "v1.0", "a/b.bin")
    );
    assert_eq!(
        read("hf://o/r/a@b/c@d"),
        is(model, "o/r", "main", "a@b/c@d")
    );
    assert_eq!(read("hf://o/r@a%2Fb/c"), is(model, "o/r", "a/b", "c"));
    assert_eq!(
        read("hf://o/r@refs/pr/7/c/d"),
        is(model, "o/r", "refs/pr/7", "c/d")
    );
    assert_eq!(read("hf://o/r@refs/c/d"), is(model, "o/r", "refs", "c/d"));
    assert_eq!(
        read("hf://datasets/o/r@refs/convert/parquet/x.parquet"),
        is(dataset, "o/r", "refs/convert/parquet", "x.parquet")
    );
    assert_eq!(
        read("hf://o/r/ä ?#%20"),
        is(model, "o/r", "main", "ä ?#%20")
    );
}

#[test]
fn other_texts_are_refused_for_a_reason() {
    let cases = [
        ("o/r/f", "Scheme"),
        ("hf:/o/r/f", "Scheme"),
        ("HF://o/r/f", "Scheme"),
        ("https://huggingface.co/o/r/resolve/main/f", "Scheme"),
        ("hf://", "Incomplete"),
        ("hf://o", "Incomplete"),
        ("hf://o/r", "Incomplete"),
        ("hf://o/r/", "Incomplete"),
        ("hf://o/r@main", "Incomplete"),
        ("hf://o/r@main/", "Incomplete"),
        ("hf://datasets/o", "Incomplete"),
        ("hf://datasets/o/r", "Incomplete"),
        ("hf://spaces/o/r/f", "Kind"),
        ("hf:///r/f", "Repo"),
        ("hf://o//f", "Repo"),
        ("hf://../r/f", "Repo"),
        ("hf://o/../f", "Repo"),
        ("hf://o/a..b/f", "Repo"),
        ("hf://o/a--b/f", "Repo"),
        ("hf://o/-r/f", "Repo"),
        ("hf://o/r.git/f", "Repo"),
        ("hf://o/r?x/f", "Repo"),
        ("hf://o@main/r/f", "Repo"),
        ("hf://ö/r/f", "Repo"),
        ("hf://o/r@/f", "Revision"),
        ("hf://o/r@a@b/f", "Revision"),
        ("hf://o/r@../f", "Revision"),
        ("hf://o/r@a%2F..%2Fb/f", "Revision"),
        ("hf://o/r@%2Fa/f", "Revision"),
        ("hf://o/r@a%20b/f", "Revision"),
        ("hf://o/r@a b/f", "Revision"),
        ("hf://o/r@.a/f", "Revision"),
        ("hf://o/r@a.lock/f", "Revision"),
        ("hf://o/r/../f", "File"),
        ("hf://o/r/a/../../f", "File"),
        ("hf://o/r/./f", "File"),
        ("hf://o/r//f", "File"),
        ("hf://o/r/a//f", "File"),
        ("hf://o/r/a/", "File"),
        ("hf://o/r/a\\..\\f", "File"),
        ("hf://o/r/C:f", "File"),
        ("hf://o/r/a\0", "File"),
        ("hf://o/r/a\n", "File"),
    ];
    for (text, kind) in cases {
        let error = parse(text).unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{text}: {error:?}");
        assert!(!error.to_string().is_empty());
    }
    let long = "r".repeat(97);
    let error = parse(&format!("hf://o/{long}/f")).unwrap_err();
    assert!(error.to_string().contains("96"), "{error}");
}

#[test]
fn folders_have_no_file() {
    for (text, revision, path) in [
        ("hf://o/r", "main", ""),
        ("hf://o/r/", "main", ""),
        ("hf://o/r/unet/", "main", "unet"),
        ("hf://o/r@v1", "v1", ""),
        ("hf://o/r@a%2Fb/", "a/b", ""),
        ("hf://o/r@refs/pr/7", "refs/pr/7", ""),
        ("hf://o/r@refs/pr/7/a/b/", "refs/pr/7", "a/b"),
    ] {
        assert!(HubFolder::recognises(text), "{text}");
        let folder: HubFolder = text.parse().unwrap();
        let repo = folder.repo();
        let read = (repo.name(), repo.revision(), folder.path());
        assert_eq!(read, ("o/r", revision, path), "{text}");
    }
    for text in ["hf://o/r/config.json", "hf://o", "o/r", "models/r/", ""] {
        assert!(!HubFolder::recognises(text), "{text}");
    }
    for (text, kind) in [
        ("hf://o", "Incomplete"),
        ("hf://o/..", "Repo"),
        ("hf://o/r@", "Revision"),
        ("hf://o/r/../x/", "File"),
        ("hf://o/r/a//", "File"),
    ] {
        let error = text.parse::<HubFolder>().unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{text}: {error:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        dataset: bool,
        repo in "[a-z0-9_]{1,9}(-[a-zA-Z0-9_]{1,9})?/[a-zA-Z0-9_]{1,9}(\\.[0-9]{1,2})?",
        revision in "main|[0-9a-f]{40}|v[0-9]{1,3}|[a-z]{1,5}/[a-z]{1,5}|refs/(pr/[0-9]|a/b)",
        file in "[a-z @%?#ä-]{1,9}(/[^/\\\\:\\p{Cc}.]{1,9}){0,2}",
    ) {
        let reserved = ["datasets/", "models/", "spaces/", "buckets/"];
        prop_assume!(!reserved.iter().any(|kind| repo.starts_with(kind)));
        let kind = if dataset { RepoKind::Dataset } else { RepoKind::Model };
        let repo = HubRepo::new(kind, &repo, &revision).unwrap();
        let reference = HubReference::new(repo.clone(), &file).unwrap();
        prop_assert_eq!(parse(&reference.to_string()), Ok(reference));
        for path in ["", &file] {
            let folder = HubFolder::new(repo.clone(), path).unwrap();
            prop_assert!(HubFolder::recognises(&folder.to_string()));
            prop_assert_eq!(folder.to_string().parse(), Ok(folder));
        }
    }

    #[test]
    fn whatever_is_read_stays_in_its_folder_and_is_written_as_it_is_read(
        text in "(hf://)?(datasets/)?[-a.@/%2F~:\\\\é]{0,24}"
    ) {
        if let Ok(reference) = parse(&text) {
            let repo = reference.repo();
            for part in [repo.name(), repo.revision(), reference.file()] {
                prop_assert!(part.split('/').all(|part| !["", ".", ".."].contains(&part)));
                prop_assert!(!part.contains('\\'));
            }
            prop_assert_eq!(parse(&reference.to_string()), Ok(reference));
        }
    }
}
