//! One request during the phases of plugins.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header::HOST};
use uuid::Uuid;

use super::{ConsumerPerStep, Consumers, RequestIdentity, UpstreamRecord};
use crate::{
    body::Body,
    document::Value,
    reply::{self, ErrorRequest, ErrorTemplates, ReplyPhase},
    request_head::{ClientHead, UpstreamRequest},
    request_id::RequestId,
    uri::Scheme,
};

/// A response, of the gateway or of an upstream.
pub type HttpResponse = http::Response<Body>;

/// A request as plugins read and change it.
///
/// [`Exchange::head`] is the client's head and does not change; [`Exchange::upstream`] holds the changes for the upstream.
/// A plugin that acts on a field reads [`Exchange::upstream_field`]: it excludes fields with which a client could
/// impersonate the gateway. Credentials are read from the client's head.
#[derive(Debug)]
pub struct Exchange {
    head: ClientHead,
    /// Changes of the head that goes upstream.
    pub upstream: UpstreamRequest,
    /// Extensions of the request: the HTTP library's, and state that a plugin keeps between phases.
    pub extensions: Extensions,
    /// The body, unless a plugin has taken it.
    pub body: Body,
    /// The request path in normal form: what the Route was matched against.
    pub path: String,
    /// The address of the client, behind trusted proxies if there are any.
    pub client: SocketAddr,
    /// The port of the listener that it came to.
    pub port: u16,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The time when its head had arrived.
    pub started: Instant,
    /// Its id, 32 lower-case hexadecimal characters.
    pub request_id: RequestId,
    /// The Route that it matched, with its Service.
    pub matched: Option<Arc<MatchedRoute>>,
    /// Captures of the Route's path expression, in the order of the groups: name (empty if it has none) and text.
    pub captures: Vec<(String, String)>,
    /// Its identity, once a plugin has authenticated it.
    pub identity: Option<RequestIdentity>,
    /// The Consumer that was known when each step of its chain ran.
    pub consumer_per_step: ConsumerPerStep,
    /// The record of the upstream request, for plugins that log; `None` without such plugins, or if a plugin responded.
    pub upstream_record: Option<Arc<Mutex<UpstreamRecord>>>,
    /// The destination that a plugin has chosen in place of the Service's.
    pub chosen_destination: Option<Box<ChosenDestination>>,
    /// The origin of its response, once there is one.
    pub response_origin: ResponseOrigin,
    /// Values that plugins keep between the phases of the request.
    pub kept: Extensions,
    /// The client's fields with the changes, kept for [`Exchange::request_and_body`].
    edited: Option<Box<HeaderMap>>,
}

/// A destination that a plugin chooses in place of the Service's; what it does not choose stays the Service's.
/// (Kong: "Plugin Development Kit", `kong.service`.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChosenDestination {
    /// The peer; `None` for that of the Service.
    pub peer: Option<ChosenPeer>,
    /// The scheme; `None` for that of the Service.
    pub scheme: Option<Scheme>,
    /// Timeouts; `None` for those of the Service.
    pub timeouts: Option<ChosenTimeouts>,
    /// The number of further attempts; `None` for that of the Service.
    pub retries: Option<u32>,
    /// Whether the upstream's certificate is verified; `None` as the Service says.
    pub tls_verify: Option<bool>,
}

/// Timeouts that a plugin chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenTimeouts {
    /// To open a connection.
    pub connect: Duration,
    /// Between two writes.
    pub write: Duration,
    /// Between two reads.
    pub read: Duration,
}

/// A peer that a plugin chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChosenPeer {
    /// A name or address, and a port.
    Host(String, u16),
    /// The Upstream with this name.
    Upstream(String),
}

/// The origin of a response. (Kong: "Plugin Development Kit", `kong.response.get_source`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseOrigin {
    /// A plugin, or the router.
    Plugin,
    /// The plugin mocking.
    Mock,
    /// The gateway, as the upstream could not answer.
    Gateway,
    /// The upstream, with this status.
    Upstream(StatusCode),
}

