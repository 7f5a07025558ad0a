//! Downloads from a server like the Hub, and from ones that fail or cheat.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![cfg(feature = "hub")]

#[path = "hub/cuts.rs"]
mod cuts;
#[path = "hub/downloads.rs"]
mod downloads;
#[path = "hub/folders.rs"]
mod folders;
#[path = "hub/hostile.rs"]
mod hostile;
#[path = "hub/references.rs"]
mod references;
#[path = "hub/refusals.rs"]
mod refusals;

use std::{
    fs,
    num::NonZeroU32,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use mpm_data::hub::{Hub, HubConfig, HubError};
use mpm_test_support::hub_server::{REPO, Server};

/// Of a server, three attempts without much of a pause.
fn config(server: &Server, cache: &Path) -> HubConfig {
    HubConfig {
        endpoint: server.endpoint.clone(),
        attempts: NonZeroU32::new(3).unwrap(),
        pause: Duration::from_millis(2),
        timeout: Duration::from_secs(10),
        ..HubConfig::new(cache)
    }
}

fn fetch(config: &HubConfig, file: &str) -> Result<PathBuf, HubError> {
    let reference = format!("hf://{REPO}/{file}").parse().unwrap();
    Hub::new(config.clone())?.fetch(&reference, &mut |_| ControlFlow::Continue(()))
}

/// The files of the cache, relative to it.
fn files(cache: &Path) -> Vec<String> {
    fn list(folder: &Path, cache: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                list(&path, cache, found);
            } else {
                let path = path.strip_prefix(cache).unwrap();
                found.push(path.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    let mut found = Vec::new();
    list(cache, cache, &mut found);
    found.sort();
    found
}

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}
