//! Arrival of a request: when and from which client it came, and what the router and plugins see of it.

use std::{net::SocketAddr, time::Instant};

use http::{HeaderMap, HeaderValue, Method, header, request::Parts};

use super::{ClientConnection, client_address::ClientAddress};
use crate::{
    body::Body,
    plugin::{Exchange, Origin},
    request_head::ClientHead,
    request_id::RequestId,
    router,
    uri::Scheme,
};

/// The request for the router: as the client sent it, with its path in normal form and the changes of plugins that run
/// before the router. `fields` are those of the client with these changes.
pub(super) fn router_request<'a>(
    exchange: &'a Exchange,
    fields: &'a HeaderMap,
    path: &'a [u8],
    connection: &'a ClientConnection,
) -> router::RouterRequest<'a> {
    router::RouterRequest {
        method: exchange.upstream_method().as_str(),
        host: fields.get(header::HOST).map(HeaderValue::as_bytes),
        path,
        query: exchange.upstream_query(),
        headers: fields,
        scheme: Scheme::from_tls(connection.tls.is_some()),
        sni: connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref()),
        source: connection.peer,
        destination: connection.local,
    }
}

/// Client, time and id of a request.
#[derive(Clone, Copy)]
pub(super) struct RequestArrival {
    pub(super) client: ClientAddress,
    pub(super) started: Instant,
    pub(super) id: RequestId,
}

/// The request for plugins.
pub(super) fn new_exchange(
    (head, body): (Parts, Body),
    path: &[u8],
    connection: &ClientConnection,
    arrival: RequestArrival,
) -> Exchange {
    let RequestArrival { client, started, id } = arrival;
    let origin = Origin {
        client: SocketAddr::new(client.address, connection.peer.port()),
        port: connection.local.port(),
        tls: connection.tls.is_some(),
        started,
        request_id: id,
    };
    let path = String::from_utf8_lossy(path).into_owned();
    Exchange::new(ClientHead::new(head, client.trusted), body, path, origin)
}

/// Names and values of the capture groups of the Route's regular expression; empty if a prefix matched.
pub(super) fn captures(found: &router::RouteMatch<'_>, path: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let groups = found.captures(path);
    groups
        .iter()
        .map(|group| (group.name.unwrap_or_default().to_owned(), group.value.map(text).unwrap_or_default()))
        .collect()
}

/// Whether the gateway is the recipient of the request: OPTIONS with `Max-Forwards: 0`. (RFC 9110, section 7.6.2)
pub(super) fn is_for_gateway(head: &ClientHead) -> bool {
    *head.method() == Method::OPTIONS
        && head.field(header::MAX_FORWARDS).is_some_and(|forwards| forwards == "0")
}
