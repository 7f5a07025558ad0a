//! Where files come from and go to.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use ureq::Proxy;

use super::Token;

/// Where files come from and go to. Nothing is taken from the environment.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// The folder of the cache, `~/.cache/huggingface/hub` for most.
    pub cache: PathBuf,
    /// The Hub or a mirror of it, with `https://`.
    pub endpoint: String,
    /// Needed for private and gated repositories.
    pub token: Option<Token>,
    /// Use only what is in the cache.
    pub offline: bool,
    /// Needed where the network is only reached through one.
    pub proxy: Option<Proxy>,
    /// How often something is tried that fails for a reason that may pass. Attempts that brought
    /// something do not count.
    pub attempts: NonZeroU32,
    /// The time before the second attempt. It doubles with each further one.
    pub pause: Duration,
    /// The longest time without a byte.
    pub timeout: Duration,
}

impl HubConfig {
    /// `https://huggingface.co`.
    pub const ENDPOINT: &str = "https://huggingface.co";

    /// The Hub itself, without a token: 5 attempts, the second after a second, 30 seconds for each
    /// byte.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            endpoint: Self::ENDPOINT.to_owned(),
            token: None,
            offline: false,
            proxy: None,
            attempts: NonZeroU32::MIN.saturating_add(4),
            pause: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
        }
    }
}
