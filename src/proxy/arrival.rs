//! A request that has arrived: what of it the router, plugins and upstreams are told.

use std::{net::SocketAddr, time::Instant};

use http::{HeaderValue, header, request::Parts};

use super::Connection;
use crate::{
    body::Body,
    plugin::{Exchange, Picks},
    request_id::RequestId,
    router::{self, Scheme},
};

/// The request as the router sees it.
pub(super) fn router_request<'a>(
    head: &'a Parts,
    path: &'a [u8],
    connection: &'a Connection,
) -> router::Request<'a> {
    router::Request {
        method: head.method.as_str(),
        host: head.headers.get(header::HOST).map(HeaderValue::as_bytes),
        path,
        query: head.uri.query(),
        headers: &head.headers,
        scheme: if connection.tls.is_some() { Scheme::Https } else { Scheme::Http },
        sni: connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref()),
        source: connection.peer,
        destination: connection.local,
    }
}

/// When a request came, and from whom.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) client: SocketAddr,
    pub(super) started: Instant,
    pub(super) id: RequestId,
}

/// The request as plugins see it.
pub(super) fn new_exchange(
    (head, body): (Parts, Body),
    path: &[u8],
    tls: bool,
    arrival: Arrival,
) -> Exchange {
    let Arrival { client, started, id } = arrival;
    Exchange {
        path: String::from_utf8_lossy(path).into_owned(),
        head,
        body,
        client,
        tls,
        started,
        request_id: id,
        matched: None,
        captures: Vec::new(),
        upstream_path: None,
        identity: None,
        picks: Picks::default(),
        upstream_host: None,
        sent: None,
    }
}

/// What the groups of the Route's expression caught; none if a prefix matched.
pub(super) fn captures(found: &router::Match<'_>, path: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let groups = found.captures(path);
    groups
        .iter()
        .map(|it| (it.name.unwrap_or_default().to_owned(), it.value.map(text).unwrap_or_default()))
        .collect()
}

/// A target in absolute form, and `:authority` in HTTP/2, say the host better than Host does.
/// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1)
pub(super) fn use_authority_as_host(head: &mut Parts) {
    if let Some(authority) = head.uri.authority() {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        if let Ok(host) = HeaderValue::from_str(host) {
            head.headers.insert(header::HOST, host);
        }
    }
}
