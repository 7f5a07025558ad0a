//! Requests through HTTP, one at a time, with the token where it belongs.

use ureq::{
    Agent, Body,
    http::{HeaderValue, Method, Request, Response, Uri, header, uri::Scheme},
};

use super::{
    HubConfig, HubError, Token,
    endpoint::{Endpoint, Origin, follow},
    progress::Watch,
};

/// How many redirects are followed.
const REDIRECTS: usize = 10;
/// What the Hub knows programs by.
const USER_AGENT: &str = concat!("mpm-data/", env!("CARGO_PKG_VERSION"), "; rust");

/// Sends requests.
#[derive(Debug)]
pub(super) struct Transport {
    agent: Agent,
    origin: Origin,
    token: Option<Token>,
}

/// A reply and whose it is.
pub(super) struct Reply {
    pub(super) origin: Origin,
    pub(super) response: Response<Body>,
}

impl Transport {
    pub(super) fn new(config: &HubConfig, endpoint: &Endpoint) -> Self {
        let timeout = Some(config.timeout);
        let agent = Agent::config_builder()
            .proxy(config.proxy.clone())
            .user_agent(USER_AGENT)
            .http_status_as_error(false)
            // Redirects are followed here, where the token can be left behind.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(timeout)
            .timeout_connect(timeout)
            .timeout_per_read(timeout)
            .timeout_per_write(timeout)
            .build();
        Self {
            agent: agent.into(),
            origin: endpoint.origin().clone(),
            token: config.token.clone(),
        }
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether someone is the endpoint.
    pub(super) fn is_endpoint(&self, origin: &Origin) -> bool {
        *origin == self.origin
    }

    /// Asks for an address, from a byte on, and follows redirects until `enough` says that a reply
    /// will do.
    ///
    /// # Errors
    /// [`HubError`] when no reply comes.
    pub(super) fn request(
        &self,
        method: &Method,
        url: &str,
        from: u64,
        watch: &mut Watch<'_>,
        mut enough: impl FnMut(&Response<Body>) -> bool,
    ) -> Result<Reply, HubError> {
        let mut url: Uri = url.parse().map_err(|_| HubError::Endpoint {
            endpoint: url.to_owned(),
        })?;
        for _ in 0..=REDIRECTS {
            let reply = self.send(method, &url, from, watch)?;
            let response = &reply.response;
            if enough(response) || !response.status().is_redirection() {
                return Ok(reply);
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            url = location
                .and_then(|location| follow(&url, location))
                .ok_or_else(|| HubError::bad_reply(&reply.origin, "it redirects to nowhere"))?;
        }
        Err(HubError::Redirects {
            host: self.origin.host().to_owned(),
        })
    }

    fn send(
        &self,
        method: &Method,
        url: &Uri,
        from: u64,
        watch: &mut Watch<'_>,
    ) -> Result<Reply, HubError> {
        let origin = Origin::of(url).ok_or_else(|| HubError::Endpoint {
            endpoint: url.to_string(),
        })?;
        if url.scheme() == Some(&Scheme::HTTPS) && !cfg!(feature = "https") {
            let host = origin.host().to_owned();
            return Err(HubError::Tls { host });
        }
        let request = self.build(method, url, &origin, from);
        let request = request.map_err(|error| HubError::http(&origin, error.into()))?;
        let agent = self.agent.clone();
        match watch.wait_for(move || agent.run(request))? {
            Ok(response) => Ok(Reply { origin, response }),
            Err(error) => Err(HubError::http(&origin, error)),
        }
    }

    fn build(
        &self,
        method: &Method,
        url: &Uri,
        origin: &Origin,
        from: u64,
    ) -> Result<Request<()>, ureq::http::Error> {
        let mut request = Request::builder().method(method).uri(url);
        // Checksums, lengths and ranges are of the content as it is.
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        if let Some(token) = &self.token
            && self.is_endpoint(origin)
        {
            let mut value = HeaderValue::try_from(token.bearer())?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request.body(())
    }
}
