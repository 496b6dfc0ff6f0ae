//! REQUEST: the life of a request, from its head to the last byte of its response.
//!
//! | step | where |
//! |---|---|
//! | take the current Snapshot, find the Route, run its plugins | here |
//! | what of a request the router and plugins are told | `arrival` |
//! | refuse what no Route should see | `refuse` |
//! | refuse or redirect what comes in the wrong protocol | `protocol` |
//! | what it came over | `connection` |
//! | how the body of a request comes in | `request_body` |
//! | send what no plugin answers to the Service | `forward` |
//! | what upstreams and clients are told in headers | `headers` |
//! | what would become of a request, and why | `explain` |
//! | what the access log and the counters are told | `request_log` |
//! | what plugins are told when a request is over | `logged_request`, `attempt_recorder` |
//! | in which figures they are told it | `units` |
//! | who the client is behind trusted proxies | `client_address` |
//! | how names are looked up | `names` |
//! | two ends that speak another protocol from now on | `tunnel` |
//! | how WebSocket begins in HTTP/2 | `extended_connect` |

mod arrival;
mod attempt_recorder;
mod client_address;
mod connection;
mod explain;
mod extended_connect;
mod forward;
mod headers;
mod logged_request;
mod names;
mod protocol;
mod refuse;
mod request_body;
mod request_log;
#[cfg(test)]
mod tests;
mod tunnel;
mod units;

pub use connection::{ClientConnection, ClientTls, ShutdownStage};
pub use explain::{ExplainRequest, Explanation, ForwardedRequest, MatchingRoute, PlannedPlugin};
pub(crate) use headers::strip_answer_trailers;
pub use refuse::wrong_coding;
pub use request_log::RequestLog;

use std::{
    num::NonZeroU64,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, Response, StatusCode};

use self::{
    arrival::{RequestArrival, captures, new_exchange, router_request},
    client_address::{ClientAddress, RealIp},
    headers::{HeaderTokens, produced_headers},
    logged_request::RequestContext,
    refuse::{RequestBounds, goes_no_further},
    request_body::BodyLimits,
    units::{label, milliseconds},
};
use crate::{
    access_log::{self, AccessLog, RouteFields},
    balancer::BackgroundTasks,
    body::{Body, BodyBuffers},
    dns::DnsResolver,
    entity::Route,
    plugin::{Exchange, PluginChain},
    reply::{self, ErrorFormat, ErrorTemplates, ReplyPhase},
    request_id::RequestId,
    router::MatchFlavor,
    settings::{ErrorType, PortMaps, RouterFlavor, Settings},
    snapshot::{Destination, LiveSnapshot, RouteStep},
    supervise::catch_future_panic,
    upstream::{ConnectionPool, PoolSettings},
    uri::normalize_path,
};

/// Takes requests through.
#[derive(Debug)]
pub struct Proxy {
    live: Arc<LiveSnapshot>,
    pool: ConnectionPool,
    resolver: DnsResolver,
    tokens: HeaderTokens,
    upstream_request_id: bool,
    bounds: RequestBounds,
    patience: BodyLimits,
    /// How much of a body is read ahead, if the Route wants it. (Kong: `client_body_buffer_size`.)
    read_ahead: usize,
    /// The memory for bodies that are held, which plugins use, too.
    buffers: BodyBuffers,
    real_ip: RealIp,
    port_maps: PortMaps,
    flavor: MatchFlavor,
    /// The format of errors for clients that have no wish.
    error_format: ErrorFormat,
    /// What errors look like, where the user has said it.
    templates: Option<Arc<ErrorTemplates>>,
    log: Option<Arc<AccessLog>>,
}

/// How the answer to a request came about: it decides which headers tell of it.
enum RequestOutcome {
    /// The gateway made it.
    Produced(Response<Body>),
    /// An upstream gave it, or was to give it.
    Proxied(Response<Body>, UpstreamTiming),
}

/// The way to an upstream.
#[derive(Clone, Copy, Debug)]
struct UpstreamTiming {
    /// From the request's arrival to handing it over.
    proxy: Duration,
    /// From then to the head of the response.
    waiting: Duration,
    /// Whether the upstream answered.
    answered: bool,
}

/// The format of a media type.
#[must_use]
pub const fn error_format(of: ErrorType) -> ErrorFormat {
    match of {
        ErrorType::Json => ErrorFormat::Json,
        ErrorType::Xml => ErrorFormat::Xml,
        ErrorType::Html => ErrorFormat::Html,
        ErrorType::Plain => ErrorFormat::Plain,
    }
}

