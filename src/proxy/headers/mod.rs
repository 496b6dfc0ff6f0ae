//! Header fields on their way through: what is taken away, what is added, and what a gateway must not touch.
//!
//! All functions are pure: they change a [`http::HeaderMap`] in place and know neither connection nor configuration.

mod hop_by_hop;
mod request;
mod response;

pub(crate) use hop_by_hop::{asks_for_websocket, strip_hop_by_hop};
pub(crate) use request::{Forwarding, Scheme, count_forward, forward_request_headers};
pub(crate) use response::{HeaderTokens, Proxied, add_charset, produced_headers, response_headers};

use http::{HeaderName, HeaderValue, Version};

/// What the gateway calls itself in Server.
const PRODUCT: &str = concat!("mynah/", env!("CARGO_PKG_VERSION"));
/// The same in Via, for the protocols that a message can be received in.
const VIA_1_0: &str = concat!("1.0 mynah/", env!("CARGO_PKG_VERSION"));
const VIA_1_1: &str = concat!("1.1 mynah/", env!("CARGO_PKG_VERSION"));
const VIA_2: &str = concat!("2 mynah/", env!("CARGO_PKG_VERSION"));

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PATH: HeaderName = HeaderName::from_static("x-forwarded-path");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");
const X_KONG_REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
const X_KONG_UPSTREAM_LATENCY: HeaderName = HeaderName::from_static("x-kong-upstream-latency");
const X_KONG_PROXY_LATENCY: HeaderName = HeaderName::from_static("x-kong-proxy-latency");
const X_KONG_RESPONSE_LATENCY: HeaderName = HeaderName::from_static("x-kong-response-latency");
const X_KONG_UPSTREAM_STATUS: HeaderName = HeaderName::from_static("x-kong-upstream-status");

/// Appends the gateway to Via (RFC 9110, section 7.6.3); several lines become one.
fn append_via(headers: &mut http::HeaderMap, received: Version) {
    let own = match received {
        Version::HTTP_2 => VIA_2,
        Version::HTTP_10 => VIA_1_0,
        _ => VIA_1_1,
    };
    append_item(headers, http::header::VIA, own.as_bytes(), HeaderValue::from_static(own));
}

/// Appends an item to a list, all lines joined to one; `alone` is the same item for the case that there is no list.
fn append_item(headers: &mut http::HeaderMap, name: HeaderName, item: &[u8], alone: HeaderValue) {
    let mut list = Vec::new();
    for line in headers.get_all(&name).iter().filter(|line| !line.is_empty()) {
        list.extend_from_slice(line.as_bytes());
        list.extend_from_slice(b", ");
    }
    let value = if list.is_empty() {
        alone
    } else {
        list.extend_from_slice(item);
        HeaderValue::from_maybe_shared(bytes::Bytes::from(list)).unwrap_or(alone)
    };
    headers.insert(name, value);
}
