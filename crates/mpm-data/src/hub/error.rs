//! Why a file of the Hub is not there.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{ReferenceError, endpoint::Origin};

/// What keeps a file of the Hub from being used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// It names no file.
    #[error(transparent)]
    Reference(#[from] ReferenceError),

    /// There is no such address.
    #[error(
        "`{endpoint}` is no address of the Hub; it has to be like https://huggingface.co, without \
         a password or a query"
    )]
    Endpoint {
        /// What was given.
        endpoint: String,
    },

    /// The token is none. It is not shown.
    #[error("the token is empty or has characters that tokens do not have; copy it anew")]
    Token,

    /// There is no network to be used, and the file was not downloaded before.
    #[error(
        "{name} is not in the cache {}, and downloads are off (offline mode); switch offline \
         mode off (HF_HUB_OFFLINE), or name another cache (HF_HUB_CACHE)",
        cache.display()
    )]
    NotCached {
        /// What was looked for.
        name: String,
        /// Where.
        cache: PathBuf,
    },

    /// There is no network, or a firewall.
    #[error(
        "{host} cannot be reached: {source}; check the network, name a mirror (HF_ENDPOINT) or a \
         proxy (HTTPS_PROXY), or copy a cache from elsewhere and use it offline \
         (HF_HUB_OFFLINE=1)"
    )]
    Unreachable {
        /// Whom it was looked for at.
        host: String,
        /// Why.
        source: Box<ureq::Error>,
    },

    /// This program cannot speak TLS.
    #[error(
        "{host} wants `https://`, which this program cannot speak; build it with `--features https`"
    )]
    Tls {
        /// Who wants it.
        host: String,
    },

    /// The exchange failed.
    #[error("{host} cannot be used: {source}")]
    Http {
        /// Who was asked.
        host: String,
        /// What failed.
        source: Box<ureq::Error>,
    },

    /// The connection broke off again and again.
    #[error(
        "{host} cut the connection after {done} of {total} bytes: {source}; these are kept, try \
         again to go on from there"
    )]
    Cut {
        /// Who sent.
        host: String,
        /// Bytes that are there.
        done: u64,
        /// All bytes.
        total: u64,
        /// How it broke off.
        source: io::Error,
    },

    /// The authors give it to those only who agree to their terms.
    #[error(
        "{repo} is gated: accept its licence at {page}, then give the token of your account \
         (HF_TOKEN; https://huggingface.co/settings/tokens)"
    )]
    Gated {
        /// The repository.
        repo: String,
        /// Where its licence can be accepted.
        page: String,
    },

    /// The Hub wants to know who asks, or does not let them in.
    #[error(
        "{repo} may not be read with this token (status {status}): accept its licence at {page} if \
         it has one, and check the token (HF_TOKEN)"
    )]
    Denied {
        /// The repository.
        repo: String,
        /// Its page.
        page: String,
        /// HTTP's code.
        status: u16,
    },

    /// There is no such repository, for this user at least.
    #[error(
        "there is no repository {repo} at {page}, or it is private or gated: check its name, or \
         accept its licence there and give a token (HF_TOKEN) that may read it"
    )]
    RepoNotFound {
        /// The repository.
        repo: String,
        /// Where it would be.
        page: String,
    },

    /// The repository has no such branch, tag or commit.
    #[error("{repo} has no revision `{revision}`; name one of its branches, tags or commits")]
    RevisionNotFound {
        /// The repository.
        repo: String,
        /// What it does not have.
        revision: String,
    },

    /// The repository has no such file.
    #[error(
        "{repo} has no file `{file}` at revision `{revision}`; the name of a folder ends with `/`"
    )]
    FileNotFound {
        /// The repository.
        repo: String,
        /// The revision.
        revision: String,
        /// What is not in it.
        file: String,
    },

    /// The repository, the revision or the file is missing; the server does not say which.
    #[error(
        "{name} was not found: check the repository ({page}), the revision `{revision}` and the \
         name of the file"
    )]
    NotFound {
        /// What was looked for.
        name: String,
        /// The revision.
        revision: String,
        /// The page of the repository.
        page: String,
    },

    /// A folder has nothing of what a model folder has.
    #[error(
        "{folder} is no model folder: it has no configuration; name one of its files{}",
        examples(files)
    )]
    NotModel {
        /// The folder.
        folder: String,
        /// What it has, relative to it.
        files: Vec<String>,
    },

    /// The server answers that something else is wrong.
    #[error(
        "{host} answered with status {status}{}; try again later",
        told(message)
    )]
    Status {
        /// Who answered.
        host: String,
        /// HTTP's code.
        status: u16,
        /// What it says.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
        /// Whether that is worth it.
        passes: bool,
    },

    /// One address leads to the next, and so on.
    #[error("{host} redirects without end; check the address of the Hub (HF_ENDPOINT)")]
    Redirects {
        /// Who was asked first.
        host: String,
    },

    /// The server does not behave as the Hub does.
    #[error(
        "{host} does not answer as the Hub does: {reason}; check the address of the Hub \
         (HF_ENDPOINT)"
    )]
    BadReply {
        /// Who answered.
        host: String,
        /// What is wrong.
        reason: String,
    },

    /// What arrived is not what the Hub has. It is removed.
    #[error(
        "{file} arrived damaged: its checksum is {found}, but has to be {expected}; what arrived \
         was removed, try again"
    )]
    Checksum {
        /// The file.
        file: String,
        /// What the Hub tells.
        expected: String,
        /// What it is.
        found: String,
    },

    /// There is no room.
    #[error(
        "{}: {source}; {missing} more bytes are needed: make room, or name another cache \
         (HF_HUB_CACHE), and try again to go on",
        path.display()
    )]
    DiskFull {
        /// What could not be written.
        path: PathBuf,
        /// Bytes that have no room.
        missing: u64,
        /// What the operating system says.
        source: io::Error,
    },

    /// A file of the cache cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file is no index.
    #[error("{}: no index of a model's files: {source}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },

    /// An index names what can be no file.
    #[error("{}: the index names files that cannot be: {source}", path.display())]
    Shard {
        /// The index.
        path: PathBuf,
        /// What is wrong with the name.
        source: ReferenceError,
    },

    /// The callback ended it.
    #[error("the download was stopped; what has arrived is kept")]
    Cancelled,
}

