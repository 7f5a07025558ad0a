//! Whole models.

use std::{ops::ControlFlow, path::PathBuf};

use mpm_data::hub::{Hub, HubConfig, HubError};
use mpm_test_support::hub_server::{Answer, COMMIT, REPO, Server};

use crate::{config, files, noise};

const INDEX: &[u8] = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;

fn fetch(config: &HubConfig, folder: &str) -> Result<PathBuf, HubError> {
    let folder = folder.parse().unwrap();
    Hub::new(config.clone())?.fetch_folder(&folder, &mut |_| ControlFlow::Continue(()))
}

/// A model in two files, with what repositories have besides.
fn sharded() -> Vec<(&'static str, &'static [u8])> {
    vec![
        ("README.md", b"# A model"),
        ("config.json", b"{}"),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("model.safetensors.index.json", INDEX),
        ("pytorch_model.bin", b"the same"),
        ("step-100/config.json", b"{}"),
        ("tokenizer.json", b"{}"),
    ]
}

#[test]
fn a_model_comes_with_all_that_it_needs_and_no_more() {
    let server = Server::new(&sharded());
    let folder = tempfile::tempdir().unwrap();
    let config = config(&server, folder.path());
    let path = fetch(&config, &format!("hf://{REPO}")).unwrap();
    let expected = [
        "config.json",
        "model-1.safetensors",
        "model-2.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ];
    assert_eq!(files(&path), expected);
    assert!(path.ends_with(format!("snapshots/{COMMIT}")));

    // Again, the Hub is asked once, and offline never.
    let before = server.asked().len();
    assert_eq!(fetch(&config, &format!("hf://{REPO}@main/")).unwrap(), path);
    assert_eq!(server.asked().len(), before + 1);
    let offline = HubConfig {
        offline: true,
        ..config
    };
    assert_eq!(fetch(&offline, &format!("hf://{REPO}")).unwrap(), path);
    assert_eq!(server.asked().len(), before + 1);
    let error = fetch(&offline, &format!("hf://{REPO}/unet/")).unwrap_err();
    assert!(matches!(error, HubError::NotCached { .. }), "{error:?}");
}

#[test]
fn a_folder_in_a_repository_is_one_too() {
    let pipeline: [(&str, &[u8]); 4] = [
        ("model_index.json", b"{}"),
        ("unet/config.json", b"{}"),
        ("unet/diffusion_pytorch_model.bin", b"weights"),
        ("unets/config.json", b"{}"),
    ];
    let server = Server::new(&pipeline);
    let folder = tempfile::tempdir().unwrap();
    let config = config(&server, folder.path());
    let unet = fetch(&config, &format!("hf://{REPO}/unet/")).unwrap();
    let parts = ["config.json", "diffusion_pytorch_model.bin"];
    assert_eq!(files(&unet), parts);
    let whole = fetch(&config, &format!("hf://{REPO}")).unwrap();
    assert_eq!(files(&whole), pipeline.map(|(name, _)| name));
    assert_eq!(unet, whole.join("unet"));
}

#[test]
fn a_part_of_a_folder_is_not_taken_for_all_of_it() {
    let weights = noise(1000);
    let mut repository = sharded();
    repository.push(("model.safetensors", &weights));
    let server = Server::changed(&repository, |asked, _, answer| {
        match asked.path.ends_with("/tokenizer.json") {
            true => Answer::new(404).with("x-error-code", "EntryNotFound"),
            false => answer,
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let config = config(&server, folder.path());
    let error = fetch(&config, &format!("hf://{REPO}")).unwrap_err();
    assert!(matches!(error, HubError::FileNotFound { .. }), "{error:?}");
    // The weights are there already.
    assert!(
        files(folder.path())
            .iter()
            .any(|file| file.contains("model.safetensors"))
    );
    let offline = HubConfig {
        offline: true,
        ..config
    };
    let error = fetch(&offline, &format!("hf://{REPO}")).unwrap_err();
    assert!(matches!(error, HubError::NotCached { .. }), "{error:?}");
}

#[test]
fn what_is_no_model_is_named_so() {
    let server = Server::new(&[("README.md", b"#"), ("weights.v1.bin", b"")]);
    let folder = tempfile::tempdir().unwrap();
    let config = config(&server, folder.path());
    let error = fetch(&config, &format!("hf://{REPO}")).unwrap_err();
    assert!(matches!(error, HubError::NotModel { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("README.md, weights.v1.bin"), "{text}");
    let error = fetch(&config, "hf://org/other").unwrap_err();
    assert!(matches!(error, HubError::RepoNotFound { .. }), "{error:?}");
    let error = fetch(&config, &format!("hf://{REPO}@other")).unwrap_err();
    assert!(
        matches!(error, HubError::RevisionNotFound { .. }),
        "{error:?}"
    );
}

#[test]
fn hostile_lists_are_refused() {
    let list = |list: &'static str| {
        let server = Server::changed(&sharded(), move |asked, _, answer| {
            match asked.path.starts_with("/api/") {
                true => Answer::new(200)
                    .with("content-length", list.len())
                    .body(list.as_bytes()),
                false => answer,
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("a/cache");
        let result = fetch(&config(&server, &cache), &format!("hf://{REPO}"));
        // Neither in the cache nor beside it.
        assert_eq!(files(folder.path()), [""; 0]);
        result.unwrap_err()
    };
    for bad in [
        "<html>Sign in to the network</html>",
        r#"{"sha": "../../x", "siblings": [{"rfilename": "config.json"}]}"#,
        r#"{"siblings": [{"rfilename": "config.json"}]}"#,
    ] {
        let error = list(bad);
        assert!(
            matches!(error, HubError::BadReply { .. }),
            "{bad}: {error:?}"
        );
    }
    let outside = r#"{"sha": "0123456789abcdef0123456789abcdef01234567",
        "siblings": [{"rfilename": "../config.json"}, {"rfilename": "/config.json"}]}"#;
    let error = list(outside);
    assert!(matches!(error, HubError::NotModel { .. }), "{error:?}");
}
