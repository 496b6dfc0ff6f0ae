//! What no plugin answers goes to the Service, and its answer comes back.

use std::{borrow::Cow, time::Instant};

use http::{HeaderMap, HeaderValue, Method, Version, header, uri::PathAndQuery};

use super::{
    Connection, Hop, Outcome, Proxy, extended_connect,
    headers::{self, Forwarding, Proxied, Scheme, asks_for_websocket, response_headers},
    milliseconds,
    tries::Noted,
    tunnel,
};
use crate::{
    balancer::{Asked, Hashed},
    body::BodyError,
    entity::Route,
    plugin::Exchange,
    reply::{self, Phase},
    router::join,
    snapshot::Destination,
    upstream::Head,
    uri_path::encode,
};

/// How a request came to its Route.
pub(super) struct Way<'a> {
    /// The path in normal form.
    pub(super) path: &'a [u8],
    /// How many of its bytes the Route matched.
    pub(super) prefix: Option<usize>,
    /// What these bytes are to the Route.
    pub(super) prefix_text: Option<&'a [u8]>,
    /// The connection that it came over.
    pub(super) connection: &'a Connection,
    /// Whether the peer's word about the client counts.
    pub(super) trusted: bool,
    /// The address of the client.
    pub(super) client: Cow<'a, str>,
}

/// What the upstream gets, but for the body.
#[derive(Debug)]
pub(super) struct Outbound<'a> {
    pub(super) method: &'a Method,
    pub(super) target: PathAndQuery,
    /// The fields that the client sent.
    headers: &'a HeaderMap,
    forwarding: Forwarding<'a>,
}

impl Head for Outbound<'_> {
    fn method(&self) -> &Method {
        self.method
    }

    fn target(&self) -> &str {
        self.target.as_str()
    }

    fn upgrades(&self) -> bool {
        self.forwarding.websocket
    }

    fn give_fields(&self, host: Option<&HeaderValue>, give: &mut impl FnMut(&str, &[u8])) {
        self.forwarding.give_fields(self.headers, host, give);
    }
}

