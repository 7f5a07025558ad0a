//! Translation of data sets by a user's command or HTTP endpoint.
//!
//! A [`TranslationService`] takes requests, lines of JSON
//! `{"id": "1", "text": "a cat", "source": "en", "target": "de"}`, and answers in any order by
//! `{"id": "1", "translation": "eine Katze"}` or `{"id": "1", "error": "…"}`. The [`Judge`] says
//! what each line of an answer is worth; a [`TranslationCache`] keeps translations on the disk,
//! so that a run that was killed goes on where it was, and [`translate_texts`] asks for what is
//! missing. [`translate_dataset`] does so for the captions, questions and answers of a data set
//! and writes another one.
//!
//! What is not about translation can be used on its own: [`CommandService::send`] and
//! [`HttpService::post`] hand lines over and take lines, a [`LineFile`] keeps them.

mod cache;
mod command;
mod config;
mod data_set;
mod error;
mod http;
mod line_file;
mod output;
mod reply_fault;
mod report;
mod request;
mod select;
mod service;
mod texts;
mod translator;

pub use cache::TranslationCache;
pub use command::CommandService;
pub use config::{ServiceConfig, TranslationConfig};
pub use data_set::{TranslatedDataset, translate_dataset};
pub use error::TranslationError;
pub use http::HttpService;
pub use line_file::{LineFile, LineFileError};
pub use reply_fault::{ReplyFault, ReplyFaults};
pub use report::{TranslationFailure, TranslationReport};
pub use request::{Judge, TranslationRequest, Verdict};
pub use service::{ServiceError, TranslationService};
pub use translator::{AskOptions, TranslationProgress, translate_texts};
