//! Proxy: the life of a request, from its head to the last byte of its response.
//!
//! | step | file |
//! |---|---|
//! | take the current Snapshot, find the Route, run its plugins | this one |
//! | make the proxy from the settings | `builder` |
//! | build what the router and plugins see of a request | `arrival`, `request_context` |
//! | refuse malformed requests, and requests beyond a bound | `malformed`, `bounds` |
//! | build the responses to these, to overload and to panics | `error_responses` |
//! | refuse or redirect requests in another protocol than the Route's | `protocol` |
//! | describe the client's connection and its TLS session | `connection` |
//! | limit the size and the pauses of request bodies | `request_body` |
//! | send a request to the upstream and return its response | `forward` |
//! | write header fields for upstreams and clients | `headers` |
//! | explain which Route a request gets, and why | `explain` |
//! | collect the access log line, metrics and plugin logs of a request | `request_log` |
//! | keep the record that plugins log | `plugin_log` |
//! | record the attempts to send a request upstream | `attempt_recorder` |
//! | convert statuses, names and times for logs | `log_values` |
//! | find the client's address behind trusted proxies | `client_address` |
//! | configure DNS resolution | `dns_options` |
//! | copy bytes both ways after a protocol upgrade | `tunnel` |
//! | accept WebSocket over HTTP/2 | `extended_connect` |

mod arrival;
mod attempt_recorder;
mod bounds;
mod builder;
mod client_address;
mod connection;
mod dns_options;
mod error_responses;
mod explain;
mod extended_connect;
mod forward;
mod headers;
mod log_values;
mod malformed;
mod plugin_log;
mod protocol;
mod request_body;
mod request_context;
mod request_log;
#[cfg(test)]
mod tests;
mod tunnel;

pub use bounds::HeadBounds;
pub use connection::{ClientConnection, ClientTls, ShutdownStage};
pub use error_responses::error_format;
pub use explain::{
    ExplainRequest, Explanation, ForwardedRequest, GatewayAnswer, MatchingRoute, PlannedPlugin,
};
pub(crate) use headers::strip_answer_trailers;
pub use malformed::check_transfer_coding;
pub use request_log::RequestLog;

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, Response, StatusCode};

use self::{
    arrival::{RequestArrival, captures, is_for_gateway, new_exchange, router_request},
    bounds::RequestBounds,
    client_address::{ClientAddress, RealIp},
    error_responses::{NO_ROUTE, NO_SERVICE},
    headers::{HeaderTokens, add_fields},
    log_values::milliseconds,
    request_body::BodyLimits,
    request_context::RequestContext,
};
use crate::{
    access_log::{self, AccessLog, RouteFields},
    balancer::BackgroundTasks,
    body::{Body, BodyBuffers},
    dns::DnsResolver,
    entity::{Route, record_label},
    plugin::{Exchange, PluginChain, ResponseOrigin},
    reply::{self, ErrorFormat, ErrorTemplates},
    request_id::RequestId,
    router::MatchFlavor,
    settings::{AddedField, PortMaps},
    snapshot::{Destination, LiveSnapshot},
    supervise::catch_future_panic,
    traffic::TrafficMonitor,
    upstream::ConnectionPool,
    uri::normalize_path,
};

/// The proxy: answers requests by the current Snapshot.
#[derive(Debug)]
pub struct Proxy {
    live: Arc<LiveSnapshot>,
    pool: ConnectionPool,
    resolver: DnsResolver,
    tokens: HeaderTokens,
    added_fields: Vec<AddedField>,
    upstream_request_id: bool,
    bounds: RequestBounds,
    body_limits: BodyLimits,
    /// Most bytes of a body that are read before it is sent, on Routes with `request_buffering`.
    read_ahead_bytes: usize,
    /// Memory for bodies that are held; plugins share it.
    buffers: BodyBuffers,
    real_ip: RealIp,
    port_maps: PortMaps,
    flavor: MatchFlavor,
    error_format: ErrorFormat,
    templates: Option<Arc<ErrorTemplates>>,
    access_log: Option<Arc<AccessLog>>,
    /// Monitor of the traffic; `None` if no page shows it.
    traffic: Option<Arc<TrafficMonitor>>,
}

/// A response and its source, which decides about the header fields of the gateway.
enum RequestOutcome {
    /// A response of the gateway.
    Produced(Response<Body>),
    /// A response of an upstream, or an error after an upstream was tried.
    Proxied(Response<Body>, UpstreamTiming),
}

