//! What is asked of the Hub, and what its refusals mean.

use std::time::Duration;

use ureq::{
    Body,
    http::{HeaderMap, Method, Response, StatusCode, header},
};

use super::{
    HubConfig, HubError, HubReference,
    endpoint::Endpoint,
    progress::Watch,
    remote_file::{Headers, RemoteFile, shown},
    transport::{Reply, Transport},
};

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
        let url = self.endpoint.file(reference, reference.revision());
        let mut headers = Headers::default();
        let enough = |reply: &Response<Body>| headers.take(reply.status(), reply.headers());
        let reply = self
            .transport
            .request(&Method::HEAD, &url, 0, watch, enough)?;
        let status = reply.response.status();
        if !status.is_success() && !status.is_redirection() {
            return Err(self.refused(reference, &reply));
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
            _ => Err(self.refused(reference, &reply)),
        }
    }

    fn refused(&self, reference: &HubReference, reply: &Reply) -> HubError {
        let (status, headers) = (reply.response.status(), reply.response.headers());
        let text = |name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.map(shown)
        };
        let page = self.endpoint.page(reference);
        let repo = reference.repo().to_owned();
        let is_endpoint = self.transport.is_endpoint(&reply.origin);
        match (status, text("x-error-code").as_deref()) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some("GatedRepo")) => {
                HubError::Gated { repo, page }
            }
            (_, Some("RepoNotFound")) => HubError::RepoNotFound { repo, page },
            (StatusCode::NOT_FOUND, Some("RevisionNotFound")) => HubError::RevisionNotFound {
                repo,
                revision: reference.revision().to_owned(),
            },
            (StatusCode::NOT_FOUND, Some("EntryNotFound")) => HubError::FileNotFound {
                repo,
                revision: reference.revision().to_owned(),
                file: reference.file().to_owned(),
            },
            (StatusCode::NOT_FOUND, _) if is_endpoint => HubError::NotFound {
                reference: Box::new(reference.clone()),
                page,
            },
            // The Hub does not tell strangers what is there.
            (StatusCode::UNAUTHORIZED, None) if is_endpoint && !self.transport.has_token() => {
                HubError::RepoNotFound { repo, page }
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) if is_endpoint => {
                HubError::Denied {
                    repo,
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
