//! Header fields: which ones pass, which ones the gateway removes, adds or replaces.
//!
//! All functions are pure: they depend neither on a connection nor on a configuration.

#[cfg(test)]
mod properties;
mod request;
mod response;
mod strip_fields;

pub(crate) use request::ForwardedFields;
pub(crate) use response::{
    HeaderTokens, ProxiedFields, add_charset, add_fields, cached_headers, produced_headers, response_headers,
};
use strip_fields::strip_hop_by_hop;
pub(crate) use strip_fields::{DeniedTrailers, strip_answer_trailers, strip_trailers};

use http::{HeaderName, Version};

/// Name of the gateway in Server.
const PRODUCT: &str = concat!("mynah/", env!("CARGO_PKG_VERSION"));
/// Name of the gateway in Via, by the protocol of the received message.
const VIA_1_0: &str = concat!("1.0 mynah/", env!("CARGO_PKG_VERSION"));
const VIA_1_1: &str = concat!("1.1 mynah/", env!("CARGO_PKG_VERSION"));
const VIA_2: &str = concat!("2 mynah/", env!("CARGO_PKG_VERSION"));

const PROXY: HeaderName = HeaderName::from_static("proxy");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");
const X_KONG_REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
const X_KONG_UPSTREAM_LATENCY: HeaderName = HeaderName::from_static("x-kong-upstream-latency");
const X_KONG_PROXY_LATENCY: HeaderName = HeaderName::from_static("x-kong-proxy-latency");
const X_KONG_RESPONSE_LATENCY: HeaderName = HeaderName::from_static("x-kong-response-latency");
const X_KONG_UPSTREAM_STATUS: HeaderName = HeaderName::from_static("x-kong-upstream-status");

/// Value of Via for a message that was received in this version. (RFC 9110, section 7.6.3)
const fn via(received: Version) -> &'static str {
    match received {
        Version::HTTP_2 => VIA_2,
        Version::HTTP_10 => VIA_1_0,
        _ => VIA_1_1,
    }
}