/// Times of a request that was sent to an upstream.
#[derive(Clone, Copy, Debug)]
struct UpstreamTiming {
    /// From the request's arrival to sending it.
    proxy_latency: Duration,
    /// From sending it to the head of the response, or to the failure.
    upstream_latency: Duration,
    /// Whether the upstream responded.
    has_response: bool,
}

impl Proxy {
    /// The log of requests.
    #[must_use]
    pub fn access_log(&self) -> Option<&Arc<AccessLog>> {
        self.access_log.as_ref()
    }

    /// Runs health checks and DNS updates for the Upstreams of each current Snapshot; dropping the future ends them.
    pub async fn maintain_balancers(&self) {
        let mut tasks = BackgroundTasks::default();
        loop {
            let changed = self.live.changed();
            tasks.update(self.live.current().balancers(), &self.resolver, &self.pool);
            changed.await;
        }
    }

    /// Answers one request. The log still lacks the bytes of the response body.
    pub async fn answer(
        &self,
        mut request: Request<Body>,
        connection: &ClientConnection,
    ) -> (Response<Body>, RequestLog) {
        let started = Instant::now();
        let id = RequestId::random();
        extended_connect::to_http1_handshake(&mut request);
        let client = self.client_address(connection, request.headers());
        let line = self.start_log_line(&request, (connection, client), started, &id);
        let traffic = self.traffic.as_ref().map(|monitor| monitor.start_request(started));
        let mut log = RequestLog { line, traffic, ..RequestLog::default() };
        let arrival = RequestArrival { client, started, id };
        let caught = {
            let responding = pin!(self.respond(request, connection, &arrival, &mut log));
            catch_future_panic(responding).await
        };
        let mut response = caught.unwrap_or_else(|panic| self.panic_response(&panic, &arrival, &mut log));
        add_fields(&mut response, &self.added_fields);
        (response, log)
    }

    fn client_address(&self, connection: &ClientConnection, headers: &HeaderMap) -> ClientAddress {
        let from_proxy_protocol = connection.proxy_protocol_client.map(|client| client.ip());
        self.real_ip.client(connection.peer.ip(), from_proxy_protocol, headers)
    }

    fn start_log_line(
        &self,
        request: &Request<Body>,
        (connection, client): (&ClientConnection, ClientAddress),
        started: Instant,
        id: &RequestId,
    ) -> Option<access_log::LogLine> {
        let log = self.access_log.as_ref()?;
        let fields = access_log::RequestFields {
            client: &connection.address_of(client),
            method: request.method(),
            target: request.uri(),
            version: request.version(),
            headers: request.headers(),
            connection: connection.log_fields(),
            id,
        };
        Some(log.start_line(&fields, started))
    }

    async fn respond(
        &self,
        request: Request<Body>,
        connection: &ClientConnection,
        arrival: &RequestArrival,
        log: &mut RequestLog,
    ) -> Response<Body> {
        if let Some(refusal) = self.refuse(&request, &arrival.id) {
            log.record_refusal(&refusal);
            return self.add_produced_headers(refusal, arrival.started, &arrival.id);
        }
        // One Snapshot for the whole request, also if another one is published meanwhile.
        let snapshot = self.live.current();
        let path = normalize_path(request.uri().path().as_bytes()).into_owned();
        let mut context = self.new_context(request, &path, snapshot.global(), connection, *arrival);
        let chain = snapshot.global();
        if chain.rewrites()
            && let Some(response) = chain.rewrite(&mut context).await
        {
            return self.finish(RequestOutcome::Produced(response), None, context, log);
        }
        let found = {
            let fields = context.edited_fields();
            snapshot.find_or_refuse(&router_request(&context, &fields, &path, connection), NO_ROUTE)
        };
        let (found, route, step) = match found.map_err(|(status, message)| context.error(status, message)) {
            Ok(found) => found,
            Err(response) => return self.finish(RequestOutcome::Produced(response), None, context, log),
        };
        context.matched = Some(step.matched.clone());
        if let Some(route_metrics) = &step.metrics {
            let mut metrics = route_metrics.start_request(context.head(), arrival.started);
            context.body = metrics.count_request_body(std::mem::take(&mut context.body));
            log.metrics = Some(metrics);
        }
        let destination = step.destination.as_ref();
        let hashes_captures = destination.is_some_and(|destination| destination.balancer.hashes_captures());
        if hashes_captures || !step.chain.steps().is_empty() {
            context.captures = captures(&found, &path);
        }
        if let Some((response, _)) = protocol::refuse(&context, route, step) {
            // Kong decides this before it looks for the Route's plugins.
            return self.finish(RequestOutcome::Produced(response), None, context, log);
        }
        context.enter_chain(&step.chain);
        let chosen;
        let mut destination = step.destination.as_deref();
        let outcome = if let Some(response) = step.chain.access(&mut context).await {
            RequestOutcome::Produced(response)
        } else {
            context.response_origin = ResponseOrigin::Gateway;
            if let Some((choice, given)) = context.chosen_destination.take().zip(destination) {
                chosen = given.replaced(&choice, &snapshot);
                destination = chosen.as_deref();
            }
            let route_context = forward::RouteContext {
                path: &path,
                prefix: found.prefix,
                prefix_text: found.prefix_text(&path),
                connection,
                client: connection.address_of(arrival.client),
            };
            // Boxed: otherwise the future of every request would have the size of this one, also where a plugin
            // answers.
            let to = (destination, context.is_logged());
            Box::pin(self.serve(&mut context, route, to, &route_context)).await
        };
        self.finish(outcome, destination, context, log)
    }

