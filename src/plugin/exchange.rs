//! One request on its way through the plugins.

use std::{net::SocketAddr, time::Instant};

use http::request::Parts;

use crate::{body::Body, request_id::RequestId};

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
}
