//! Forwarding: sends a request that no plugin has answered to the upstream, and returns the response.

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

/// How a request matched its Route, and the connection that it came over.
pub(super) struct RouteContext<'a> {
    /// Path in normal form.
    pub(super) path: &'a [u8],
    /// Length of the prefix that the Route matched.
    pub(super) prefix: Option<usize>,
    /// The matched prefix as X-Forwarded-Prefix has it.
    pub(super) prefix_text: Option<&'a [u8]>,
    /// Client connection.
    pub(super) connection: &'a ClientConnection,
    /// Address of the client.
    pub(super) client: Cow<'a, str>,
}

/// Head of the upstream request.
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

    fn write_headers(&self, host: Option<&HeaderValue>, write: &mut impl FnMut(&str, &[u8])) {
        self.forwarding.write_headers(self.client, self.upstream, host, write);
    }
}

impl Proxy {
    /// Sends a request to the destination of its Route, and returns the response or an error.
    pub(super) async fn forward(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        destination: &Destination,
        route_context: &RouteContext<'_>,
    ) -> RequestOutcome {
        if let Err(error) = self.read_ahead(exchange, route).await {
            let id = exchange.request_id;
            return RequestOutcome::Produced(self.body_error(&exchange.error_request(), &error, &id));
        }
        let id = exchange.request_id.to_header();
        let version = exchange.head().version();
        let upgrade = exchange.extensions.remove::<hyper::upgrade::OnUpgrade>();
        let body = std::mem::take(&mut exchange.body);
        let exchange = &*exchange;
        let head = match self.upstream_head(exchange, route, destination, route_context) {
            Ok(head) => head,
            Err(status) => return RequestOutcome::Produced(exchange.error(status, "the target is too long")),
        };
        let denied_trailers = || DeniedTrailers::of(exchange.head(), exchange.upstream.edits());
        let body = request_body::without_trailers(body, denied_trailers);
        let hash = request_hash(exchange, destination);
        let host = head.forwarding.upstream_host.as_ref().or_else(|| exchange.head().field(header::HOST));
        let preserved_host = host.filter(|_| route.preserve_host || exchange.upstream.host().is_some());
        let peers = destination.balancer.choose(&self.resolver, &destination.origin, &hash, preserved_host);
        let mut attempts =
            AttemptRecorder::new(peers, exchange.upstream_record.as_deref(), head.target.as_str());
        let sent = Instant::now();
        let result = self.pool.send_over(&mut attempts, &destination.limits, &head, body).await;
        let answered =
            result.as_ref().map_or_else(|_| Instant::now(), |answer| answer.received_at.into_std());
        let timing = UpstreamTiming {
            proxy_latency: sent.duration_since(exchange.started),
            upstream_latency: answered.duration_since(sent),
            has_response: result.is_ok(),
        };
        let mut proxied = ProxiedFields {
            version: Version::HTTP_11,
            upstream_latency: milliseconds(timing.upstream_latency),
            proxy_latency: milliseconds(timing.proxy_latency),
            upstream_status: None,
            request_id: id,
            trailers: head.forwarding.trailers,
            upgrade: false,
        };
        let attempts = attempts.finish(timing, &result);
        match result {
            Ok(answer) => {
                let mut response = answer.response.map(|body| attempts.keep_open(body));
                let is_accepted =
                    extended_connect::is_accepted(exchange.head(), &exchange.extensions, &response);
                if let Some(cookie) = hash.cookie {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
                proxied.upstream_status = Some(response.status());
                proxied.version = response.version();
                if let Some((client, upstream)) =
                    upgrade.filter(|_| head.upgrades() && is_accepted).zip(answer.upgraded)
                {
                    proxied.upgrade = true;
                    tunnel::open(client, upstream, destination.limits.read, route_context.connection);
                }
                *response.version_mut() = version;
                response_headers(response.headers_mut(), &proxied, self.tokens);
                headers::add_charset(response.headers_mut());
                if proxied.upgrade {
                    extended_connect::accept_connect(&exchange.extensions, &mut response);
                }
                RequestOutcome::Proxied(response, timing)
            }
            Err(failure) => {
                let peer = (attempts.address(), attempts.answer_note());
                self.upstream_error(exchange, &failure, destination, peer, &proxied, timing)
            }
        }
    }

    /// The response to a request for which no upstream sent one. The log names the address of the last attempt, and a note
    /// about it.
    fn upstream_error(
        &self,
        exchange: &Exchange,
        failure: &SendFailure,
        destination: &Destination,
        (address, note): (Option<SocketAddr>, Option<String>),
        proxied: &ProxiedFields,
        timing: UpstreamTiming,
    ) -> RequestOutcome {
        let (host, port) = (destination.origin.host(), destination.origin.port());
        let peer = address.map_or_else(|| format!("{host}:{port}"), |address| format!("{host} ({address})"));
        let (method, path) = (exchange.head().method(), exchange.head().path());
        let note = note.map_or_else(String::new, |note| format!("; {note}"));
        tracing::warn!("{method} {path}: upstream {peer}: {failure}{note}");
        let (status, message) = (failure.cause.status(), failure.cause.message());
        let is_reached = failure.cause.reached_upstream();
        let phase = if is_reached { ReplyPhase::Proxy(self.error_format) } else { ReplyPhase::Access };
        let mut response =
            reply::error(&exchange.error_request(), phase, status, message, &exchange.request_id);
        if !is_reached {
            return RequestOutcome::Produced(response);
        }
        response_headers(response.headers_mut(), proxied, self.tokens);
        RequestOutcome::Proxied(response, timing)
    }

    /// Reads a small body before the upstream connection is taken, if the Route has `request_buffering`, so that a slow
    /// client does not occupy an upstream. gRPC calls are not read ahead: client and server may take turns.
    async fn read_ahead(&self, exchange: &mut Exchange, route: &Route) -> Result<(), BodyError> {
        if matches!(exchange.body, Body::Empty) {
            return Ok(());
        }
        let content_type = exchange.upstream_field(&header::CONTENT_TYPE);
        let is_grpc =
            content_type.is_some_and(|media_type| media_type.as_bytes().starts_with(b"application/grpc"));
        if route.request_buffering && !is_grpc {
            let body = std::mem::take(&mut exchange.body);
            exchange.body = self.buffers.read_ahead(body, self.read_ahead_bytes).await?;
        }
        Ok(())
    }

    /// The head of the upstream request.
    ///
    /// # Errors
    /// 414 if the target is too long.
    pub(super) fn upstream_head<'a>(
        &self,
        exchange: &'a Exchange,
        route: &Route,
        destination: &Destination,
        route_context: &'a RouteContext<'_>,
    ) -> Result<UpstreamHead<'a>, StatusCode> {
        let (client, upstream) = (exchange.head(), &exchange.upstream);
        let ClientConnection { local, tls, .. } = route_context.connection;
        // HTTP/1.1 requires a host, also if the client's HTTP/1.0 request has none or a plugin has removed it.
        let keeps_host =
            route.preserve_host && !client.host().is_empty() && !upstream.edits().replaces(&header::HOST);
        Ok(UpstreamHead {
            method: exchange.upstream_method(),
            target: self.upstream_target(exchange, route, destination, route_context)?,
            client,
            upstream,
            forwarding: ForwardedFields {
                peer: route_context.connection.address(),
                client: &route_context.client,
                scheme: Scheme::from_tls(tls.is_some()),
                port: self.port_maps.public(local.port()),
                stripped_prefix: route_context.prefix_text.filter(|_| route.strip_path),
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

    /// The target of the upstream request: the Service's path joined with the request's, and the query unchanged.
    ///
    /// # Errors
    /// 414 if it is too long. All parts are encoded for a target, so the length is the only cause of an error.
    fn upstream_target(
        &self,
        exchange: &Exchange,
        route: &Route,
        destination: &Destination,
        route_context: &RouteContext<'_>,
    ) -> Result<PathAndQuery, StatusCode> {
        let handling = self.flavor.path_handling(route.path_handling);
        let client = exchange.head();
        let mut target = match exchange.upstream.path() {
            Some(path) => path.to_owned(),
            None => {
                let joined = join(
                    Some(&destination.path),
                    route_context.path,
                    route_context.prefix,
                    route.strip_path,
                    handling,
                );
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

/// The hash that picks the peer, for balancers that hash requests.
fn request_hash(exchange: &Exchange, destination: &Destination) -> RequestHash {
    if !destination.balancer.uses_hash() {
        return RequestHash::default();
    }
    let identity = exchange.identity.as_ref();
    destination.balancer.hash(&HashableRequest {
        consumer: identity.map(|identity| identity.consumer.id.as_str().into()),
        client: exchange.client.ip(),
        headers: &exchange.edited_fields(),
        path: &exchange.path,
        query: exchange.upstream_query(),
        captures: &exchange.captures,
    })
}
