//! Translation by an endpoint.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read},
    ops::ControlFlow,
    time::Duration,
};

use ureq::Agent;

use super::{
    ServiceError, TranslationRequest, TranslationService,
    service::{lines, next_line},
};

/// How much of a body is kept for reports, in bytes.
const BODY_KEPT: u64 = 500;

/// An endpoint that takes a batch of requests by `POST`, a line each, and answers with lines.
#[derive(Debug)]
pub struct HttpService {
    agent: Agent,
    url: String,
    headers: BTreeMap<String, String>,
}

impl HttpService {
    /// `https://` needs the feature `https` of this crate. The headers come to those of each
    /// request; a batch has to be answered within the timeout.
    pub fn new(
        url: impl Into<String>,
        headers: BTreeMap<String, String>,
        timeout: Duration,
    ) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            // The body says what is wrong.
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            url: url.into(),
            headers,
        }
    }

    /// Posts a body of any kind and hands each line of the reply to `take`, until that breaks or
    /// the reply ends.
    ///
    /// # Errors
    /// [`ServiceError`] when the endpoint cannot be used or answers that something is wrong.
    pub fn post(
        &self,
        content_type: &str,
        body: &[u8],
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ServiceError> {
        let mut post = self.agent.post(&self.url);
        for (name, value) in &self.headers {
            post = post.header(name, value);
        }
        let reply = post.header("Content-Type", content_type).send(body);
        let reply = reply.map_err(|error| ServiceError::Http(Box::new(error)))?;
        let status = reply.status();
        let mut body = BufReader::new(reply.into_body().into_reader());
        if !status.is_success() {
            let mut text = Vec::new();
            // A body that breaks off still says something.
            let _ = body.take(BODY_KEPT).read_to_end(&mut text);
            return Err(ServiceError::Status {
                status: status.as_u16(),
                body: String::from_utf8_lossy(&text).trim().to_owned(),
            });
        }
        while let Some(line) = next_line(&mut body)? {
            if take(&line).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl TranslationService for HttpService {
    fn exchange(
        &mut self,
        requests: &[TranslationRequest],
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ServiceError> {
        self.post("application/x-ndjson", &lines(requests)?, take)
    }
}
