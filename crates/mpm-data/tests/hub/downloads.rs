//! Downloads where all goes well, and the cache.

use std::{
    fs,
    ops::ControlFlow,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use mpm_data::hub::{Hub, HubConfig, HubError, HubReference, Token};
use tempfile::tempdir;

use mpm_test_support::hub_server::{Answer, Asked, COMMIT, REPO, Server, git_sha1, sha256};

use crate::{config, fetch, files, noise};

#[test]
fn a_file_comes_into_the_cache_that_python_uses() {
    let (cache, content) = (tempdir().unwrap(), noise(3 << 20));
    let small = b"{}\n";
    let server = Server::new(&[("a/weights.bin", &content), ("config.json", small)]);
    let config = config(&server, cache.path());

    let path = fetch(&config, "a/weights.bin").unwrap();
    let snapshot = cache
        .path()
        .join(format!("models--org--model/snapshots/{COMMIT}"));
    assert_eq!(path, snapshot.join("a/weights.bin"));
    assert_eq!(fs::read(&path).unwrap(), content);
    let path = fetch(&config, "config.json").unwrap();
    assert_eq!(path, snapshot.join("config.json"));

    let [large, little] = [sha256(&content), git_sha1(small)];
    let mut expected = vec![
        format!(".locks/models--org--model/{large}.lock"),
        format!(".locks/models--org--model/{little}.lock"),
        format!("models--org--model/blobs/{large}"),
        format!("models--org--model/blobs/{little}"),
        "models--org--model/refs/main".to_owned(),
        format!("models--org--model/snapshots/{COMMIT}/a/weights.bin"),
        format!("models--org--model/snapshots/{COMMIT}/config.json"),
    ];
    expected.sort();
    assert_eq!(files(cache.path()), expected);
    let main = fs::read_to_string(cache.path().join("models--org--model/refs/main"));
    assert_eq!(main.unwrap(), COMMIT);
    #[cfg(unix)]
    {
        let target = fs::read_link(snapshot.join("a/weights.bin")).unwrap();
        assert_eq!(target.to_str().unwrap(), format!("../../../blobs/{large}"));
        let target = fs::read_link(snapshot.join("config.json")).unwrap();
        assert_eq!(target.to_str().unwrap(), format!("../../blobs/{little}"));
    }
}

#[test]
fn what_is_in_the_cache_is_used_without_the_network() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("weights.bin", b"weights")]);
    let config = config(&server, cache.path());
    let path = fetch(&config, "weights.bin").unwrap();
    let asked = server.asked().len();

    assert_eq!(fetch(&config, "weights.bin").unwrap(), path);
    // By its commit as well, which Python has no file in `refs` for.
    let reference: HubReference = format!("hf://{REPO}@{COMMIT}/weights.bin").parse().unwrap();
    let hub = Hub::new(config.clone()).unwrap();
    assert_eq!(hub.cached(&reference), Some(path.clone()));
    assert_eq!(server.asked().len(), asked);

    let offline = HubConfig {
        offline: true,
        ..config
    };
    assert_eq!(fetch(&offline, "weights.bin").unwrap(), path);
    let error = fetch(&offline, "other.bin").unwrap_err();
    assert!(matches!(error, HubError::NotCached { .. }));
    let text = error.to_string();
    let names = [
        "hf://org/model/other.bin",
        "HF_HUB_OFFLINE",
        cache.path().to_str().unwrap(),
    ];
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn a_content_that_is_there_is_not_downloaded_again() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("a.bin", b"same"), ("b.bin", b"same")]);
    let config = config(&server, cache.path());
    fetch(&config, "a.bin").unwrap();
    let path = fetch(&config, "b.bin").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"same");
    assert_eq!(server.ranges().len(), 1);
}

