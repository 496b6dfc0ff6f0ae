//! Explanation of a request: which Routes match it, which rule decides between them, and what the upstream would get.
//! Nothing is sent, and no plugin runs.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

use http::{HeaderValue, Request, Uri, header};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    ClientConnection, ClientTls, Proxy, ShutdownStage,
    arrival::RequestArrival,
    error_responses::NO_ROUTE,
    forward::{RouteContext, UpstreamHead},
    new_exchange, protocol, router_request,
};
use crate::{
    body::Body,
    entity::Route,
    plugin::{Exchange, ExpectedAnswer, PluginChain},
    request_id::RequestId,
    router::MatchCandidate,
    snapshot::{RouteStep, Snapshot},
    upstream::RequestHead,
    uri::{Scheme, normalize_path, without_brackets},
};

/// Request to explain.
#[derive(Debug)]
pub struct ExplainRequest(Request<()>);

/// Explanation of a request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Method, host and normal path, which Routes are matched against.
    pub request: String,
    /// The Routes that match, the winner first.
    pub routes: Vec<MatchingRoute>,
    /// The plugins of the winner (or the global ones if there is none), in the order they run.
    pub plugins: Vec<PlannedPlugin>,
    /// What the upstream would get, if the request is forwarded.
    pub upstream: Option<ForwardedRequest>,
    /// The response that the gateway would give itself.
    pub answer: Option<GatewayAnswer>,
}

/// Response of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAnswer {
    /// Its status.
    pub status: u16,
    /// Why the gateway answers itself.
    pub reason: Cow<'static, str>,
    /// The plugin that answers, if one does. Plugins before it may refuse the request first.
    pub plugin: Option<&'static str>,
}

impl GatewayAnswer {
    fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason: reason.into(), plugin: None }
    }
}

/// Route that matches a request.
#[derive(Clone, Debug)]
pub struct MatchingRoute {
    /// Its name, or its id if it has none.
    pub name: String,
    /// Prefix of the path that it matched.
    pub matched: Option<String>,
    /// Rule by which the winner ranks before it, as said of the winner; `None` for the winner.
    pub outranked_by: Option<&'static str>,
}

/// Plugin in a chain.
#[derive(Clone, Debug)]
pub struct PlannedPlugin {
    /// Name.
    pub name: &'static str,
    /// Priority; higher runs earlier.
    pub priority: i32,
    /// Whether it runs also for requests without an instance for their Consumer.
    pub runs_for_all: bool,
    /// Number of Consumers with an instance of their own.
    pub consumers: usize,
}

/// Upstream request, if no plugin changes it.
#[derive(Clone, Debug)]
pub struct ForwardedRequest {
    /// Method and address.
    pub request: String,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
}

impl ExplainRequest {
    /// A request with a method, a URL or a path alone, and headers of the form `Name: value`.
    ///
    /// # Errors
    /// Which part is not valid in a request.
    pub fn new<'a>(method: &str, url: &str, headers: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let is_path = url.starts_with('/');
        let url_text = if is_path { format!("http://localhost:8000{url}") } else { url.to_owned() };
        let invalid_url = || format!("{url:?} is not a URL; write http://localhost:8000/path, or /path");
        let uri: Uri = url_text.parse().map_err(|_| invalid_url())?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(invalid_url());
        }
        let mut request = Request::builder().method(method).uri(uri);
        for header in headers {
            let pair = header.split_once(':');
            let (name, value) =
                pair.ok_or_else(|| format!("{header:?} is not a header; write Name: value"))?;
            request = request.header(name.trim(), value.trim());
        }
        request.body(()).map(Self).map_err(|error| error.to_string())
    }
}

impl Proxy {
    /// Explains a request as if it came from this machine.
    #[must_use]
    pub fn explain(&self, snapshot: &Snapshot, explain_request: ExplainRequest) -> Explanation {
        let ExplainRequest(request) = explain_request;
        let tls = request.uri().scheme_str() == Some("https");
        let port = request.uri().port_u16().unwrap_or(Scheme::from_tls(tls).default_port());
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let session = tls.then(|| client_tls(request.uri().host()));
        let connection =
            ClientConnection::new(peer, local, session, watch::channel(ShutdownStage::Running).1);
        let request = add_host(request).map(|()| Body::Empty);
        let id = RequestId::random();
        let refused = self.refuse(&request, &id).map(|response| response.status().as_u16());
        let (head, body) = request.into_parts();
        let path = normalize_path(head.uri.path().as_bytes()).into_owned();
        let client = self.real_ip.client(peer.ip(), None, &head.headers);
        let arrival = RequestArrival { client, started: Instant::now(), id };
        let mut exchange = new_exchange((head, body), &path, &connection, arrival);
        let host = exchange.head().host().as_bytes();
        let line = format!(
            "{} {}{}",
            exchange.head().method(),
            String::from_utf8_lossy(host),
            String::from_utf8_lossy(&path)
        );
        let mut explanation = Explanation {
            request: line,
            routes: Vec::new(),
            plugins: Vec::new(),
            upstream: None,
            answer: refused.map(|status| GatewayAnswer::new(status, "the request is malformed")),
        };
        if explanation.answer.is_some() {
            return explanation;
        }
        let routed = router_request(&exchange, exchange.head().fields(), &path, &connection);
        explanation.routes = matching_routes(&snapshot.candidates(&routed), snapshot, &path);
        if snapshot.refusal(&routed).is_some() {
            explanation.answer = Some(GatewayAnswer::new(503, "it would go to a route in quarantine"));
            return explanation;
        }
        let Some((found, route, step)) = snapshot.find(&routed) else {
            explanation.plugins = planned_plugins(snapshot.global());
            explanation.answer = Some(GatewayAnswer::new(404, NO_ROUTE));
            return explanation;
        };
        explanation.plugins = planned_plugins(&step.chain);
        explanation.answer =
            protocol_answer(&exchange, route, step).or_else(|| plugin_answer(&step.chain, &mut exchange));
        if explanation.answer.is_none() && step.destination.is_none() {
            explanation.answer = Some(GatewayAnswer::new(503, "the route has no service"));
        }
        if let (None, Some(destination)) = (&explanation.answer, &step.destination) {
            let prefix_text = found.prefix_text(&path);
            let (connection, client) = (&connection, connection.address_of(client));
            let route_context =
                RouteContext { path: &path, prefix: found.prefix, prefix_text, connection, client };
            let Ok(head) = self.upstream_head(&exchange, route, destination, &route_context) else {
                explanation.answer = Some(GatewayAnswer::new(414, "the target is too long for the upstream"));
                return explanation;
            };
            let origin = &destination.origin;
            let address = match destination.balancer.upstream() {
                // The balancer picks the target only when the request is sent.
                Some(_) => origin.host().to_owned(),
                None => format!("{}:{}", origin.host(), origin.port()),
            };
            let request = format!("{} {address}{}", head.method, head.target);
            explanation.upstream = Some(ForwardedRequest { request, headers: header_fields(&head) });
        }
        explanation
    }
}