impl Proxy {
    pub(super) async fn forward(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        destination: &Destination,
        way: &Way<'_>,
    ) -> Outcome {
        if let Err(error) = self.read_ahead(exchange, route).await {
            let id = exchange.request_id;
            return Outcome::Produced(self.broken(&exchange.asked(), &error, &id));
        }
        let id = exchange.request_id.to_header();
        let version = exchange.head.version;
        let trailers = exchange.head.headers.get(header::TE).is_some_and(|it| it == "trailers");
        let upgrade = exchange.head.extensions.remove::<hyper::upgrade::OnUpgrade>();
        let body = std::mem::take(&mut exchange.body);
        let exchange = &*exchange;
        let head = self.head(exchange, route, destination, way);
        let hashed = hash(exchange, destination);
        let keep_host = route.preserve_host || exchange.upstream_host.is_some();
        let host = head.forwarding.upstream_host.as_ref().or_else(|| exchange.head.headers.get(header::HOST));
        let kept_host = host.filter(|_| keep_host);
        let peers = destination.balancer.choose(&self.resolver, &destination.origin, &hashed, kept_host);
        let mut choice = Noted::new(peers, exchange.sent.as_deref(), head.target.as_str());
        let handed_over = Instant::now();
        let result = self.pool.send_over(&mut choice, &destination.limits, &head, body).await;
        let came = result.as_ref().map_or_else(|_| Instant::now(), |answer| answer.came.into_std());
        let hop = Hop {
            proxy: handed_over.duration_since(exchange.started),
            waiting: came.duration_since(handed_over),
            answered: result.is_ok(),
        };
        let mut proxied = Proxied {
            version: Version::HTTP_11,
            upstream_latency: milliseconds(hop.waiting),
            proxy_latency: milliseconds(hop.proxy),
            upstream_status: None,
            request_id: id,
            trailers,
            upgrade: false,
        };
        let choice = choice.finish(hop, &result);
        match result {
            Ok(answer) => {
                let mut response = answer.response.map(|body| choice.hold(body));
                let understood = extended_connect::is_understood(&exchange.head, &response);
                if let Some(cookie) = hashed.cookie {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
                proxied.upstream_status = Some(response.status());
                proxied.version = response.version();
                if let Some((client, upstream)) =
                    upgrade.filter(|_| head.upgrades() && understood).zip(answer.switched)
                {
                    proxied.upgrade = true;
                    tunnel::open(client, upstream, destination.limits.read, way.connection);
                }
                *response.version_mut() = version;
                response_headers(response.headers_mut(), &proxied, self.tokens);
                headers::add_charset(response.headers_mut());
                if proxied.upgrade {
                    extended_connect::open(&exchange.head, &mut response);
                }
                Outcome::Proxied(response, hop)
            }
            Err(failure) => {
                let (host, port) = (destination.origin.host(), destination.origin.port());
                let place = choice
                    .address()
                    .map_or_else(|| format!("{host}:{port}"), |address| format!("{host} ({address})"));
                let (method, path) = (&exchange.head.method, exchange.head.uri.path());
                tracing::warn!("{method} {path}: upstream {place}: {failure}");
                let (status, message) = (failure.cause.status(), failure.cause.message());
                let reached = failure.cause.reached_upstream();
                let phase = if reached { Phase::Proxy(self.error_format) } else { Phase::Access };
                let mut response =
                    reply::error(&exchange.asked(), phase, status, message, &exchange.request_id);
                if !reached {
                    return Outcome::Produced(response);
                }
                response_headers(response.headers_mut(), &proxied, self.tokens);
                Outcome::Proxied(response, hop)
            }
        }
    }

    /// Reads a small body before there is an upstream to wait for it, if the Route wants it so. (Kong: Route
    /// `request_buffering`.) gRPC is a conversation, which nobody may wait for the end of.
    async fn read_ahead(&self, exchange: &mut Exchange, route: &Route) -> Result<(), BodyError> {
        let content_type = exchange.head.headers.get(header::CONTENT_TYPE);
        let grpc = content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"));
        if route.request_buffering && !grpc {
            let body = std::mem::take(&mut exchange.body);
            exchange.body = self.buffers.read_ahead(body, self.read_ahead).await?;
        }
        Ok(())
    }

    /// What the upstream gets.
    pub(super) fn head<'a>(
        &self,
        exchange: &'a Exchange,
        route: &Route,
        destination: &Destination,
        way: &'a Way<'_>,
    ) -> Outbound<'a> {
        let headers = &exchange.head.headers;
        let Connection { local, tls, .. } = way.connection;
        let host = headers.get(header::HOST).map_or("", |host| host.to_str().unwrap_or_default());
        Outbound {
            method: &exchange.head.method,
            target: self.target(exchange, route, destination, way),
            headers,
            forwarding: Forwarding {
                peer: way.connection.address(),
                trusted: way.trusted,
                client: &way.client,
                scheme: if tls.is_some() { Scheme::Https } else { Scheme::Http },
                host,
                port: self.port_maps.public(local.port()),
                raw_path: exchange.head.uri.path(),
                stripped_prefix: way.prefix_text.filter(|_| route.strip_path),
                request_id: self.upstream_request_id.then(|| exchange.request_id.as_str()),
                version: exchange.head.version,
                upstream_host: exchange.upstream_host.clone().or_else(|| {
                    // HTTP/1.1 has to name a host, also where the client's HTTP/1.0 did not.
                    (!route.preserve_host || host.is_empty()).then(|| destination.host.clone())
                }),
                websocket: asks_for_websocket(headers, exchange.head.version),
                counted: exchange.head.method == Method::OPTIONS,
            },
        }
    }

    /// The target that the upstream gets: the Service's path and the request's, and the query byte for byte.
    fn target(
        &self,
        exchange: &Exchange,
        route: &Route,
        destination: &Destination,
        way: &Way<'_>,
    ) -> PathAndQuery {
        let handling = self.flavor.path_handling(route.path_handling);
        let joined = join(Some(&destination.path), way.path, way.prefix, route.strip_path, handling);
        let mut target = exchange.upstream_path.clone().unwrap_or_else(|| encode(&joined).into_owned());
        if let Some(query) = exchange.head.uri.query() {
            target.push('?');
            target.push_str(query);
        }
        // Every byte that a target may not hold has been encoded.
        PathAndQuery::try_from(target).unwrap_or(PathAndQuery::from_static("/"))
    }
}

/// What decides who gets a request, where that depends on the request.
fn hash(exchange: &Exchange, destination: &Destination) -> Hashed {
    if !destination.balancer.hashes() {
        return Hashed::default();
    }
    let identity = exchange.identity.as_ref();
    destination.balancer.hash(&Asked {
        consumer: identity.map(|it| it.consumer.id.as_str().into()),
        client: exchange.client.ip(),
        headers: &exchange.head.headers,
        path: &exchange.path,
        query: exchange.head.uri.query(),
        captures: &exchange.captures,
    })
}
