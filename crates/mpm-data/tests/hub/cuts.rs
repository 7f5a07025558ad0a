//! Downloads that are cut, stopped or damaged, and go on.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mpm_data::hub::{Hub, HubConfig, HubError};
use tempfile::tempdir;

use mpm_test_support::hub_server::{Answer, Server, sha256};

use crate::{config, fetch, noise};

/// Where the beginning of a content is kept.
fn part(cache: &Path, content: &[u8]) -> PathBuf {
    let name = format!("{}.incomplete", sha256(content));
    cache.join("models--org--model/blobs").join(name)
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let (cache, content) = (tempdir().unwrap(), noise(100_000));
    // More cuts than attempts: those that bring something do not count.
    let server = Server::changed(
        &[("weights.bin", &content)],
        |asked, before, answer| match asked.cdn && before < 5 {
            true => answer.cut(10_000),
            false => answer,
        },
    );
    let path = fetch(&config(&server, cache.path()), "weights.bin").unwrap();
    assert_eq!(fs::read(path).unwrap(), content);
    let ranges = [0, 1, 2, 3, 4, 5].map(|cut| match cut {
        0 => None,
        cut => Some(format!("bytes={}-", cut * 10_000)),
    });
    assert_eq!(server.ranges(), ranges);
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_was_stopped() {
    let (cache, content) = (tempdir().unwrap(), noise(100_000));
    let server = Server::changed(
        &[("weights.bin", &content)],
        |asked, before, answer| match asked.cdn && before < 3 {
            true => answer.cut(if before == 0 { 40_000 } else { 0 }),
            false => answer,
        },
    );
    let config = config(&server, cache.path());
    let error = fetch(&config, "weights.bin").unwrap_err();
    match &error {
        HubError::Cut { done, total, .. } => assert_eq!((*done, *total), (40_000, 100_000)),
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("40000 of 100000"), "{error}");
    assert_eq!(
        fs::read(part(cache.path(), &content)).unwrap(),
        content[..40_000]
    );

    let path = fetch(&config, "weights.bin").unwrap();
    assert_eq!(fs::read(path).unwrap(), content);
    assert_eq!(
        server.ranges().last().unwrap().as_deref(),
        Some("bytes=40000-")
    );
}

#[test]
fn a_part_that_is_complete_needs_no_content() {
    let (cache, content) = (tempdir().unwrap(), noise(1000));
    let server = Server::new(&[("weights.bin", &content)]);
    let part = part(cache.path(), &content);
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &content).unwrap();
    fetch(&config(&server, cache.path()), "weights.bin").unwrap();
    assert_eq!(server.ranges(), []);
}

#[test]
fn a_part_that_is_too_long_is_not_used() {
    let (cache, content) = (tempdir().unwrap(), noise(1000));
    let server = Server::new(&[("weights.bin", &content)]);
    let part = part(cache.path(), &content);
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, noise(2000)).unwrap();
    let path = fetch(&config(&server, cache.path()), "weights.bin").unwrap();
    assert_eq!(fs::read(path).unwrap(), content);
    assert_eq!(server.ranges(), [None]);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let (cache, content) = (tempdir().unwrap(), noise(100_000));
    let whole = content.clone();
    let server = Server::changed(
        &[("weights.bin", &content)],
        move |asked, before, answer| {
            if !asked.cdn {
                return answer;
            }
            let answer = Answer::new(200)
                .with("content-length", whole.len())
                .body(&whole);
            if before == 0 {
                answer.cut(30_000)
            } else {
                answer
            }
        },
    );
    let path = fetch(&config(&server, cache.path()), "weights.bin").unwrap();
    assert_eq!(fs::read(path).unwrap(), content);

    // One that is always cut at the same place comes to an end, too.
    let cache = tempdir().unwrap();
    let whole = content.clone();
    let server = Server::changed(&[("weights.bin", &content)], move |asked, _, answer| {
        if !asked.cdn {
            return answer;
        }
        let answer = Answer::new(200)
            .with("content-length", whole.len())
            .body(&whole);
        answer.cut(30_000)
    });
    let error = fetch(&config(&server, cache.path()), "weights.bin").unwrap_err();
    assert!(matches!(error, HubError::Cut { .. }), "{error}");
}

#[test]
fn a_bad_reply_leaves_what_arrived_before() {
    const KEPT: usize = 600_000;
    const PAGE: &[u8] = b"<html>Log in to this network first.</html>";
    let content = noise(1_000_000);
    let bad: [fn(Answer) -> Answer; 6] = [
        // As a hotel's network does, with and without a length.
        |_| {
            Answer::new(200)
                .with("content-length", PAGE.len())
                .body(PAGE)
        },
        |_| Answer::new(200).body(PAGE),
        |_| Answer::new(302),
        |_| Answer::new(416),
        |answer| answer.with("content-range", "bytes 0-9/10"),
        |answer| answer.with("content-length", 7),
    ];
    for (case, bad) in bad.into_iter().enumerate() {
        let cache = tempdir().unwrap();
        let server = Server::changed(
            &[("weights.bin", &content)],
            move |asked, before, answer| match (asked.cdn, before) {
                (true, 0) => answer.cut(KEPT),
                (true, 1..6) => bad(answer),
                _ => answer,
            },
        );
        let config = config(&server, cache.path());
        let error = fetch(&config, "weights.bin").unwrap_err();
        assert!(
            matches!(error, HubError::BadReply { .. } | HubError::Cut { .. }),
            "{case}: {error}"
        );
        let kept = fs::read(part(cache.path(), &content)).unwrap();
        assert!(kept == content[..KEPT], "{case}: {} bytes", kept.len());
        while server.ranges().len() < 6 {
            fetch(&config, "weights.bin").unwrap_err();
        }
        let path = fetch(&config, "weights.bin").unwrap();
        assert!(fs::read(path).unwrap() == content, "{case}");
        let last = server.ranges().pop().unwrap();
        assert_eq!(last, Some(format!("bytes={KEPT}-")));
    }
}