#[test]
fn a_snapshot_that_misses_its_content_is_mended() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("a.bin", b"content")]);
    let config = config(&server, cache.path());
    let path = fetch(&config, "a.bin").unwrap();
    let blob = cache
        .path()
        .join("models--org--model/blobs")
        .join(sha256(b"content"));
    fs::remove_file(&blob).unwrap();
    assert_eq!(
        fs::read(fetch(&config, "a.bin").unwrap()).unwrap(),
        b"content"
    );
    // One of another size cannot be the content.
    fs::remove_file(&path).unwrap();
    fs::write(&blob, b"con").unwrap();
    assert_eq!(
        fs::read(fetch(&config, "a.bin").unwrap()).unwrap(),
        b"content"
    );
}

#[test]
fn an_empty_file_is_a_file() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("a.bin", b""), ("b.txt", b"")]);
    let config = config(&server, cache.path());
    for file in ["a.bin", "b.txt"] {
        assert_eq!(fs::read(fetch(&config, file).unwrap()).unwrap(), b"");
    }
}

#[test]
fn a_revision_may_have_slashes() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("a.bin", b"content")]);
    let hub = Hub::new(config(&server, cache.path())).unwrap();
    let reference = "hf://org/model@v1%2Fa/a.bin".parse().unwrap();
    hub.fetch(&reference, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let refs = cache.path().join("models--org--model/refs/v1/a");
    assert_eq!(fs::read_to_string(refs).unwrap(), COMMIT);
    assert!(hub.cached(&reference).is_some());
}

#[test]
fn a_repository_that_was_renamed_is_found() {
    let cache = tempdir().unwrap();
    let server = Server::changed(&[("a.bin", b"content")], |asked, _, answer| {
        match asked.path.strip_prefix("/org/old/") {
            Some(rest) => Answer::new(307).with("location", format!("/{REPO}/{rest}")),
            None => answer,
        }
    });
    let token = Token::new("hf_secret").unwrap();
    let config = HubConfig {
        token: Some(token),
        ..config(&server, cache.path())
    };
    let hub = Hub::new(config).unwrap();
    let reference = "hf://org/old/a.bin".parse().unwrap();
    let path = hub
        .fetch(&reference, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(fs::read(path).unwrap(), b"content");
    // The Hub is still itself there.
    let mut asked = server.asked().into_iter().filter(|asked| !asked.cdn);
    assert!(asked.all(|asked| asked.header("authorization").is_some()));
}

#[test]
fn a_mirror_may_lead_to_the_hub_but_the_token_stays() {
    let cache = tempdir().unwrap();
    let hub = Server::new(&[("a.bin", b"content"), ("b.txt", b"text")]);
    let there = hub.endpoint.clone();
    let mirror = Server::changed(&[], move |asked, _, _| {
        Answer::new(308).with("location", format!("{there}{}", asked.path))
    });
    let config = HubConfig {
        token: Some(Token::new("hf_secret").unwrap()),
        ..config(&mirror, cache.path())
    };
    for (file, content) in [("a.bin", "content"), ("b.txt", "text")] {
        let path = fetch(&config, file).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), content);
    }
    let with_token = |asked: &Asked| asked.header("authorization").is_some();
    assert!(mirror.asked().iter().all(with_token));
    assert!(!hub.asked().iter().any(with_token));
}

