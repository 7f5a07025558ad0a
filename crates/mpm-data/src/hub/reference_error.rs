//! What is wrong with a name.

/// Why a text names nothing of the Hub.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// It begins otherwise.
    #[error("`{given}` does not begin with `hf://`; write hf://org/repo/file")]
    Scheme {
        /// The text.
        given: String,
    },

    /// Neither models nor data sets.
    #[error(
        "`{given}` is in `{kind}/`; only models, hf://org/repo/file, and data sets, \
         hf://datasets/org/repo/file, can be downloaded"
    )]
    Kind {
        /// The text.
        given: String,
        /// What it begins with.
        kind: String,
    },

    /// The repository, or the file where one is needed, is missing.
    #[error(
        "`{given}` is incomplete; write hf://org/repo/file or hf://org/repo@revision/file, and \
         where a folder will do, hf://org/repo"
    )]
    Incomplete {
        /// The text.
        given: String,
    },

    /// No repository is called so.
    #[error("`{repo}` is no repository: {reason}")]
    Repo {
        /// The name.
        repo: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// No revision is called so.
    #[error("`{revision}` is no revision: {reason}")]
    Revision {
        /// The name.
        revision: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// No file is called so.
    #[error("`{file}` is no file of a repository: {reason}")]
    File {
        /// The name.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}
