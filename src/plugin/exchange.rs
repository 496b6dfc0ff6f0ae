//! One request on its way through the plugins.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use http::{HeaderValue, StatusCode, Uri, request::Parts};
use uuid::Uuid;

use super::{Consumers, Identity, Picks, Sent};
use crate::{
    body::Body,
    document::Value,
    reply::{self, Asked, Phase, Templates},
    request_id::RequestId,
};

/// A response, ours or an upstream's.
pub type Response = http::Response<Body>;

/// What plugins see of a request, and may change of it before it goes upstream.
#[derive(Debug)]
pub struct Exchange {
    /// Method, target and headers; what the upstream gets is made of these.
    pub head: Parts,
    /// The body, if nobody has taken it.
    pub body: Body,
    /// The request path in normal form: what the Route was matched against.
    pub path: String,
    /// Who sent it: the client, behind trusted proxies if there are any.
    pub client: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// When its head had arrived.
    pub started: Instant,
    /// Its id, 32 lower-case hexadecimal characters.
    pub request_id: RequestId,
    /// The Route that it matched, with its Service.
    pub matched: Option<Arc<Matched>>,
    /// What the groups of the Route's path expression caught, in their order: name (empty if it has none) and
    /// text.
    pub captures: Vec<(String, String)>,
    /// The path that the upstream gets in place of the one that the Route and its Service make, percent-encoded.
    pub upstream_path: Option<String>,
    /// Who it comes from, as soon as a plugin has found out.
    pub identity: Option<Identity>,
    /// Whom the steps of its chain knew.
    pub picks: Picks,
    /// The `Host` that the upstream gets in place of its own name.
    pub upstream_host: Option<HeaderValue>,
    /// What an upstream was asked, for plugins that log; none if they do not, or if a plugin answered.
    pub sent: Option<Arc<Mutex<Sent>>>,
}

impl Exchange {
    /// The place of the Consumer that it comes from, if one is known.
    #[must_use]
    pub fn consumer(&self) -> Option<usize> {
        self.identity.as_ref().map(|it| it.consumer.place)
    }

    /// All Consumers; none before a Route is known.
    #[must_use]
    pub fn consumers(&self) -> Option<&Consumers> {
        self.matched.as_deref().map(|it| &*it.consumers)
    }

    /// What of the request shapes an answer.
    #[must_use]
    pub fn asked(&self) -> Asked<'_> {
        let Parts { method, version, headers, extensions, .. } = &self.head;
        // There, they take no room of requests that have none.
        let templates = extensions.get::<Arc<Templates>>().map(|it| &**it);
        Asked { method, version: *version, headers, templates }
    }

    /// Puts a query in place of the one that the target has; an empty one takes it away.
    pub fn set_query(&mut self, query: &str) {
        let uri = &self.head.uri;
        let target = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = target.parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            self.head.uri = uri;
        }
    }

    /// An error in the form that the client accepts, with the id of the request: how Kong's router and most of its
    /// plugins refuse a request.
    #[must_use]
    pub fn error(&self, status: StatusCode, message: &str) -> Response {
        reply::error(&self.asked(), Phase::Access, status, Some(message), &self.request_id)
    }
}

/// A Route and its Service; made once at load, shared by the requests that match.
#[derive(Debug)]
pub struct Matched {
    /// The id of the Route.
    pub route: Uuid,
    /// The Route as the Admin API shows it.
    pub route_record: Value,
    /// The id of its Service, if it has one.
    pub service: Option<Uuid>,
    /// The Service as the Admin API shows it; null if there is none.
    pub service_record: Value,
    /// Everyone who may come.
    pub consumers: Arc<Consumers>,
}