impl Proxy {
    /// Serves what is current in `live`.
    #[must_use]
    pub fn new(live: Arc<LiveSnapshot>, settings: &Settings) -> Self {
        let pool = PoolSettings {
            idle_per_origin: settings.upstream_keepalive_pool_size,
            idle_timeout: settings.upstream_keepalive_idle_timeout.unwrap_or(Duration::MAX),
            max_requests: settings
                .upstream_keepalive_max_requests
                .map_or(u32::MAX, |most| u32::try_from(most.get()).unwrap_or(u32::MAX)),
        };
        Self {
            pool: ConnectionPool::new(pool),
            resolver: DnsResolver::new(names::options(&settings.dns)),
            tokens: HeaderTokens::from(settings.headers),
            upstream_request_id: settings.upstream_request_id,
            bounds: RequestBounds::from(settings),
            patience: BodyLimits {
                most: settings.client_max_body_size.map(NonZeroU64::get),
                pause: settings.client_body_timeout,
            },
            read_ahead: settings.client_body_buffer_size,
            buffers: live.current().resources().buffers.clone(),
            live,
            real_ip: RealIp::from(settings),
            port_maps: settings.port_maps.clone(),
            flavor: match settings.router_flavor {
                RouterFlavor::Traditional => MatchFlavor::Traditional,
                RouterFlavor::TraditionalCompatible => MatchFlavor::TraditionalCompatible,
                RouterFlavor::Expressions => MatchFlavor::Expressions,
            },
            error_format: error_format(settings.error_default_type),
            templates: None,
            log: None,
        }
    }

    /// Lets errors look like this. (Kong: `error_template_html` and its like.)
    #[must_use]
    pub fn with_templates(mut self, templates: ErrorTemplates) -> Self {
        self.templates = (!templates.is_empty()).then(|| Arc::new(templates));
        self
    }

    /// Tells of every request in this log.
    #[must_use]
    pub fn with_access_log(mut self, log: Option<Arc<AccessLog>>) -> Self {
        self.log = log;
        self
    }

    /// Where requests are told.
    #[must_use]
    pub fn access_log(&self) -> Option<&Arc<AccessLog>> {
        self.log.as_ref()
    }

    /// Keeps the Upstreams of every Snapshot up to date (their names, their health), until it is dropped.
    pub async fn maintain_balancers(&self) {
        let mut keeper = BackgroundTasks::default();
        loop {
            let changed = self.live.changed();
            keeper.keep(self.live.current().balancers(), &self.resolver, &self.pool);
            changed.await;
        }
    }

    /// Answers one request; what is told of it is complete but for the body.
    pub async fn answer(
        &self,
        mut request: Request<Body>,
        connection: &ClientConnection,
    ) -> (Response<Body>, RequestLog) {
        let started = Instant::now();
        let id = RequestId::random();
        extended_connect::shake_hands(&mut request);
        let who = self.who(connection, request.headers());
        let line = self.line(&request, (connection, who), started, &id);
        let mut told = RequestLog { line, ..RequestLog::default() };
        let arrival = RequestArrival { client: who, started, id };
        let responded = {
            let responding = pin!(self.respond(request, connection, &arrival, &mut told));
            catch_future_panic(responding).await
        };
        let response = responded.unwrap_or_else(|panicked| self.panicked(&panicked, &arrival, &mut told));
        (response, told)
    }

    /// Who the client is, as far as is known.
    fn who(&self, connection: &ClientConnection, headers: &HeaderMap) -> ClientAddress {
        self.real_ip.client(connection.peer.ip(), connection.announced.map(|it| it.ip()), headers)
    }

    fn line(
        &self,
        request: &Request<Body>,
        (connection, who): (&ClientConnection, ClientAddress),
        started: Instant,
        id: &RequestId,
    ) -> Option<access_log::LogLine> {
        let log = self.log.as_ref()?;
        let asked = access_log::RequestFields {
            client: &connection.address_of(who),
            method: request.method(),
            target: request.uri(),
            version: request.version(),
            headers: request.headers(),
            id,
        };
        Some(log.line(&asked, started))
    }

