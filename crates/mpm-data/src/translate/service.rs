//! Who translates.

use std::{
    io::{self, BufRead, Read},
    ops::ControlFlow,
    time::Duration,
};

use super::TranslationRequest;

/// The longest line that is taken from a service, in bytes. One without end would fill the memory.
const LINE_LIMIT: u64 = 1 << 20;

/// Something that answers requests by lines of JSON: `{"id", "translation"}` or `{"id", "error"}`.
pub trait TranslationService {
    /// Asks for a batch and hands each line of the reply to `take`, until that breaks or the reply
    /// ends. Whether the lines are good answers is not the service's concern.
    ///
    /// # Errors
    /// [`ServiceError`] when the reply ends too early. The lines before that count, and the next
    /// exchange begins anew.
    fn exchange(
        &mut self,
        requests: &[TranslationRequest],
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ServiceError>;
}

/// Why a service gave no complete reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The command cannot be started.
    #[error("the command cannot be started: {0}")]
    Start(#[source] io::Error),

    /// The command ended before all was answered.
    #[error("the command ended before it had answered everything ({status}){stderr}")]
    Ended {
        /// How it ended.
        status: String,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },

    /// The command gives no answer.
    #[error("the command gave no line for {} s and was ended{stderr}", after.as_secs_f32())]
    Idle {
        /// How long it was waited for.
        after: Duration,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },

    /// A line without end.
    #[error("a line of the reply is longer than {limit} bytes")]
    LongLine {
        /// The longest allowed.
        limit: u64,
    },

    /// The endpoint answers that something is wrong.
    #[error("the endpoint answered with status {status}: {body}")]
    Status {
        /// HTTP's code.
        status: u16,
        /// The beginning of the body.
        body: String,
    },

    /// The endpoint cannot be reached, or is too slow.
    #[error("the endpoint cannot be used: {0}")]
    Http(#[source] Box<ureq::Error>),

    /// The endpoint's reply breaks off.
    #[error("the reply breaks off: {0}")]
    Read(#[source] io::Error),

    /// Requests cannot be written as JSON.
    #[error("the requests cannot be written: {0}")]
    Write(#[source] serde_json::Error),
}

/// A line of JSON for each request.
pub(super) fn lines(requests: &[TranslationRequest]) -> Result<Vec<u8>, ServiceError> {
    let mut lines = Vec::new();
    for request in requests {
        serde_json::to_writer(&mut lines, request).map_err(ServiceError::Write)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The next line of a reply with its end, if any.
pub(super) fn next_line(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>, ServiceError> {
    let mut line = Vec::new();
    let mut limited = reader.by_ref().take(LINE_LIMIT);
    let read = limited.read_until(b'\n', &mut line);
    read.map_err(ServiceError::Read)?;
    match line.len() as u64 == LINE_LIMIT && !line.ends_with(b"\n") {
        true => Err(ServiceError::LongLine { limit: LINE_LIMIT }),
        false => Ok(Some(line).filter(|line| !line.is_empty())),
    }
}