    /// The context of a request, with the chain of global plugins.
    ///
    /// Not inlined into [`Self::respond`]: values that are moved there keep their space in the future until it ends.
    fn new_context<'a>(
        &'a self,
        request: Request<Body>,
        path: &[u8],
        chain: &'a PluginChain,
        connection: &'a ClientConnection,
        arrival: RequestArrival,
    ) -> RequestContext<'a> {
        let (mut head, body) = request.into_parts();
        if let Some(templates) = &self.templates {
            head.extensions.insert(Arc::clone(templates));
        }
        let body = self.body_limits.apply(body);
        let exchange = new_exchange((head, body), path, connection, arrival);
        RequestContext::new(exchange, chain, connection, self)
    }

    /// Answers a request that no plugin has answered; a plugin may log it.
    async fn serve(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        (destination, is_logged): (Option<&Destination>, bool),
        route_context: &forward::RouteContext<'_>,
    ) -> RequestOutcome {
        match destination {
            _ if is_for_gateway(exchange.head()) => RequestOutcome::Produced(reply::empty(StatusCode::OK)),
            Some(destination) => {
                exchange.upstream_record = is_logged.then(Arc::default);
                self.forward(exchange, route, destination, route_context).await
            }
            None => RequestOutcome::Produced(exchange.error(StatusCode::SERVICE_UNAVAILABLE, NO_SERVICE)),
        }
    }

    /// Runs the header filters, adds the gateway's header fields, and records the response in the log.
    fn finish(
        &self,
        outcome: RequestOutcome,
        destination: Option<&Destination>,
        mut context: RequestContext<'_>,
        log: &mut RequestLog,
    ) -> Response<Body> {
        let chain = context.chain();
        let exchange = &mut *context;
        let (mut response, timing) = match outcome {
            RequestOutcome::Proxied(mut response, timing) => {
                if timing.has_response {
                    exchange.response_origin = ResponseOrigin::Upstream(response.status());
                }
                chain.header_filter(exchange, &mut response);
                (response, Some(timing))
            }
            RequestOutcome::Produced(mut response) => {
                chain.header_filter(exchange, &mut response);
                (self.add_produced_headers(response, exchange.started, &exchange.request_id), None)
            }
        };
        if extended_connect::falsely_accepts(&exchange.extensions, &response) {
            response = self.bad_gateway(exchange);
        }
        let logs_routes = self.access_log.as_ref().is_some_and(|log| log.logs_routes());
        let matched = exchange.matched.as_deref().filter(|_| logs_routes);
        let fields = RouteFields {
            route: matched.and_then(|matched| record_label(&matched.route_record)),
            service: matched.and_then(|matched| record_label(&matched.service_record)),
            upstream: timing.and(destination).map(|target| (target.origin.host(), target.origin.port())),
            proxy_latency: timing.map(|timing| milliseconds(timing.proxy_latency)),
            upstream_latency: timing.map(|timing| milliseconds(timing.upstream_latency)),
            upstream_status: exchange.response_origin.upstream_status(),
        };
        log.record_response(&response, fields);
        log.record_metrics(&response, exchange, timing);
        log.record_traffic(&response, exchange);
        log.plugin_log = context.close(Some(&response));
        response
    }
}
