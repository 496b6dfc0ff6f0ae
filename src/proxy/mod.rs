//! REQUEST: the life of a request, from its head to the last byte of its response.
//!
//! | step | where |
//! |---|---|
//! | take the current Snapshot, find the Route, run its plugins | here |
//! | refuse what no Route should see | `refuse` |
//! | how the body of a request comes in | `request_body` |
//! | send what no plugin answers to the Service | `forward` |
//! | what upstreams and clients are told in headers | `headers` |
//! | what would become of a request, and why | `explain` |
//! | who the client is behind trusted proxies | `client_address` |
//! | how names are looked up | `names` |
//! | two ends that speak another protocol from now on | `tunnel` |

mod client_address;
mod explain;
mod forward;
mod headers;
mod names;
mod refuse;
mod request_body;
mod tunnel;

pub use explain::{Contender, Explanation, Forwarded, Planned, Question};

use std::{
    net::SocketAddr,
    num::NonZeroU64,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, StatusCode, Version, header, request::Parts};

use self::{
    client_address::RealIp,
    headers::{HeaderTokens, produced_headers},
    refuse::{Bounds, goes_no_further},
    request_body::Patience,
};
use crate::{
    balancer::Keeper,
    body::Body,
    dns::Resolver,
    entity::Route,
    plugin::{Chain, Exchange, Picks},
    reply::{self, Format},
    request_id::RequestId,
    router::{self, Flavor, Scheme},
    settings::{ErrorType, PortMaps, RouterFlavor, Settings},
    snapshot::{Live, Step},
    upstream::{Pool, PoolSettings},
    uri_path::normalize,
};

/// Takes requests through.
#[derive(Debug)]
pub struct Proxy {
    live: Arc<Live>,
    pool: Pool,
    resolver: Resolver,
    tokens: HeaderTokens,
    upstream_request_id: bool,
    bounds: Bounds,
    patience: Patience,
    /// How much of a body is read ahead, if the Route wants it. (Kong: `client_body_buffer_size`.)
    read_ahead: usize,
    real_ip: RealIp,
    port_maps: PortMaps,
    flavor: Flavor,
    /// The format of errors for clients that have no wish.
    error_format: Format,
}

/// The connection that a request came over.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// What was agreed on, if it is over TLS.
    pub tls: Option<Tls>,
}

/// What a client and a listener agreed on in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The name that the client asked for, in lower case.
    pub server_name: Option<Arc<str>>,
    /// The version, such as `TLSv1.3`.
    pub version: &'static str,
    /// The cipher, under OpenSSL's name.
    pub cipher: &'static str,
}

/// How the answer to a request came about: it decides which headers tell of it.
enum Outcome {
    /// The gateway made it.
    Produced(Response<Body>),
    /// An upstream gave it, or was to give it.
    Proxied(Response<Body>),
}

impl Proxy {
    /// Serves what is current in `live`.
    #[must_use]
    pub fn new(live: Arc<Live>, settings: &Settings) -> Self {
        let pool = PoolSettings {
            idle_per_origin: settings.upstream_keepalive_pool_size,
            idle_timeout: settings.upstream_keepalive_idle_timeout.unwrap_or(Duration::MAX),
            max_requests: settings
                .upstream_keepalive_max_requests
                .map_or(u32::MAX, |most| u32::try_from(most.get()).unwrap_or(u32::MAX)),
        };
        Self {
            live,
            pool: Pool::new(pool),
            resolver: Resolver::new(names::options(&settings.dns)),
            tokens: HeaderTokens::from(settings.headers),
            upstream_request_id: settings.upstream_request_id,
            bounds: Bounds::from(settings),
            patience: Patience {
                most: settings.client_max_body_size.map(NonZeroU64::get),
                pause: settings.client_body_timeout,
            },
            read_ahead: settings.client_body_buffer_size,
            real_ip: RealIp::from(settings),
            port_maps: settings.port_maps.clone(),
            flavor: match settings.router_flavor {
                RouterFlavor::Traditional => Flavor::Traditional,
                RouterFlavor::TraditionalCompatible => Flavor::TraditionalCompatible,
                RouterFlavor::Expressions => Flavor::Expressions,
            },
            error_format: match settings.error_default_type {
                ErrorType::Json => Format::Json,
                ErrorType::Xml => Format::Xml,
                ErrorType::Html => Format::Html,
                ErrorType::Plain => Format::Plain,
            },
        }
    }

