//! What the Hub tells about a file.

use ureq::http::{HeaderMap, StatusCode, header};

use super::checksum::{Checksum, is_commit};

/// What the Hub tells about a file, gathered from the replies on the way to its content.
#[derive(Debug, Default)]
pub(super) struct Headers {
    commit: Option<String>,
    etag: Option<String>,
    size: Option<String>,
}

/// A file of a commit.
#[derive(Clone, Debug)]
pub(super) struct RemoteFile {
    pub(super) commit: String,
    pub(super) checksum: Checksum,
    pub(super) size: u64,
}

impl Headers {
    /// Takes what a reply tells and earlier ones did not. True when nothing is missing.
    pub(super) fn take(&mut self, status: StatusCode, headers: &HeaderMap) -> bool {
        let get = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        self.commit = self.commit.take().or_else(|| get("x-repo-commit"));
        // Of a large file, the Hub itself tells of the content under other names, as its own
        // reply is not the content.
        self.etag = self.etag.take().or_else(|| get("x-linked-etag"));
        self.size = self.size.take().or_else(|| get("x-linked-size"));
        if status.is_success() {
            let (etag, size) = (header::ETAG.as_str(), header::CONTENT_LENGTH.as_str());
            self.etag = self.etag.take().or_else(|| get(etag));
            self.size = self.size.take().or_else(|| get(size));
        }
        self.commit.is_some() && self.etag.is_some() && self.size.is_some()
    }

    /// Reads them, or says what is wrong.
    pub(super) fn parse(self) -> Result<RemoteFile, String> {
        let commit = self.commit.ok_or("it does not tell the commit")?;
        if !is_commit(&commit) {
            return Err(format!("`{}` is no commit", shown(&commit)));
        }
        let etag = self.etag.ok_or("it tells no checksum")?;
        let checksum =
            Checksum::parse(&etag).ok_or_else(|| format!("`{}` is no checksum", shown(&etag)))?;
        let size = self.size.ok_or("it does not tell the size")?;
        let size = size
            .parse()
            .map_err(|_| format!("`{}` is no size", shown(&size)))?;
        Ok(RemoteFile {
            commit,
            checksum,
            size,
        })
    }
}

/// The beginning of what a server said.
pub(super) fn shown(text: &str) -> String {
    /// In characters
    const SHOWN: usize = 200;
    text.chars().take(SHOWN).collect()
}
