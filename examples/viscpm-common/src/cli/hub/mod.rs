//! Files that are named as the Hugging Face Hub names them.

mod bar;
mod environment;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use mpm_data::hub::{Hub, HubReference};

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
    let named = given.to_str().filter(|text| HubReference::recognises(text));
    let Some(text) = named.filter(|_| !given.exists()) else {
        return Ok(given.to_owned());
    };
    let reference = text.parse()?;
    let hub = Hub::new(hub_config()?)?;
    let mut bar = Bar::new();
    let path = hub.fetch_weights(&reference, &mut |progress| {
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
        for file in ["model.bin", "./hf:/x", "/no/such/file", "hf", ""] {
            let path = resolve(Path::new(file));
            assert_eq!(path.unwrap(), Path::new(file));
        }
    }

    #[test]
    fn bad_references_are_refused() {
        for file in ["hf://", "hf://org/repo", "hf://org/repo/../x"] {
            let refused = resolve(Path::new(file));
            assert!(refused.is_err(), "{file}");
        }
    }
}
