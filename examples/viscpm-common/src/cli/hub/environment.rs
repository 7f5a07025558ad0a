//! What the environment says about the Hub, as for `huggingface_hub` of Python.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use mpm_data::hub::{HubConfig, Proxy, Token};

use crate::cli::BoxError;

/// The Hub as the environment configures it:
///
/// - `HF_HUB_CACHE`, the folder of the cache; otherwise `hub` in `HF_HOME`, which is
///   `~/.cache/huggingface` (or in `XDG_CACHE_HOME`) by default;
/// - `HF_ENDPOINT`, a mirror;
/// - `HF_TOKEN`, or else the file `HF_TOKEN_PATH`, which is `token` in `HF_HOME` by default;
/// - `HF_HUB_OFFLINE`: `1` for no downloads;
/// - `HTTPS_PROXY`, `NO_PROXY` and their like.
///
/// # Errors
/// Says which variable has a value that cannot be used.
pub fn hub_config() -> Result<HubConfig, BoxError> {
    let environment = Environment {
        variable: &|name| env::var_os(name),
        home: env::home_dir(),
    };
    Ok(HubConfig {
        proxy: Proxy::try_from_env(),
        ..environment.hub_config()?
    })
}

struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The user's folder.
    home: Option<PathBuf>,
}

impl Environment<'_> {
    fn hub_config(&self) -> Result<HubConfig, BoxError> {
        let cache = self.path("HF_HUB_CACHE").or_else(|| self.in_home("hub"));
        let cache = cache.ok_or("there is no home folder; name one for downloads by HF_HOME")?;
        let config = HubConfig::new(cache);
        let offline = self.text("HF_HUB_OFFLINE")?.unwrap_or_default();
        let yes = ["1", "on", "yes", "true"];
        Ok(HubConfig {
            endpoint: self.text("HF_ENDPOINT")?.unwrap_or(config.endpoint),
            token: self.token()?,
            offline: yes.contains(&offline.to_lowercase().as_str()),
            ..config
        })
    }

    fn token(&self) -> Result<Option<Token>, BoxError> {
        if let Some(token) = self.text("HF_TOKEN")? {
            let token = Token::new(&token).map_err(|error| format!("HF_TOKEN: {error}"))?;
            return Ok(Some(token));
        }
        let file = self.path("HF_TOKEN_PATH").or_else(|| self.in_home("token"));
        file.map_or(Ok(None), |file| read_token(&file))
    }

    fn in_home(&self, name: &str) -> Option<PathBuf> {
        let home = self.path("HF_HOME").or_else(|| {
            let caches = self.path("XDG_CACHE_HOME");
            let caches = caches.or_else(|| Some(self.home.as_ref()?.join(".cache")))?;
            Some(caches.join("huggingface"))
        })?;
        Some(home.join(name))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = (self.variable)(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    }

    fn text(&self, name: &str) -> Result<Option<String>, BoxError> {
        let value = self
            .path(name)
            .map(|value| value.into_os_string().into_string());
        let value = value.transpose();
        Ok(value.map_err(|_| format!("{name} is no text; set it anew"))?)
    }
}

/// The token of a file, which may be missing or empty.
fn read_token(file: &Path) -> Result<Option<Token>, BoxError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display()).into()),
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let token = Token::new(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Some(token))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<HubConfig, BoxError> {
        let find = |name: &str| {
            let mut variables = variables.iter();
            let found = variables.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        };
        let environment = Environment {
            variable: &find,
            home: Some("/home/me".into()),
        };
        environment.hub_config()
    }

    fn cache(variables: &[(&str, &str)]) -> PathBuf {
        config(variables).unwrap().cache
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        assert_eq!(cache(&[]), Path::new("/home/me/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "")]), cache(&[]));
        let xdg = ("XDG_CACHE_HOME", "/x");
        assert_eq!(cache(&[xdg]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[xdg, ("HF_HOME", "/h")]), Path::new("/h/hub"));
        let both = [("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")];
        assert_eq!(cache(&both), Path::new("/c"));
        let nowhere = Environment {
            variable: &|_| None,
            home: None,
        };
        let nowhere = nowhere.hub_config();
        assert!(nowhere.is_err_and(|error| error.to_string().contains("HF_HOME")));
    }

    #[test]
    fn offline_is_said_in_several_ways() {
        for (value, offline) in [
            ("1", true),
            ("ON", true),
            ("True", true),
            ("0", false),
            ("", false),
        ] {
            let config = config(&[("HF_HUB_OFFLINE", value)]).unwrap();
            assert_eq!(config.offline, offline, "{value}");
        }
    }

    #[test]
    fn a_mirror_takes_the_place_of_the_hub() {
        let endpoint = |variables| config(variables).unwrap().endpoint;
        assert_eq!(endpoint(&[]), "https://huggingface.co");
        assert_eq!(endpoint(&[("HF_ENDPOINT", "https://m")]), "https://m");
    }

    #[test]
    fn a_token_comes_from_its_variable_or_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = ("HF_HOME", folder.path().to_str().unwrap());
        let token = |variables: &[_]| config(variables).unwrap().token;
        let is = |text| Some(Token::new(text).unwrap());
        assert_eq!(token(&[home]), None);
        let file = folder.path().join("token");
        fs::write(&file, "\n").unwrap();
        assert_eq!(token(&[home]), None);
        fs::write(&file, "hf_file\n").unwrap();
        assert_eq!(token(&[home]), is("hf_file"));
        assert_eq!(
            token(&[home, ("HF_TOKEN", "hf_variable")]),
            is("hf_variable")
        );
        let elsewhere = ("HF_TOKEN_PATH", file.to_str().unwrap());
        assert_eq!(token(&[elsewhere]), is("hf_file"));

        let error = config(&[("HF_TOKEN", "sec ret")]).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("HF_TOKEN") && !text.contains("sec"), "{text}");
    }
}