    /// Keeps the Upstreams of every Snapshot up to date (their names, their health), until it is dropped.
    pub async fn keep(&self) {
        let mut keeper = Keeper::default();
        loop {
            let changed = self.live.changed();
            keeper.keep(self.live.current().balancers(), &self.resolver, &self.pool);
            changed.await;
        }
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Body>, connection: Connection) -> Response<Body> {
        let started = Instant::now();
        let id = RequestId::random();
        if let Some(refusal) = self.refuse(&request, &id) {
            return self.produced(refusal, started, &id);
        }
        // One Snapshot for the whole request, whatever is published meanwhile.
        let snapshot = self.live.current();
        let (mut head, body) = request.into_parts();
        use_authority_as_host(&mut head);
        let body = self.patience.watch(body);
        let path = normalize(head.uri.path().as_bytes()).into_owned();
        let who = self.real_ip.client(connection.peer.ip(), &head.headers);
        let found = snapshot.find(&router_request(&head, &path, &connection));
        let client = SocketAddr::new(who.address, connection.peer.port());
        let mut exchange = new_exchange((head, body), &path, client, connection.tls.is_some(), started, id);
        let Some((found, route, step)) = found else {
            let response = exchange.error(StatusCode::NOT_FOUND, "no Route matched with those values");
            return self.finish(Outcome::Produced(response), snapshot.global(), &exchange);
        };
        exchange.matched = Some(step.matched.clone());
        let hashed = step.destination.as_ref().is_some_and(|it| it.balancer.wants_captures());
        if hashed || !step.chain.steps().is_empty() {
            exchange.captures = captures(&found, &path);
        }
        if step.https_only && !arrived_over_tls(&exchange, who.trusted) {
            // Kong decides this before it looks for the Route's plugins.
            let response = redirect(&exchange, route);
            return self.finish(Outcome::Produced(response), snapshot.global(), &exchange);
        }
        if let Some(response) = step.grpc.then(|| refuse_grpc(&exchange)).flatten() {
            return self.finish(Outcome::Produced(response), snapshot.global(), &exchange);
        }
        let outcome = if let Some(response) = step.chain.access(&mut exchange).await {
            Outcome::Produced(response)
        } else {
            let way = forward::Way {
                path: &path,
                prefix: found.prefix,
                prefix_text: found.prefix_text(&path),
                connection: &connection,
                trusted: who.trusted,
            };
            // In a box: the room that it needs would be moved about for the requests that plugins answer, too.
            Box::pin(self.serve(&mut exchange, route, step, &way)).await
        };
        self.finish(outcome, &step.chain, &exchange)
    }

    async fn serve(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        step: &Step,
        way: &forward::Way<'_>,
    ) -> Outcome {
        match &step.destination {
            _ if goes_no_further(&exchange.head.method, &exchange.head.headers) => {
                Outcome::Produced(reply::empty(StatusCode::OK))
            }
            Some(destination) => self.forward(exchange, route, destination, way).await,
            None => {
                let message = "no Service found with those values";
                Outcome::Produced(exchange.error(StatusCode::SERVICE_UNAVAILABLE, message))
            }
        }
    }

