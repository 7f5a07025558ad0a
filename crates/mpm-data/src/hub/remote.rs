//! What is asked of the Hub, and what its refusals mean.

use std::time::Duration;

use ureq::{
    Body,
    http::{HeaderMap, Method, Response, StatusCode, header},
};

use super::{
    HubConfig, HubError, HubReference, HubRepo,
    endpoint::Endpoint,
    listing::Listing,
    progress::Watch,
    remote_file::{Headers, RemoteFile, shown},
    transport::{Reply, Transport},
};

/// The longest list of files that is read, in bytes: some hundred thousand files.
const LONGEST_LISTING: u64 = 64 << 20;

/// The Hub, or a mirror.
#[derive(Debug)]
pub(super) struct Remote {
    endpoint: Endpoint,
    transport: Transport,
}

impl Remote {
    /// # Errors
    /// [`HubError::Endpoint`].
    pub(super) fn new(config: &HubConfig) -> Result<Self, HubError> {
        let endpoint = Endpoint::parse(&config.endpoint)?;
        let transport = Transport::new(config, &endpoint);
        Ok(Self {
            endpoint,
            transport,
        })
    }

    /// Asks what a file is.
    ///
    /// # Errors
    /// [`HubError`] when the Hub cannot or does not tell.
    pub(super) fn file(
        &self,
        reference: &HubReference,
        watch: &mut Watch<'_>,
    ) -> Result<RemoteFile, HubError> {
        let url = self.endpoint.file(reference, reference.repo().revision());
        let mut headers = Headers::default();
        let enough = |reply: &Response<Body>| headers.take(reply.status(), reply.headers());
        let reply = self
            .transport
            .request(&Method::HEAD, &url, 0, watch, enough)?;
        let status = reply.response.status();
        if !status.is_success() && !status.is_redirection() {
            return Err(self.refused(reference.repo(), Some(reference.file()), &reply));
        }
        headers
            .parse()
            .map_err(|reason| HubError::bad_reply(&reply.origin, reason))
    }

    /// Asks for the content of a file at a commit, from a byte on.
    ///
    /// # Errors
    /// [`HubError`] when it is refused.
    pub(super) fn content(
        &self,
        reference: &HubReference,
        commit: &str,
        from: u64,
        watch: &mut Watch<'_>,
    ) -> Result<Reply, HubError> {
        let url = self.endpoint.file(reference, commit);
        let reply = self
            .transport
            .request(&Method::GET, &url, from, watch, |_| false)?;
        match reply.response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(reply)
            }
            _ => Err(self.refused(reference.repo(), Some(reference.file()), &reply)),
        }
    }

    /// Asks which files a repository has, and which commit its revision is.
    ///
    /// # Errors
    /// [`HubError`] when the Hub cannot or does not tell.
    pub(super) fn listing(
        &self,
        repo: &HubRepo,
        watch: &mut Watch<'_>,
    ) -> Result<Listing, HubError> {
        let url = self.endpoint.listing(repo);
        let reply = self
            .transport
            .request(&Method::GET, &url, 0, watch, |_| false)?;
        if !reply.response.status().is_success() {
            return Err(self.refused(repo, None, &reply));
        }
        let Reply { origin, response } = reply;
        let body = response.into_body().into_with_config();
        let json = watch.wait_for(move || body.limit(LONGEST_LISTING).read_to_vec())?;
        let json = json.map_err(|error| HubError::http(&origin, error))?;
        Listing::parse(&json).map_err(|reason| HubError::bad_reply(&origin, reason))
    }

    /// What it means that a repository, or a file of it, is not given.
    fn refused(&self, repo: &HubRepo, file: Option<&str>, reply: &Reply) -> HubError {
        let (status, headers) = (reply.response.status(), reply.response.headers());
        let text = |name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.map(shown)
        };
        let page = self.endpoint.page(repo);
        let (name, revision) = (repo.name().to_owned(), repo.revision().to_owned());
        let is_endpoint = self.transport.is_endpoint(&reply.origin);
        match (status, text("x-error-code").as_deref()) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some("GatedRepo")) => {
                HubError::Gated { repo: name, page }
            }
            (_, Some("RepoNotFound")) => HubError::RepoNotFound { repo: name, page },
            (StatusCode::NOT_FOUND, Some("RevisionNotFound")) => HubError::RevisionNotFound {
                repo: name,
                revision,
            },
            (StatusCode::NOT_FOUND, Some("EntryNotFound")) => HubError::FileNotFound {
                repo: name,
                revision,
                file: file.unwrap_or_default().to_owned(),
            },
            (StatusCode::NOT_FOUND, _) if is_endpoint => HubError::NotFound {
                name: file.map_or_else(|| repo.to_string(), |file| format!("{repo}/{file}")),
                revision,
                page,
            },
            // The Hub does not tell strangers what is there.
            (StatusCode::UNAUTHORIZED, None) if is_endpoint && !self.transport.has_token() => {
                HubError::RepoNotFound { repo: name, page }
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) if is_endpoint => {
                HubError::Denied {
                    repo: name,
                    page,
                    status: status.as_u16(),
                }
            }
            _ => HubError::Status {
                host: reply.origin.host().to_owned(),
                status: status.as_u16(),
                message: text("x-error-message").unwrap_or_default(),
                retry_after: retry_after(headers),
                // The address of the content may have expired, and the Hub gives a new one.
                passes: passes(status) || !is_endpoint && status.is_client_error(),
            },
        }
    }
}

/// Whether a refusal may pass.
fn passes(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}