#[test]
fn a_model_in_several_files_comes_together() {
    let cache = tempdir().unwrap();
    let index = br#"{"metadata": {"total_size": 2}, "weight_map": {
        "a": "model-1.bin", "b": "model-2.bin", "c": "model-1.bin"}}"#;
    let server = Server::new(&[
        ("unet/model.bin.index.json", index),
        ("unet/model-1.bin", b"one"),
        ("unet/model-2.bin", b"two"),
    ]);
    let hub = Hub::new(config(&server, cache.path())).unwrap();
    let reference = "hf://org/model/unet/model.bin.index.json".parse().unwrap();
    let mut names = Vec::new();
    let path = hub
        .fetch_weights(&reference, &mut |progress| {
            names.push(progress.file.to_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
    for (file, content) in [("model-1.bin", b"one"), ("model-2.bin", b"two")] {
        assert_eq!(fs::read(path.with_file_name(file)).unwrap(), content);
    }
    names.dedup();
    assert_eq!(
        names,
        [
            "unet/model.bin.index.json",
            "unet/model-1.bin",
            "unet/model-2.bin"
        ]
    );
    // The shards are those of the index's commit, wherever the branch is now.
    let shards = server
        .asked()
        .into_iter()
        .filter(|asked| asked.path.contains("unet/model-"));
    let shards: Vec<_> = shards.filter(|asked| !asked.cdn).collect();
    assert!(!shards.is_empty());
    assert!(
        shards.iter().all(|asked| asked.path.contains(COMMIT)),
        "{shards:?}"
    );
}

#[test]
fn an_index_leads_to_no_file_outside() {
    let cases: [&[u8]; 4] = [
        br#"{"weight_map": {"a": "../../model.bin"}}"#,
        br#"{"weight_map": {"a": "/etc/passwd"}}"#,
        br#"{"weight_map": ["a"]}"#,
        br#"{"#,
    ];
    for index in cases {
        let cache = tempdir().unwrap();
        let server = Server::new(&[("model.bin.index.json", index)]);
        let hub = Hub::new(config(&server, cache.path())).unwrap();
        let reference = "hf://org/model/model.bin.index.json".parse().unwrap();
        let error = hub.fetch_weights(&reference, &mut |_| ControlFlow::Continue(()));
        let error = error.unwrap_err();
        assert!(
            matches!(error, HubError::Shard { .. } | HubError::Index { .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains("model.bin.index.json"),
            "{error}"
        );
    }
}

#[test]
fn the_token_goes_to_the_endpoint_alone() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("weights.bin", b"weights"), ("config.json", b"{}")]);
    let config = HubConfig {
        token: Some(Token::new(" hf_secret\n").unwrap()),
        ..config(&server, cache.path())
    };
    fetch(&config, "weights.bin").unwrap();
    fetch(&config, "config.json").unwrap();
    let asked = server.asked();
    assert!(asked.iter().any(|asked| asked.cdn));
    for asked in asked {
        let expected = (!asked.cdn).then_some("Bearer hf_secret");
        assert_eq!(asked.header("authorization"), expected, "{asked:?}");
    }
    let hub = Hub::new(config.clone()).unwrap();
    let shown = format!("{config:?} {hub:?}");
    assert!(!shown.contains("secret"), "{shown}");
    for bad in ["", " ", "a b", "a\r\nX: y", "ä"] {
        let error = Token::new(bad).unwrap_err();
        assert!(matches!(error, HubError::Token));
    }
}

#[test]
fn two_downloads_of_a_file_wait_for_one_another() {
    let (cache, content) = (tempdir().unwrap(), noise(1 << 20));
    let server = Server::changed(&[("weights.bin", &content)], |asked, _, mut answer| {
        if asked.cdn {
            answer.stall = Duration::from_millis(300);
        }
        answer
    });
    let barrier = Arc::new(Barrier::new(4));
    let downloads: Vec<_> = (0..4)
        .map(|_| {
            let (config, barrier) = (config(&server, cache.path()), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                fetch(&config, "weights.bin")
            })
        })
        .collect();
    for download in downloads {
        let path = download.join().unwrap().unwrap();
        assert_eq!(fs::read(path).unwrap(), content);
    }
    assert_eq!(server.ranges(), [None]);
}

#[test]
fn one_who_waits_for_another_download_can_stop() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("weights.bin", b"weights")]);
    let locks = cache.path().join(".locks/models--org--model");
    fs::create_dir_all(&locks).unwrap();
    let lock = fs::File::create(locks.join(format!("{}.lock", sha256(b"weights")))).unwrap();
    lock.lock().unwrap();
    let hub = Hub::new(config(&server, cache.path())).unwrap();
    let mut calls = 0;
    let stopped = hub.fetch(&"hf://org/model/weights.bin".parse().unwrap(), &mut |_| {
        calls += 1;
        if calls < 20 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert!(matches!(stopped, Err(HubError::Cancelled)), "{stopped:?}");
    assert_eq!(server.ranges(), []);
}
