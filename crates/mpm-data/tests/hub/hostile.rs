//! Servers that are no Hub, or mean harm.

use std::fs;

use mpm_data::hub::HubError;
use tempfile::tempdir;

use mpm_test_support::hub_server::{Answer, Asked, Server};

use crate::{config, fetch, files, noise};

/// Fetches a file of 1000 bytes from a server that changes its answers.
fn cheated(
    change: impl Fn(&Asked, Answer) -> Answer + Send + Sync + 'static,
) -> (HubError, Vec<String>, usize) {
    let folder = tempdir().unwrap();
    let cache = folder.path().join("a/b/c");
    fs::create_dir_all(&cache).unwrap();
    let server = Server::changed(&[("a.bin", &noise(1000))], move |asked, _, answer| {
        change(asked, answer)
    });
    let error = fetch(&config(&server, &cache), "a.bin").unwrap_err();
    // Nothing but locks, and nothing outside of the cache.
    let left = files(folder.path());
    let left = left.into_iter().filter(|file| !file.contains("/.locks/"));
    (error, left.collect(), server.asked().len())
}

fn is_bad_reply(error: &HubError, reason: &str) {
    assert!(matches!(error, HubError::BadReply { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(reason) && text.contains("HF_ENDPOINT"),
        "{text}"
    );
}

#[test]
fn a_commit_is_no_path() {
    let long = "0".repeat(41);
    for commit in [
        "../../x",
        "..",
        "",
        "main",
        &long,
        "0123456789ABCDEF0123456789abcdef01234567",
    ] {
        let given = commit.to_owned();
        let (error, left, _) = cheated(move |_, answer| answer.with("x-repo-commit", &given));
        is_bad_reply(&error, "is no commit");
        assert_eq!(left, [""; 0]);
    }
    let (error, _, _) = cheated(|_, answer| answer.without("x-repo-commit").without("location"));
    is_bad_reply(&error, "redirects to nowhere");
}

#[test]
fn a_name_of_a_content_is_a_checksum() {
    let long = "a".repeat(1000);
    for etag in ["../../../x", "", "\"\"", "\"abc-2\"", "/etc/passwd", &long] {
        let given = etag.to_owned();
        let (error, left, _) = cheated(move |_, answer| answer.with("x-linked-etag", &given));
        is_bad_reply(&error, "is no checksum");
        assert!(error.to_string().len() < 400);
        assert_eq!(left, [""; 0]);
    }
}

#[test]
fn a_web_page_is_no_hub() {
    let (error, left, _) =
        cheated(|_, _| Answer::new(200).with("content-length", 4).body(b"hi\n\n"));
    is_bad_reply(&error, "does not tell the commit");
    assert_eq!(left, [""; 0]);
    let (error, _, _) = cheated(|_, answer| Answer {
        status: 200,
        ..answer.without("x-linked-etag").without("etag")
    });
    is_bad_reply(&error, "no checksum");
    let (error, _, _) = cheated(|_, answer| answer.with("x-linked-size", "-1"));
    is_bad_reply(&error, "is no size");
}

#[test]
fn lengths_have_to_agree() {
    for size in [999, 1001, u64::MAX] {
        let (error, left, _) = cheated(move |_, answer| answer.with("x-linked-size", size));
        is_bad_reply(&error, "bytes where");
        assert_eq!(left, [""; 0]);
    }
    // A body without a length that goes on and on.
    let (error, left, _) = cheated(|asked, answer| match asked.cdn {
        true => answer.without("content-length").body(&noise(3 << 20)),
        false => answer,
    });
    is_bad_reply(&error, "more than the file has");
    assert_eq!(left, [""; 0]);
    // One that is too short is asked for the rest, which never comes.
    let (error, _, asked) = cheated(|asked, answer| match asked.cdn {
        true => Answer::new(200).body(&noise(10)),
        false => answer,
    });
    assert!(matches!(error, HubError::Cut { .. }), "{error:?}");
    assert!(asked < 20);
}

#[test]
fn a_range_has_to_be_the_one_that_was_asked_for() {
    for range in [
        "bytes 0-999/1000",
        "bytes 10-999/2000",
        "bytes */1000",
        "x",
        "",
    ] {
        let (error, left, _) = cheated(move |asked, answer| match asked.cdn {
            true if asked.header("range").is_some() => answer.with("content-range", range),
            true => answer.cut(10),
            false => answer,
        });
        is_bad_reply(&error, "another part of the file");
        // What arrived before stays.
        assert!(
            left.len() == 1 && left[0].ends_with(".incomplete"),
            "{left:?}"
        );
    }
    let (error, _, _) = cheated(|asked, answer| match asked.cdn {
        true if asked.header("range").is_some() => Answer::new(416),
        true => answer.cut(10),
        false => answer,
    });
    is_bad_reply(&error, "rest of the file");
}

#[test]
fn redirects_end() {
    let (error, left, asked) = cheated(|asked, _| {
        let next = format!("{}x", asked.path);
        Answer::new(302).with("location", next)
    });
    assert!(matches!(error, HubError::Redirects { .. }), "{error:?}");
    assert_eq!((left.len(), asked), (0, 11));
    for location in ["", "file:///etc/passwd", "ftp://x/", "a b"] {
        let (error, _, asked) = cheated(move |_, _| Answer::new(307).with("location", location));
        is_bad_reply(&error, "redirects to nowhere");
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_huge_header_is_not_read() {
    let (error, left, asked) = cheated(|_, answer| answer.with("x-more", "x".repeat(1 << 20)));
    assert!(matches!(error, HubError::Http { .. }), "{error:?}");
    assert_eq!((left.len(), asked), (0, 1));
}

#[test]
fn what_is_no_http_is_refused() {
    let (error, left, asked) = cheated(|_, _| Answer::new(7));
    assert!(matches!(error, HubError::Http { .. }), "{error:?}");
    assert_eq!((left.len(), asked), (0, 1));
}
