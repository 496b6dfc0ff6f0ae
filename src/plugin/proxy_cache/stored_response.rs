//! Stored response, and the answer that is made of it.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT_ENCODING, AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED, PROXY_AUTHENTICATE, TRAILER, VARY,
    },
};

use super::cache_control::{CacheDirectives, field_names};
use crate::{
    body::Body,
    budget::Reservation,
    plugin::{Exchange, HttpResponse},
    request_head::HOP_BY_HOP,
};

/// Response extension: the response comes from a cache, so that the gateway writes the header fields of a proxied one.
#[derive(Clone, Copy, Debug)]
pub struct ServedFromCache;

/// A response in the cache.
#[derive(Debug)]
pub struct StoredResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its fields as the upstream sent them, without those of the connection and those that are made anew.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Time when it was stored.
    pub stored_at: SystemTime,
    /// Time for which it is fresh.
    pub ttl: Duration,
    pub(super) stored: Instant,
    pub(super) age_on_arrival: Duration,
    pub(super) expires_at: Instant,
    pub(super) must_revalidate: bool,
    /// The fields in its Vary, with the values that the request had.
    pub(super) vary: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// Memory of everything but the body.
    pub(super) _room: Reservation,
}

/// Memory of a field beside its name and value, in bytes.
const FIELD_BYTES: usize = 96;

/// Memory of a stored response beside its fields and body, in bytes.
const RESPONSE_BYTES: usize = 512;

/// Fields that are not stored, beside those of the connection: those that the gateway writes for each request.
static UNSTORED: [HeaderName; 9] = [
    AGE,
    PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    TRAILER,
    HeaderName::from_static("x-kong-proxy-latency"),
    HeaderName::from_static("x-kong-request-id"),
    HeaderName::from_static("x-kong-response-latency"),
    HeaderName::from_static("x-kong-upstream-latency"),
    HeaderName::from_static("x-kong-upstream-status"),
];

/// The fields of a response that are stored.
pub(super) fn stored_fields(fields: &HeaderMap, method: &Method) -> HeaderMap {
    let mut stored = fields.clone();
    for name in HOP_BY_HOP.iter().chain(&UNSTORED) {
        stored.remove(name);
    }
    // What is left of a limit belongs to one client.
    let counts = |name: &&HeaderName| name.as_str().contains("ratelimit-remaining");
    let counters: Vec<HeaderName> = stored.keys().filter(counts).cloned().collect();
    for name in counters {
        stored.remove(name);
    }
    if method != Method::HEAD {
        // The body tells it. A response to HEAD has no body, but the length that a GET would have.
        stored.remove(CONTENT_LENGTH);
    }
    stored
}

/// Memory of fields, in bytes.
pub(super) fn size_of_fields(fields: &HeaderMap, vary: &[(HeaderName, Vec<HeaderValue>)]) -> usize {
    let size = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len() + FIELD_BYTES;
    let varying = vary.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let sizes = fields.iter().chain(varying).map(|(name, value)| size(name, value));
    sizes.fold(RESPONSE_BYTES, usize::saturating_add)
}

/// The fields on which a response depends, with the values of the request; `None` if it depends on something else.
pub(super) fn varying_fields(
    exchange: &Exchange,
    fields: &HeaderMap,
) -> Option<Vec<(HeaderName, Vec<HeaderValue>)>> {
    let mut names: Vec<HeaderName> = Vec::new();
    for name in fields.get_all(VARY).iter().flat_map(field_names) {
        // `*`, or no name of a field.
        names.push(HeaderName::from_bytes(name).ok().filter(|name| name != "*")?);
    }
    // An encoding was chosen, whether the response says so or not.
    if fields.contains_key(CONTENT_ENCODING) {
        names.push(ACCEPT_ENCODING);
    }
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    let values = |name: HeaderName| {
        let values = exchange.upstream_values(&name).cloned().collect();
        (name, values)
    };
    Some(names.into_iter().map(values).collect())
}

impl StoredResponse {
    /// Whether the response answers a request: the fields in its Vary have the same values.
    pub(super) fn answers(&self, exchange: &Exchange) -> bool {
        self.vary.iter().all(|(name, values)| exchange.upstream_values(name).eq(values.iter()))
    }

    /// The time since the response was made.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.age_on_arrival + now.saturating_duration_since(self.stored)
    }

    /// Whether a request accepts the response. (RFC 9111, section 4)
    pub(super) fn is_accepted(
        &self,
        directives: &CacheDirectives,
        cache_control: bool,
        now: Instant,
    ) -> bool {
        if !cache_control {
            return now.saturating_duration_since(self.stored) < self.ttl;
        }
        let age = self.age(now);
        if directives.max_age.is_some_and(|seconds| age.as_secs() > seconds) {
            return false;
        }
        if directives.min_fresh.is_some_and(|seconds| age + Duration::from_secs(seconds) > self.ttl) {
            return false;
        }
        let staleness = age.saturating_sub(self.ttl);
        let accepts_stale =
            directives.max_stale.is_some_and(|seconds| staleness <= Duration::from_secs(seconds));
        age < self.ttl || accepts_stale && !self.must_revalidate
    }

    /// The answer to a request.
    pub(super) fn response(&self, exchange: &Exchange) -> HttpResponse {
        let mut response = HttpResponse::new(Body::Empty);
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        response.extensions_mut().insert(ServedFromCache);
        let method = exchange.upstream_method();
        if self.is_unmodified(exchange.head().fields(), method) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
                response.headers_mut().remove(name);
            }
        } else if method != Method::HEAD {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
            *response.body_mut() = Body::full(self.body.clone());
        }
        response
    }

    /// Whether the client has the response already. (RFC 9110, section 13.2.2)
    fn is_unmodified(&self, request: &HeaderMap, method: &Method) -> bool {
        if self.status != StatusCode::OK || !matches!(*method, Method::GET | Method::HEAD) {
            return false;
        }
        let mut tags = request.get_all(IF_NONE_MATCH).iter().peekable();
        if tags.peek().is_some() {
            let Some(own) = self.headers.get(ETAG).map(|tag| opaque(tag.as_bytes())) else { return false };
            return tags.flat_map(field_names).any(|tag| tag == b"*" || opaque(tag) == own);
        }
        let date = |value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
        let since = request.get(IF_MODIFIED_SINCE).and_then(date);
        let modified = self.headers.get(LAST_MODIFIED).and_then(date);
        modified.zip(since).is_some_and(|(modified, since)| modified <= since)
    }
}

/// An entity tag without the mark of a weak one, for the weak comparison. (RFC 9110, section 8.8.3.2)
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}