impl Explanation {
    /// The explanation as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let winner = self.routes.first().map_or("", |route| route.name.as_str());
        let routes: Vec<Value> = self
            .routes
            .iter()
            .enumerate()
            .map(|(n, route)| {
                let MatchingRoute { name, matched, outranked_by } = route;
                let lost = outranked_by.map(|rule| format!("{winner} wins: {rule}"));
                json!({ "route": name, "matched": matched, "rank": n + 1, "lost": lost })
            })
            .collect();
        let plugins: Vec<Value> = self
            .plugins
            .iter()
            .map(|plugin| {
                let PlannedPlugin { name, priority, runs_for_all, consumers } = plugin;
                json!({ "name": name, "priority": priority, "everyone": runs_for_all, "consumers": consumers })
            })
            .collect();
        let upstream = self.upstream.as_ref().map(|upstream| {
            let ForwardedRequest { request, headers } = upstream;
            json!({ "request": request, "headers": headers })
        });
        let answer = self.answer.as_ref().map(
            |answer| json!({ "status": answer.status, "reason": answer.reason, "plugin": answer.plugin }),
        );
        json!({
            "request": self.request,
            "routes": routes,
            "plugins": plugins,
            "upstream": upstream,
            "answer": answer,
        })
    }
}

/// The TLS session of a client that connects to `host`. An IP address is not sent as server name. (RFC 6066, section 3)
fn client_tls(host: Option<&str>) -> ClientTls {
    let name = host.filter(|host| without_brackets(host).parse::<IpAddr>().is_err());
    let server_name = name.map(|name| name.to_ascii_lowercase().into());
    ClientTls { server_name, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" }
}

/// Adds Host from the URL if there is none, and reduces the URL to its path and query.
fn add_host(mut request: Request<()>) -> Request<()> {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if let Some(host) = authority.and_then(|authority| HeaderValue::try_from(authority).ok())
        && !request.headers().contains_key(header::HOST)
    {
        request.headers_mut().insert(header::HOST, host);
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).parse();
    if let Ok(target) = target {
        *request.uri_mut() = target;
    }
    request
}

/// The Routes that match, with the rule that ranks the first one before each other one.
fn matching_routes(
    candidates: &[(MatchCandidate<'_>, &Route, &RouteStep)],
    snapshot: &Snapshot,
    path: &[u8],
) -> Vec<MatchingRoute> {
    let first = candidates.first().map(|(candidate, ..)| candidate.key);
    let matching =
        |(n, (candidate, route, _)): (usize, &(MatchCandidate<'_>, &Route, &RouteStep))| MatchingRoute {
            name: route.name.clone().unwrap_or_else(|| route.id.to_string()),
            matched: candidate
                .prefix
                .map(|end| String::from_utf8_lossy(path.get(..end).unwrap_or_default()).into_owned()),
            outranked_by: first.filter(|_| n > 0).map(|first| snapshot.ranking_rule(first, candidate.key)),
        };
    candidates.iter().enumerate().map(matching).collect()
}

fn planned_plugins(chain: &PluginChain) -> Vec<PlannedPlugin> {
    let planned = |step: &crate::plugin::ChainStep| PlannedPlugin {
        name: step.name,
        priority: step.priority,
        runs_for_all: step.plugin.is_some(),
        consumers: step.consumer_overrides.as_ref().map_or(0, |consumer_overrides| consumer_overrides.len()),
    };
    chain.steps().iter().map(planned).collect()
}

/// The response to a request in a protocol that the Route does not accept.
fn protocol_answer(exchange: &Exchange, route: &Route, step: &RouteStep) -> Option<GatewayAnswer> {
    let (refused, reason) = protocol::refuse(exchange, route, step)?;
    Some(GatewayAnswer::new(refused.status().as_u16(), reason))
}

/// The response of the first plugin of a chain that is known to answer.
fn plugin_answer(chain: &PluginChain, exchange: &mut Exchange) -> Option<GatewayAnswer> {
    chain.steps().iter().find_map(|step| {
        let ExpectedAnswer { status, origin } = step.plugin.as_ref()?.expected_answer(exchange)?;
        Some(GatewayAnswer { status, reason: origin.into(), plugin: Some(step.name) })
    })
}

fn header_fields(head: &UpstreamHead<'_>) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    head.write_headers(None, &mut |name, value| {
        fields.push((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    });
    fields
}
