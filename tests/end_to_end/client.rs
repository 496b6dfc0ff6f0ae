//! HTTP client of the tests, independent of the gateway's code.

use serde_json::Value;
use ureq::{
    Agent,
    http::{HeaderMap, Request},
};

use crate::PATIENCE;

/// A client with or without persistent connections.
#[derive(Clone)]
pub(crate) struct Client(Agent);

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// A client with persistent connections.
    pub(crate) fn kept() -> Self {
        Self::new(1)
    }

    /// A client that opens a connection for each request.
    pub(crate) fn fresh() -> Self {
        Self::new(0)
    }

    fn new(kept: usize) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(kept)
            .timeout_global(Some(PATIENCE))
            .allow_non_standard_methods(true)
            .build();
        Self(config.new_agent())
    }

    /// Sends a request and reads the whole response.
    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => self.0.run(request.body(body).unwrap())?,
            None => self.0.run(request.body(()).unwrap())?,
        };
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec()?;
        let (head, _) = response.into_parts();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

impl Answer {
    /// The value of a header field; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks status and body.
    #[track_caller]
    pub(crate) fn assert_response(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.text()), (status, body));
    }

    /// Checks that this is an error with this message.
    #[track_caller]
    pub(crate) fn assert_message(&self, status: u16, message: &str) {
        assert_eq!((self.status, self.json()["message"].as_str()), (status, Some(message)));
    }
}
