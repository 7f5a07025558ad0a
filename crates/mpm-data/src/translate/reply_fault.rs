//! What is wrong with replies.

use serde::Serialize;

/// Why a line of a service is no translation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyFault {
    /// It is not in the format.
    #[error("malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// No request of the batch has its id.
    #[error("nothing was asked with the id `{id}`")]
    UnknownId {
        /// The id.
        id: String,
    },
    /// It is the second answer to a request. The first one counts.
    #[error("the id `{id}` was answered before")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// It has no characters but white space.
    #[error("the translation is empty")]
    Empty,
    /// It speaks of a picture where the text does not.
    #[error("the translation has an `<image>` that the text has not")]
    Marker,
    /// The service says that it cannot translate the text.
    #[error("the service reports: {error}")]
    Reported {
        /// Its words.
        error: String,
    },
}

/// How often each [`ReplyFault`] was met, over all rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplyFaults {
    /// Lines that are not in the format.
    pub malformed: u64,
    /// Answers to what was not asked.
    pub unknown_id: u64,
    /// Second answers.
    pub duplicate_id: u64,
    /// Empty translations.
    pub empty: u64,
    /// Translations with a marker of a picture that the text has not.
    pub marker: u64,
    /// Errors that the service reported.
    pub reported: u64,
}

impl ReplyFaults {
    /// Counts one.
    pub fn count(&mut self, fault: &ReplyFault) {
        *match fault {
            ReplyFault::Malformed { .. } => &mut self.malformed,
            ReplyFault::UnknownId { .. } => &mut self.unknown_id,
            ReplyFault::DuplicateId { .. } => &mut self.duplicate_id,
            ReplyFault::Empty => &mut self.empty,
            ReplyFault::Marker => &mut self.marker,
            ReplyFault::Reported { .. } => &mut self.reported,
        } += 1;
    }
}
