//! What no plugin answers goes to the Service, and its answer comes back.

use std::{borrow::Cow, net::SocketAddr, time::Instant};

use http::{HeaderValue, Method, StatusCode, Version, header, uri::PathAndQuery};

use super::{
    ClientConnection, Proxy, RequestOutcome, UpstreamTiming,
    attempt_recorder::AttemptRecorder,
    extended_connect,
    headers::{self, DeniedTrailers, ForwardedFields, ProxiedFields, response_headers},
    milliseconds, request_body, tunnel,
};
use crate::{
    balancer::{HashableRequest, RequestHash},
    body::{Body, BodyError},
    entity::Route,
    plugin::Exchange,
    reply::{self, ReplyPhase},
    request_head::{ClientHead, UpstreamRequest},
    router::join,
    snapshot::Destination,
    upstream::{RequestHead, SendFailure},
    uri::{Scheme, encode_path},
};

/// How a request came to its Route.
pub(super) struct RouteContext<'a> {
    /// The path in normal form.
    pub(super) path: &'a [u8],
    /// How many of its bytes the Route matched.
    pub(super) prefix: Option<usize>,
    /// What these bytes are to the Route.
    pub(super) prefix_text: Option<&'a [u8]>,
    /// The connection that it came over.
    pub(super) connection: &'a ClientConnection,
    /// The address of the client.
    pub(super) client: Cow<'a, str>,
}

/// What the upstream gets, but for the body.
#[derive(Debug)]
pub(super) struct UpstreamHead<'a> {
    pub(super) method: &'a Method,
    pub(super) target: PathAndQuery,
    client: &'a ClientHead,
    upstream: &'a UpstreamRequest,
    forwarding: ForwardedFields<'a>,
}

impl RequestHead for UpstreamHead<'_> {
    fn method(&self) -> &Method {
        self.method
    }

    fn target(&self) -> &str {
        self.target.as_str()
    }

    fn upgrades(&self) -> bool {
        self.forwarding.websocket
    }

    fn write_headers(&self, host: Option<&HeaderValue>, give: &mut impl FnMut(&str, &[u8])) {
        self.forwarding.write_headers(self.client, self.upstream, host, give);
    }
}