    async fn respond(
        &self,
        request: Request<Body>,
        connection: &ClientConnection,
        arrival: &RequestArrival,
        told: &mut RequestLog,
    ) -> Response<Body> {
        if let Some(refusal) = self.refuse(&request, &arrival.id) {
            told.answered(&refusal, RouteFields::default());
            return self.produced(refusal, arrival.started, &arrival.id);
        }
        // One Snapshot for the whole request, whatever is published meanwhile.
        let snapshot = self.live.current();
        let path = normalize_path(request.uri().path().as_bytes()).into_owned();
        let mut visit = self.visit(request, &path, snapshot.global(), connection, *arrival);
        let found = snapshot.find(&router_request(visit.head(), &path, connection));
        let Some((found, route, step)) = found else {
            let response = visit.error(StatusCode::NOT_FOUND, "no Route matched with those values");
            return self.finish(RequestOutcome::Produced(response), None, visit, told);
        };
        visit.matched = Some(step.matched.clone());
        if let Some(counting) = &step.counting {
            let mut count = counting.request(visit.head(), arrival.started);
            visit.body = count.receive(std::mem::take(&mut visit.body));
            told.count = Some(count);
        }
        let hashed = step.destination.as_ref().is_some_and(|it| it.balancer.wants_captures());
        if hashed || !step.chain.steps().is_empty() {
            visit.captures = captures(&found, &path);
        }
        if let Some((response, _)) = protocol::refuse(&visit, route, step) {
            // Kong decides this before it looks for the Route's plugins.
            return self.finish(RequestOutcome::Produced(response), None, visit, told);
        }
        visit.enter(&step.chain);
        let outcome = if let Some(response) = step.chain.access(&mut visit).await {
            RequestOutcome::Produced(response)
        } else {
            let way = forward::RouteContext {
                path: &path,
                prefix: found.prefix,
                prefix_text: found.prefix_text(&path),
                connection,
                client: connection.address_of(arrival.client),
            };
            // In a box: the room that it needs would be moved about for the requests that plugins answer, too.
            Box::pin(self.serve(&mut visit, route, step, &way)).await
        };
        self.finish(outcome, step.destination.as_deref(), visit, told)
    }

    /// The request as its chain sees it.
    ///
    /// Not in [`Self::respond`]: what is moved there keeps its room until the answer is there.
    fn visit<'a>(
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
        let body = self.patience.watch(body);
        let exchange = new_exchange((head, body), path, connection, arrival);
        RequestContext::new(exchange, chain, connection, &self.port_maps)
    }

    async fn serve(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        step: &RouteStep,
        way: &forward::RouteContext<'_>,
    ) -> RequestOutcome {
        match &step.destination {
            _ if goes_no_further(exchange.head()) => RequestOutcome::Produced(reply::empty(StatusCode::OK)),
            Some(destination) => {
                exchange.sent = step.chain.logs().then(Arc::default);
                self.forward(exchange, route, destination, way).await
            }
            None => {
                let message = "no Service found with those values";
                RequestOutcome::Produced(exchange.error(StatusCode::SERVICE_UNAVAILABLE, message))
            }
        }
    }

    /// Runs the header filters, and tells of the answer in its headers and in the log.
    fn finish(
        &self,
        outcome: RequestOutcome,
        destination: Option<&Destination>,
        mut visit: RequestContext<'_>,
        told: &mut RequestLog,
    ) -> Response<Body> {
        let chain = visit.chain();
        let exchange = &*visit;
        let (mut response, hop) = match outcome {
            RequestOutcome::Proxied(mut response, hop) => {
                chain.header_filter(exchange, &mut response);
                (response, Some(hop))
            }
            RequestOutcome::Produced(mut response) => {
                chain.header_filter(exchange, &mut response);
                (self.produced(response, exchange.started, &exchange.request_id), None)
            }
        };
        if extended_connect::misleads(&exchange.extensions, &response) {
            let phase = ReplyPhase::Proxy(self.error_format);
            let error =
                reply::error(&exchange.asked(), phase, StatusCode::BAD_GATEWAY, None, &exchange.request_id);
            response = self.produced(error, exchange.started, &exchange.request_id);
        }
        let matched =
            exchange.matched.as_deref().filter(|_| self.log.as_ref().is_some_and(|it| it.tells_about()));
        let upstream = destination.filter(|_| hop.is_some()).map(|it| (it.origin.host(), it.origin.port()));
        let about = RouteFields {
            route: matched.and_then(|it| label(&it.route_record)),
            service: matched.and_then(|it| label(&it.service_record)),
            upstream,
            proxy: hop.map(|it| milliseconds(it.proxy)),
            waiting: hop.map(|it| milliseconds(it.waiting)),
        };
        told.answered(&response, about);
        told.counted(&response, exchange, hop);
        told.logged = visit.close(Some(&response));
        response
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