impl HubError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn bad_reply(origin: &Origin, reason: impl Into<String>) -> Self {
        Self::BadReply {
            host: origin.host().to_owned(),
            reason: reason.into(),
        }
    }

    pub(super) fn http(origin: &Origin, error: ureq::Error) -> Self {
        use io::ErrorKind::{InvalidData, Other};
        use ureq::{Error, Timeout};
        let unreachable = match &error {
            Error::HostNotFound | Error::ConnectionFailed | Error::ConnectProxyFailed(_) => true,
            Error::Timeout(timeout) => matches!(timeout, Timeout::Resolve | Timeout::Connect),
            // Not by what it is: a name that is not found has a kind that stable Rust does not
            // name. Bad certificates are invalid data.
            Error::Io(error) => !is_cut(error) && !matches!(error.kind(), InvalidData | Other),
            _ => false,
        };
        let (host, source) = (origin.host().to_owned(), Box::new(error));
        match unreachable {
            true => Self::Unreachable { host, source },
            false => Self::Http { host, source },
        }
    }

    /// Whether another attempt may succeed. Without a network none will, unless there was one a
    /// moment ago.
    pub(super) fn may_pass(&self, had_network: bool) -> bool {
        match self {
            Self::Unreachable { .. } => had_network,
            Self::Http { source, .. } => match &**source {
                ureq::Error::Io(error) => is_cut(error),
                ureq::Error::Timeout(_) => true,
                _ => false,
            },
            Self::Cut { .. } => true,
            Self::Status { passes, .. } => *passes,
            _ => false,
        }
    }

    /// How long the server wants to be left alone.
    pub(super) fn retry_after(&self) -> Duration {
        match self {
            Self::Status {
                retry_after: Some(time),
                ..
            } => *time,
            _ => Duration::ZERO,
        }
    }
}

/// Whether a connection ended that was there.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock,
    };
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof | WouldBlock
    )
}

fn told(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!(" ({message})"),
    }
}

/// The first of these files.
fn examples(files: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = files[..files.len().min(SHOWN)].join(", ");
    match shown.as_str() {
        "" => shown,
        _ if files.len() <= SHOWN => format!(": {shown}"),
        _ => format!(": {shown} …"),
    }
}
