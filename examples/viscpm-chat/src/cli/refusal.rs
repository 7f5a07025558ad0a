//! Pictures that a safety checker refused, as a program reads it.

use std::error::Error;

use mpm_vision::clip::SafetyReport;
use serde_json::{Value, json};
use viscpm_chat::ChatError;
use viscpm_common::cli::failure::reasons;

/// What was found in a picture that is refused.
pub fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a SafetyReport> {
    match error.downcast_ref() {
        Some(ChatError::PictureRefused { report }) => Some(report),
        _ => None,
    }
}

/// An error as a JSON object: its text under `error`, and under `refused` what was found in a
/// picture that is refused.
pub fn object(error: &(dyn Error + 'static)) -> Value {
    let mut object = json!({ "error": reasons(error).join(": ") });
    if let Some(report) = refusal(error) {
        object["refused"] = json!(report);
    }
    object
}