impl Proxy {
    pub(super) async fn forward(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        destination: &Destination,
        way: &RouteContext<'_>,
    ) -> RequestOutcome {
        if let Err(error) = self.read_ahead(exchange, route).await {
            let id = exchange.request_id;
            return RequestOutcome::Produced(self.broken(&exchange.asked(), &error, &id));
        }
        let id = exchange.request_id.to_header();
        let version = exchange.head().version();
        let upgrade = exchange.extensions.remove::<hyper::upgrade::OnUpgrade>();
        let body = std::mem::take(&mut exchange.body);
        let exchange = &*exchange;
        let head = match self.head(exchange, route, destination, way) {
            Ok(head) => head,
            Err(status) => return RequestOutcome::Produced(exchange.error(status, "the target is too long")),
        };
        let denied = || DeniedTrailers::of(exchange.head(), exchange.upstream.edits());
        let body = request_body::without_trailers(body, denied);
        let hashed = hash(exchange, destination);
        let host = head.forwarding.upstream_host.as_ref().or_else(|| exchange.head().field(header::HOST));
        let kept_host = host.filter(|_| route.preserve_host || exchange.upstream.host().is_some());
        let peers = destination.balancer.choose(&self.resolver, &destination.origin, &hashed, kept_host);
        let mut choice = AttemptRecorder::new(peers, exchange.sent.as_deref(), head.target.as_str());
        let handed_over = Instant::now();
        let result = self.pool.send_over(&mut choice, &destination.limits, &head, body).await;
        let came = result.as_ref().map_or_else(|_| Instant::now(), |answer| answer.came.into_std());
        let hop = UpstreamTiming {
            proxy: handed_over.duration_since(exchange.started),
            waiting: came.duration_since(handed_over),
            answered: result.is_ok(),
        };
        let mut proxied = ProxiedFields {
            version: Version::HTTP_11,
            upstream_latency: milliseconds(hop.waiting),
            proxy_latency: milliseconds(hop.proxy),
            upstream_status: None,
            request_id: id,
            trailers: head.forwarding.trailers,
            upgrade: false,
        };
        let choice = choice.finish(hop, &result);
        match result {
            Ok(answer) => {
                let mut response = answer.response.map(|body| choice.hold(body));
                let understood =
                    extended_connect::is_understood(exchange.head(), &exchange.extensions, &response);
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
                    extended_connect::open(&exchange.extensions, &mut response);
                }
                RequestOutcome::Proxied(response, hop)
            }
            Err(failure) => self.failed(exchange, &failure, destination, choice.address(), &proxied, hop),
        }
    }

    /// The answer to a request that got none from the upstream.
    fn failed(
        &self,
        exchange: &Exchange,
        failure: &SendFailure,
        destination: &Destination,
        address: Option<SocketAddr>,
        proxied: &ProxiedFields,
        hop: UpstreamTiming,
    ) -> RequestOutcome {
        let (host, port) = (destination.origin.host(), destination.origin.port());
        let place = address.map_or_else(|| format!("{host}:{port}"), |address| format!("{host} ({address})"));
        let (method, path) = (exchange.head().method(), exchange.head().path());
        tracing::warn!("{method} {path}: upstream {place}: {failure}");
        let (status, message) = (failure.cause.status(), failure.cause.message());
        let reached = failure.cause.reached_upstream();
        let phase = if reached { ReplyPhase::Proxy(self.error_format) } else { ReplyPhase::Access };
        let mut response = reply::error(&exchange.asked(), phase, status, message, &exchange.request_id);
        if !reached {
            return RequestOutcome::Produced(response);
        }
        response_headers(response.headers_mut(), proxied, self.tokens);
        RequestOutcome::Proxied(response, hop)
    }

    /// Reads a small body before there is an upstream to wait for it, if the Route wants it so. (Kong: Route
    /// `request_buffering`.) gRPC is a conversation, which nobody may wait for the end of.
    async fn read_ahead(&self, exchange: &mut Exchange, route: &Route) -> Result<(), BodyError> {
        if matches!(exchange.body, Body::Empty) {
            return Ok(());
        }
        let content_type = exchange.upstream_field(&header::CONTENT_TYPE);
        let grpc = content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"));
        if route.request_buffering && !grpc {
            let body = std::mem::take(&mut exchange.body);
            exchange.body = self.buffers.read_ahead(body, self.read_ahead).await?;
        }
        Ok(())
    }

    /// What the upstream gets.
    ///
    /// # Errors
    /// The status for a target that cannot be written.
    pub(super) fn head<'a>(
        &self,
        exchange: &'a Exchange,
        route: &Route,
        destination: &Destination,
        way: &'a RouteContext<'_>,
    ) -> Result<UpstreamHead<'a>, StatusCode> {
        let (client, upstream) = (exchange.head(), &exchange.upstream);
        let ClientConnection { local, tls, .. } = way.connection;
        // HTTP/1.1 has to name a host, also where the client's HTTP/1.0 did not, or where a plugin has removed it.
        let keeps_host =
            route.preserve_host && !client.host().is_empty() && !upstream.edits().replaces(&header::HOST);
        Ok(UpstreamHead {
            method: exchange.upstream_method(),
            target: self.target(exchange, route, destination, way)?,
            client,
            upstream,
            forwarding: ForwardedFields {
                peer: way.connection.address(),
                client: &way.client,
                scheme: Scheme::from_tls(tls.is_some()),
                port: self.port_maps.public(local.port()),
                stripped_prefix: way.prefix_text.filter(|_| route.strip_path),
                request_id: self.upstream_request_id.then(|| exchange.request_id.as_str()),
                upstream_host: upstream
                    .host()
                    .cloned()
                    .or_else(|| (!keeps_host).then(|| destination.host.clone())),
                websocket: client.asks_for_websocket(),
                trailers: client.accepts_trailers(),
            },
        })
    }

    /// The target that the upstream gets: the Service's path and the request's, and the query byte for byte.
    ///
    /// All of it has been encoded for a target, so that its length is the only obstacle; there is no other target to
    /// fall back on.
    fn target(
        &self,
        exchange: &Exchange,
        route: &Route,
        destination: &Destination,
        way: &RouteContext<'_>,
    ) -> Result<PathAndQuery, StatusCode> {
        let handling = self.flavor.path_handling(route.path_handling);
        let client = exchange.head();
        let mut target = match exchange.upstream.path() {
            Some(path) => path.to_owned(),
            None => {
                let joined = join(Some(&destination.path), way.path, way.prefix, route.strip_path, handling);
                let path = encode_path(&joined);
                if path == client.path()
                    && exchange.upstream.query().is_none()
                    && let Some(same) = client.target().path_and_query()
                {
                    return Ok(same.clone());
                }
                path.into_owned()
            }
        };
        if let Some(query) = exchange.upstream_query() {
            target.push('?');
            target.push_str(query);
        }
        PathAndQuery::try_from(target).map_err(|_| StatusCode::URI_TOO_LONG)
    }
}

/// What decides who gets a request, where that depends on the request.
fn hash(exchange: &Exchange, destination: &Destination) -> RequestHash {
    if !destination.balancer.hashes() {
        return RequestHash::default();
    }
    let identity = exchange.identity.as_ref();
    destination.balancer.hash(&HashableRequest {
        consumer: identity.map(|it| it.consumer.id.as_str().into()),
        client: exchange.client.ip(),
        headers: &exchange.edited_fields(),
        path: &exchange.path,
        query: exchange.upstream_query(),
        captures: &exchange.captures,
    })
}