impl ResponseOrigin {
    /// The status of the upstream's response.
    #[must_use]
    pub fn upstream_status(self) -> Option<u16> {
        if let Self::Upstream(status) = self { Some(status.as_u16()) } else { None }
    }
}

/// Client and arrival of a request.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The address of the client, behind trusted proxies if there are any.
    pub client: SocketAddr,
    /// The port of the listener that it came to.
    pub port: u16,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The time when its head had arrived.
    pub started: Instant,
    /// Its id.
    pub request_id: RequestId,
}

impl Exchange {
    /// A request that has arrived, with its path in normal form.
    #[must_use]
    pub fn new(
        (head, extensions): (ClientHead, Extensions),
        body: Body,
        path: String,
        origin: Origin,
    ) -> Self {
        let Origin { client, port, tls, started, request_id } = origin;
        Self {
            head,
            upstream: UpstreamRequest::default(),
            extensions,
            body,
            path,
            client,
            port,
            tls,
            started,
            request_id,
            matched: None,
            captures: Vec::new(),
            identity: None,
            consumer_per_step: ConsumerPerStep::default(),
            upstream_record: None,
            chosen_destination: None,
            response_origin: ResponseOrigin::Plugin,
            kept: Extensions::new(),
            edited: None,
        }
    }

    /// The request, which leaves an empty one in its place: for a plugin that must own it for a while.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let origin = Origin {
            client: self.client,
            port: self.port,
            tls: self.tls,
            started: self.started,
            request_id: self.request_id,
        };
        let empty = Self::new((ClientHead::default(), Extensions::new()), Body::Empty, String::new(), origin);
        std::mem::replace(self, empty)
    }

    /// The head of the request as the client sent it.
    #[must_use]
    pub const fn head(&self) -> &ClientHead {
        &self.head
    }

    /// The client's request with the changes of plugins, and its body, borrowed separately so that the body can be taken.
    #[must_use]
    pub fn request_and_body(&mut self) -> (EditedRequest<'_>, &mut Body) {
        if let Cow::Owned(fields) = edited_fields(&self.head, &self.upstream) {
            self.edited = Some(Box::new(fields));
        }
        let request = EditedRequest {
            method: self.upstream.method().unwrap_or(self.head.method()),
            path: &self.path,
            query: upstream_query(&self.head, &self.upstream),
            fields: self.edited.as_deref().unwrap_or(self.head.fields()),
        };
        (request, &mut self.body)
    }

    /// The method that goes upstream.
    #[must_use]
    pub fn upstream_method(&self) -> &Method {
        self.upstream.method().unwrap_or(self.head.method())
    }

    /// The query that goes upstream.
    #[must_use]
    pub fn upstream_query(&self) -> Option<&str> {
        upstream_query(&self.head, &self.upstream)
    }

    /// The values of a field that goes upstream, without the fields that the gateway adds last (Via, X-Forwarded-*,
    /// fields of the connection).
    pub fn upstream_values(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        let edits = self.upstream.edits();
        let host = self.upstream.host().filter(|_| *name == HOST);
        let client = host.is_none() && self.head.fields().contains_key(name) && !edits.replaces(name);
        let client = client && self.head.passes(name, &self.head.nominated());
        let sent = self.head.fields().get_all(name).into_iter().filter(move |_| client);
        let changed = edits.values().filter(move |(edited, _)| **edited == *name).map(|(_, value)| value);
        host.into_iter().chain(sent).chain(changed)
    }

    /// The first value of a field that goes upstream.
    #[must_use]
    pub fn upstream_field(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.upstream_values(name).next()
    }

    /// The client's fields with the changes of plugins, as logs and mocks show them. Copies only if there are changes.
    #[must_use]
    pub fn edited_fields(&self) -> Cow<'_, HeaderMap> {
        edited_fields(&self.head, &self.upstream)
    }

    /// Puts a body in place of the client's.
    pub fn set_body(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.upstream.set_content_length(bytes.len() as u64);
        self.body = Body::full(bytes);
    }

    /// Moves out the head as logs show it. Fields that plugins have hidden from the upstream stay hidden.
    pub(crate) fn take_head(&mut self) -> TakenHead {
        let (method, target, mut fields) = std::mem::take(&mut self.head).into_parts();
        let upstream = std::mem::take(&mut self.upstream);
        let first = method.as_str().len()
            + target.path_and_query().map_or(1, |target| target.as_str().len())
            + "  HTTP/1.1".len();
        let size = super::RequestRecord::head_size(first, &fields);
        upstream.apply(&mut fields);
        let target = upstream.query().map(|query| with_query(&target, query)).unwrap_or(target);
        TakenHead { method: upstream.method().cloned().unwrap_or(method), target, fields, size }
    }

    /// The index of its Consumer, once it is authenticated.
    #[must_use]
    pub fn consumer(&self) -> Option<usize> {
        self.identity.as_ref().map(|identity| identity.consumer.index)
    }

    /// All Consumers; `None` before a Route is matched.
    #[must_use]
    pub fn consumers(&self) -> Option<&Consumers> {
        self.matched.as_deref().map(|route| &*route.consumers)
    }

    /// The properties of the request on which the form of an error response depends.
    #[must_use]
    pub fn error_request(&self) -> ErrorRequest<'_> {
        // Kept in the extensions, templates take no memory of requests without any.
        let templates = self.extensions.get::<Arc<ErrorTemplates>>().map(|templates| &**templates);
        let head = &self.head;
        ErrorRequest { method: head.method(), version: head.version(), headers: head.fields(), templates }
    }

    /// An error response in a media type that the client accepts, with the id of the request, as Kong's router and most
    /// of its plugins reject a request.
    #[must_use]
    pub fn error(&self, status: StatusCode, message: &str) -> HttpResponse {
        reply::error(&self.error_request(), ReplyPhase::Access, status, Some(message), &self.request_id)
    }
}

