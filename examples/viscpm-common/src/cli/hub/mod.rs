//! Files that are named as the Hugging Face Hub names them.

mod bar;
mod environment;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use mpm_data::hub::{Hub, HubError, HubFolder, HubProgress, HubReference};

use super::BoxError;
use bar::Bar;
pub use environment::hub_config;

/// Where a file is that the user names. One like `hf://org/repo/file` or
/// `hf://org/repo@revision/file` is downloaded if it is not in the cache, with a bar on a terminal
/// if it is large; of an index `*.index.json`, all files that it names are. Others are left as they
/// are.
///
/// A download that was ended goes on where it was.
///
/// # Errors
/// Those of the environment, [`hub_config`], and [`HubError`](mpm_data::hub::HubError).
pub fn resolve(given: &Path) -> Result<PathBuf, BoxError> {
    let Some(text) = on_hub(given) else {
        return Ok(given.to_owned());
    };
    let reference = text.parse()?;
    download(|hub, bar| hub.fetch_weights(&reference, bar))
}

/// The same where a model may be named: a folder, such as `hf://org/repo` or
/// `hf://org/repo/folder/`, of which the configuration, what stands beside it and the weights are
/// downloaded; or a file.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_model(given: &Path) -> Result<PathBuf, BoxError> {
    let Some(text) = on_hub(given).filter(|text| HubFolder::recognises(text)) else {
        return resolve(given);
    };
    let folder = text.parse()?;
    download(|hub, bar| hub.fetch_folder(&folder, bar))
}

/// The name of what is on the Hub.
fn on_hub(given: &Path) -> Option<&str> {
    let text = given.to_str()?;
    (HubReference::recognises(text) && !given.exists()).then_some(text)
}

type OnProgress<'a> = &'a mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>;

/// Downloads from the Hub that the environment names, with a bar.
fn download(
    fetch: impl FnOnce(&Hub, OnProgress<'_>) -> Result<PathBuf, HubError>,
) -> Result<PathBuf, BoxError> {
    let hub = Hub::new(hub_config()?)?;
    let mut bar = Bar::new();
    let path = fetch(&hub, &mut |progress| {
        bar.show(progress);
        ControlFlow::Continue(())
    })?;
    Ok(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_left_as_they_are() {
        for file in ["model.bin", "./hf:/x", "/no/such/file/", "hf", ""] {
            for path in [resolve(Path::new(file)), resolve_model(Path::new(file))] {
                assert_eq!(path.unwrap(), Path::new(file));
            }
        }
    }

    #[test]
    fn bad_references_are_refused() {
        for file in ["hf://", "hf://org/repo", "hf://org/repo/../x"] {
            let refused = resolve(Path::new(file));
            assert!(refused.is_err(), "{file}");
        }
        for folder in ["hf://", "hf://org/", "hf://org/repo/../x/"] {
            let refused = resolve_model(Path::new(folder));
            assert!(refused.is_err(), "{folder}");
        }
    }
}
