//! What the Hub refuses, and what that is called.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use mpm_data::hub::{HubConfig, HubError, Token};
use tempfile::tempdir;

use mpm_test_support::hub_server::{Answer, Server};

use crate::{config, fetch};

/// Fetches from a server that always gives the same answer.
fn refused(answer: Answer, token: Option<&str>) -> (HubError, usize) {
    let cache = tempdir().unwrap();
    let server = Server::changed(&[], move |_, _, _| answer.clone());
    let config = HubConfig {
        token: token.map(|token| Token::new(token).unwrap()),
        ..config(&server, cache.path())
    };
    let error = fetch(&config, "weights.bin").unwrap_err();
    // Nothing is left behind that looks like a file.
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    (error, server.asked().len())
}

fn says(error: &HubError, parts: &[&str]) {
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn gated_repositories_want_their_licence_accepted() {
    for status in [401, 403] {
        let (error, asked) = refused(Answer::new(status).with("x-error-code", "GatedRepo"), None);
        assert!(matches!(error, HubError::Gated { .. }), "{error:?}");
        says(
            &error,
            &["org/model", "accept its licence", "/org/model", "HF_TOKEN"],
        );
        assert_eq!(asked, 1);
    }
}

#[test]
fn strangers_are_told_that_a_repository_may_be_private() {
    let (error, _) = refused(Answer::new(401), None);
    assert!(matches!(error, HubError::RepoNotFound { .. }), "{error:?}");
    says(&error, &["org/model", "private", "HF_TOKEN"]);
    for status in [401, 403] {
        let (error, _) = refused(Answer::new(status), Some("hf_secret"));
        assert!(matches!(error, HubError::Denied { .. }), "{error:?}");
        says(
            &error,
            &["org/model", "licence", "HF_TOKEN", &status.to_string()],
        );
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

#[test]
fn what_is_not_there_is_named() {
    let cache = tempdir().unwrap();
    let server = Server::new(&[("weights.bin", b"weights")]);
    let config = config(&server, cache.path());
    let fetch = |reference: &str| {
        let hub = mpm_data::hub::Hub::new(config.clone()).unwrap();
        let fetched = hub.fetch(&reference.parse().unwrap(), &mut |_| {
            std::ops::ControlFlow::Continue(())
        });
        fetched.unwrap_err()
    };
    let error = fetch("hf://org/other/weights.bin");
    assert!(matches!(error, HubError::RepoNotFound { .. }), "{error:?}");
    says(&error, &["org/other"]);
    let error = fetch("hf://org/model@v9/weights.bin");
    assert!(
        matches!(error, HubError::RevisionNotFound { .. }),
        "{error:?}"
    );
    says(&error, &["org/model", "v9"]);
    let error = fetch("hf://org/model/weigths.bin");
    assert!(matches!(error, HubError::FileNotFound { .. }), "{error:?}");
    says(&error, &["org/model", "weigths.bin", "main"]);

    let (error, asked) = refused(Answer::new(404), None);
    assert!(matches!(error, HubError::NotFound { .. }), "{error:?}");
    says(
        &error,
        &["hf://org/model/weights.bin", "`main`", "/org/model)"],
    );
    assert_eq!(asked, 1);
}

#[test]
fn a_busy_hub_is_asked_again() {
    for status in [429, 408, 500, 502, 503, 504] {
        let cache = tempdir().unwrap();
        let server = Server::changed(
            &[("a.bin", b"content")],
            move |_, before, answer| match before {
                0 => Answer::new(status).with("x-error-message", "too busy"),
                _ => answer,
            },
        );
        let path = fetch(&config(&server, cache.path()), "a.bin").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"content");
    }
    let answer = Answer::new(503).with("x-error-message", "down for a while");
    let (error, asked) = refused(answer, None);
    assert!(
        matches!(error, HubError::Status { status: 503, .. }),
        "{error:?}"
    );
    says(&error, &["503", "down for a while"]);
    assert_eq!(asked, 3);
    // What does not pass is not tried again.
    let (error, asked) = refused(Answer::new(418), None);
    assert!(
        matches!(error, HubError::Status { status: 418, .. }),
        "{error:?}"
    );
    assert_eq!(asked, 1);
}

#[test]
fn a_busy_hub_may_say_when_to_come_back() {
    let (cache, start) = (tempdir().unwrap(), Instant::now());
    let server = Server::changed(&[("a.bin", b"content")], |_, before, answer| match before {
        0 => Answer::new(429).with("retry-after", 1),
        _ => answer,
    });
    fetch(&config(&server, cache.path()), "a.bin").unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn an_address_that_expired_is_asked_for_again() {
    let cache = tempdir().unwrap();
    let server = Server::changed(&[("a.bin", b"content")], |asked, before, answer| {
        match asked.cdn && before == 0 {
            true => Answer::new(403),
            false => answer,
        }
    });
    let path = fetch(&config(&server, cache.path()), "a.bin").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"content");
    let asked = server.asked();
    let paths: Vec<_> = asked
        .iter()
        .map(|asked| (asked.method.as_str(), asked.cdn))
        .collect();
    let (hub, cdn) = (("GET", false), ("GET", true));
    assert_eq!(paths, [("HEAD", false), hub, cdn, hub, cdn]);
}

#[test]
fn without_a_network_it_says_what_to_do() {
    let cache = tempdir().unwrap();
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for endpoint in [
        format!("http://{address}"),
        "http://no-such-host.invalid".to_owned(),
    ] {
        let config = HubConfig {
            endpoint,
            pause: Duration::from_secs(60),
            ..HubConfig::new(cache.path())
        };
        let error = fetch(&config, "a.bin").unwrap_err();
        assert!(matches!(error, HubError::Unreachable { .. }), "{error:?}");
        says(&error, &["network", "HF_ENDPOINT", "HF_HUB_OFFLINE"]);
    }
}

#[cfg(not(feature = "https"))]
#[test]
fn a_program_without_tls_says_so() {
    let cache = tempdir().unwrap();
    let error = fetch(&HubConfig::new(cache.path()), "a.bin").unwrap_err();
    assert!(matches!(error, HubError::Tls { .. }), "{error:?}");
    says(&error, &["huggingface.co", "--features https"]);
}