#[test]
fn a_reply_that_goes_on_and_on_takes_back_what_it_sent() {
    let (cache, content) = (tempdir().unwrap(), noise(3_000_000));
    let endless = noise(5_000_000);
    let server = Server::changed(
        &[("weights.bin", &content)],
        move |asked, before, answer| match asked.cdn && before == 0 {
            true => answer.without("content-length").body(&endless),
            false => answer,
        },
    );
    let config = config(&server, cache.path());
    let error = fetch(&config, "weights.bin").unwrap_err();
    assert!(matches!(error, HubError::BadReply { .. }), "{error}");
    assert!(!part(cache.path(), &content).exists());
    assert!(fs::read(fetch(&config, "weights.bin").unwrap()).unwrap() == content);
}

#[test]
fn a_damaged_content_is_removed() {
    for (file, right) in [
        ("weights.bin", noise(5000)),
        ("notes.txt", b"right".to_vec()),
    ] {
        let cache = tempdir().unwrap();
        let server = Server::changed(&[(file, &right)], |asked, before, mut answer| {
            if asked.method == "GET" && before == 0 && !answer.body.is_empty() {
                answer.body[1] ^= 1;
            }
            answer
        });
        let config = config(&server, cache.path());
        let error = fetch(&config, file).unwrap_err();
        assert!(matches!(error, HubError::Checksum { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(file) && text.contains("SHA-"), "{text}");
        let blobs = cache.path().join("models--org--model/blobs");
        assert_eq!(fs::read_dir(blobs).unwrap().count(), 0);
        // The next try begins anew.
        assert_eq!(fs::read(fetch(&config, file).unwrap()).unwrap(), right);
    }
}

#[test]
fn a_damaged_part_is_found_out() {
    let (cache, content) = (tempdir().unwrap(), noise(1000));
    let server = Server::new(&[("weights.bin", &content)]);
    let part = part(cache.path(), &content);
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, [0; 500]).unwrap();
    let config = config(&server, cache.path());
    let error = fetch(&config, "weights.bin").unwrap_err();
    assert!(matches!(error, HubError::Checksum { .. }), "{error}");
    assert!(!part.exists());
    assert_eq!(server.ranges(), [Some("bytes=500-".to_owned())]);
    fetch(&config, "weights.bin").unwrap();
}

#[test]
fn progress_grows_to_the_end_and_can_stop_it() {
    let (cache, content) = (tempdir().unwrap(), noise(5 << 20));
    let server = Server::new(&[("weights.bin", &content)]);
    let hub = Hub::new(config(&server, cache.path())).unwrap();
    let reference = "hf://org/model/weights.bin".parse().unwrap();
    let stopped = hub.fetch(&reference, &mut |progress| match progress.done {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    assert!(matches!(stopped, Err(HubError::Cancelled)), "{stopped:?}");
    let kept = fs::metadata(part(cache.path(), &content)).unwrap().len();
    assert!(kept > 0 && kept < content.len() as u64);

    let mut seen = Vec::new();
    hub.fetch(&reference, &mut |progress| {
        assert_eq!(progress.file, "weights.bin");
        seen.push((progress.done, progress.total));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen.is_sorted());
    assert_eq!(
        seen.last(),
        Some(&(content.len() as u64, content.len() as u64))
    );
    assert_eq!(server.ranges()[1], Some(format!("bytes={kept}-")));
}

#[test]
fn a_silent_server_can_be_left_at_once_and_is_left_after_a_time() {
    let content = noise(1000);
    let silent = || {
        Server::changed(&[("weights.bin", &content)], |asked, _, mut answer| {
            if asked.cdn {
                answer.stall = Duration::from_secs(20);
            }
            answer
        })
    };
    let (cache, server, start) = (tempdir().unwrap(), silent(), Instant::now());
    let hub = Hub::new(config(&server, cache.path())).unwrap();
    let stopped = hub.fetch(
        &"hf://org/model/weights.bin".parse().unwrap(),
        &mut |_| match start.elapsed() < Duration::from_millis(500) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        },
    );
    assert!(matches!(stopped, Err(HubError::Cancelled)), "{stopped:?}");
    assert!(start.elapsed() < Duration::from_secs(9));

    let (cache, server, start) = (tempdir().unwrap(), silent(), Instant::now());
    let config = HubConfig {
        timeout: Duration::from_millis(200),
        ..config(&server, cache.path())
    };
    let error = fetch(&config, "weights.bin").unwrap_err();
    assert!(
        matches!(error, HubError::Cut { done: 999, .. }),
        "{error:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(15));
}

/// Writing to `/dev/full` always fails as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_to_be_full() {
    let (cache, content) = (tempdir().unwrap(), noise(1000));
    let server = Server::new(&[("weights.bin", &content)]);
    let part = part(cache.path(), &content);
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let error = fetch(&config(&server, cache.path()), "weights.bin").unwrap_err();
    assert!(
        matches!(error, HubError::DiskFull { missing: 1000, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("make room"), "{error}");
}
