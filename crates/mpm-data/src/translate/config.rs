//! What a user says about a translation.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{AskOptions, CommandService, HttpService, TranslationError, TranslationService};
use crate::dataset::DatasetConfig;

/// A data set to translate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationConfig {
    /// The data set.
    pub dataset: DatasetConfig,
    /// The language of the texts that are translated, ISO 639-1. Texts that the data set says to
    /// be of another language are left out.
    pub source: String,
    /// The language to translate to, ISO 639-1.
    pub target: String,
    /// The folder to make: `examples.jsonl`, `dataset.json` and `pictures/`.
    pub output: PathBuf,
    /// The folder of what is kept between runs: `translations.jsonl` and `failures.jsonl`.
    pub cache: PathBuf,
    /// Translate only that many examples, drawn by the seed. Those of a smaller limit are among
    /// those of a larger one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroUsize>,
    /// Decides which examples those of a limit are.
    #[serde(default)]
    pub seed: u64,
    /// Who translates.
    pub service: ServiceConfig,
    /// How it is asked.
    #[serde(default)]
    pub ask: AskOptions,
}

/// Who translates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceConfig {
    /// A [`CommandService`]
    Command {
        /// A line for `sh -c`
        command: String,
        /// Seconds to wait for a line.
        #[serde(default = "two_minutes")]
        timeout_s: f64,
    },
    /// An [`HttpService`]
    Endpoint {
        /// Where to post requests.
        url: String,
        /// Headers of each request, an authorization for instance.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Seconds to wait for the answer to a batch.
        #[serde(default = "two_minutes")]
        timeout_s: f64,
    },
}

fn two_minutes() -> f64 {
    120.0
}

impl ServiceConfig {
    /// The service. It is not asked or started yet.
    ///
    /// # Errors
    /// [`TranslationError::Seconds`] for a time that is none.
    pub fn open(&self) -> Result<Box<dyn TranslationService>, TranslationError> {
        Ok(match self {
            Self::Command { command, timeout_s } => {
                Box::new(CommandService::new(command, timeout(*timeout_s)?))
            }
            Self::Endpoint {
                url,
                headers,
                timeout_s,
            } => Box::new(HttpService::new(url, headers.clone(), timeout(*timeout_s)?)),
        })
    }
}

fn timeout(seconds: f64) -> Result<Duration, TranslationError> {
    let duration = Duration::try_from_secs_f64(seconds).ok();
    let duration = duration.filter(|duration| !duration.is_zero());
    duration.ok_or(TranslationError::Seconds {
        field: "timeout_s",
        value: seconds,
    })
}