/// The client's request with the changes of plugins.
#[derive(Clone, Copy, Debug)]
pub struct EditedRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path in normal form.
    pub path: &'a str,
    /// The query.
    pub query: Option<&'a str>,
    /// The fields.
    pub fields: &'a HeaderMap,
}

/// The head of a finished request, for logs.
#[derive(Debug)]
pub(crate) struct TakenHead {
    /// The method that went upstream.
    pub(crate) method: Method,
    /// The client's target with the query that went upstream.
    pub(crate) target: Uri,
    /// The client's fields with the changes of plugins.
    pub(crate) fields: HeaderMap,
    /// The size of the client's head in bytes.
    pub(crate) size: u64,
}

fn upstream_query<'a>(head: &'a ClientHead, upstream: &'a UpstreamRequest) -> Option<&'a str> {
    match upstream.query() {
        Some(query) => Some(query).filter(|query| !query.is_empty()),
        None => head.query(),
    }
}

fn edited_fields<'a>(head: &'a ClientHead, upstream: &UpstreamRequest) -> Cow<'a, HeaderMap> {
    if upstream.keeps_fields() {
        return Cow::Borrowed(head.fields());
    }
    let mut fields = head.fields().clone();
    upstream.apply(&mut fields);
    Cow::Owned(fields)
}

/// A target with another query; without a query if it would exceed the length limit of the HTTP library.
fn with_query(target: &Uri, query: &str) -> Uri {
    let path = target.path().to_owned();
    let text = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    text.parse().or_else(|_| path.parse()).unwrap_or_default()
}

/// A Route and its Service; built once at load, shared by the requests that match.
#[derive(Debug)]
pub struct MatchedRoute {
    /// The id of the Route.
    pub route: Uuid,
    /// The Route as the Admin API shows it.
    pub route_record: Value,
    /// The id of its Service, if it has one.
    pub service: Option<Uuid>,
    /// The Service as the Admin API shows it; null if there is none.
    pub service_record: Value,
    /// All Consumers of the configuration.
    pub consumers: Arc<Consumers>,
}
