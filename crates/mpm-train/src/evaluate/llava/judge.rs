//! Who judges.

use mpm_data::translate::ServiceError;

/// Something that replies to a prompt: a language model.
pub trait AnswerJudge {
    /// Names the judge, so that kept replies of another one are not taken for its own.
    fn name(&self) -> &str;

    /// The reply to a prompt.
    ///
    /// # Errors
    /// [`JudgeError`]; the next prompt begins anew.
    fn reply(&mut self, prompt: &str) -> Result<String, JudgeError>;
}

/// Why a judge gave no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The command or the endpoint cannot be used.
    #[error(transparent)]
    Service(#[from] ServiceError),

    /// The prompt cannot be written as JSON.
    #[error("the prompt cannot be written: {0}")]
    Write(#[source] serde_json::Error),

    /// The reply is not in the layout that was agreed on.
    #[error("the reply cannot be read ({reason}): {reply}")]
    Layout {
        /// What is wrong.
        reason: String,
        /// The beginning of the reply.
        reply: String,
    },

    /// The reply is longer than any judgement.
    #[error("the reply is longer than {limit} bytes")]
    Long {
        /// The longest allowed.
        limit: usize,
    },

    /// The judge says that it cannot judge.
    #[error("the judge reports: {error}")]
    Reported {
        /// Its words.
        error: String,
    },
}

/// How much of a reply is shown in messages, in characters.
const SHOWN: usize = 200;

impl JudgeError {
    /// An error about the layout of a reply.
    pub(super) fn layout(reason: impl ToString, reply: &[u8]) -> Self {
        let reply = String::from_utf8_lossy(reply);
        Self::Layout {
            reason: reason.to_string(),
            reply: reply.trim().chars().take(SHOWN).collect(),
        }
    }
}