    /// Runs the header filters, and tells of the answer in its headers.
    fn finish(&self, outcome: Outcome, chain: &Chain, exchange: &Exchange) -> Response<Body> {
        match outcome {
            Outcome::Proxied(mut response) => {
                chain.header_filter(exchange, &mut response);
                response
            }
            Outcome::Produced(mut response) => {
                chain.header_filter(exchange, &mut response);
                self.produced(response, exchange.started, &exchange.request_id)
            }
        }
    }

    fn produced(&self, mut response: Response<Body>, started: Instant, id: &RequestId) -> Response<Body> {
        produced_headers(
            response.headers_mut(),
            milliseconds(started.elapsed()),
            &id.to_header(),
            self.tokens,
        );
        response
    }
}

fn router_request<'a>(head: &'a Parts, path: &'a [u8], connection: &'a Connection) -> router::Request<'a> {
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

fn new_exchange(
    (head, body): (Parts, Body),
    path: &[u8],
    client: SocketAddr,
    tls: bool,
    started: Instant,
    request_id: RequestId,
) -> Exchange {
    Exchange {
        path: String::from_utf8_lossy(path).into_owned(),
        head,
        body,
        client,
        tls,
        started,
        request_id,
        matched: None,
        captures: Vec::new(),
        upstream_path: None,
        identity: None,
        picks: Picks::default(),
        upstream_host: None,
    }
}

/// What the groups of the Route's expression caught; none if a prefix matched.
fn captures(found: &router::Match<'_>, path: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let groups = found.captures(path);
    groups
        .iter()
        .map(|it| (it.name.unwrap_or_default().to_owned(), it.value.map(text).unwrap_or_default()))
        .collect()
}

/// A target in absolute form, and `:authority` in HTTP/2, say the host better than Host does.
/// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1)
fn use_authority_as_host(head: &mut Parts) {
    if let Some(authority) = head.uri.authority() {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        if let Ok(host) = HeaderValue::from_str(host) {
            head.headers.insert(header::HOST, host);
        }
    }
}

/// Whether the client spoke TLS, to us or to a trusted proxy.
fn arrived_over_tls(exchange: &Exchange, trusted: bool) -> bool {
    let forwarded = || exchange.head.headers.get("x-forwarded-proto").filter(|_| trusted);
    exchange.tls || forwarded().is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Refuses what is no gRPC, and gRPC over a protocol that cannot carry it. (Kong: "Proxying", gRPC.)
fn refuse_grpc(exchange: &Exchange) -> Option<Response<Body>> {
    let head = &exchange.head;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc")) {
        let message = "Non-gRPC request matched gRPC route";
        return Some(exchange.error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if head.version == Version::HTTP_2 {
        return None;
    }
    let mut response = exchange.error(StatusCode::UPGRADE_REQUIRED, "Please use HTTP2 protocol");
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/2"));
    Some(response)
}

/// Sends a client from http to https. (Kong: Route object, `https_redirect_status_code`.)
fn redirect(exchange: &Exchange, route: &Route) -> Response<Body> {
    let status =
        StatusCode::from_u16(route.https_redirect_status_code).unwrap_or(StatusCode::UPGRADE_REQUIRED);
    if status == StatusCode::UPGRADE_REQUIRED {
        let mut response = exchange.error(status, "Please use HTTPS protocol");
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
        return response;
    }
    let head = &exchange.head;
    let host = head.headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let host = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(host, _)| host);
    let target = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut response = reply::page(&exchange.asked(), status);
    if let Ok(location) = HeaderValue::from_str(&format!("https://{host}{target}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{router::Options, snapshot::Compiler};

    /// What is moved into its place for every request.
    #[test]
    fn a_request_needs_little_room() {
        let live = Live::new(Compiler::new("specs".into(), Options::default()).empty());
        let proxy = Proxy::new(live, &Settings::default());
        let here = SocketAddr::from(([127, 0, 0, 1], 80));
        let connection = Connection { peer: here, local: here, tls: None };
        let room = size_of_val(&proxy.answer(Request::new(Body::Empty), connection));
        assert!(room <= 2048, "{room} bytes");
    }
}
