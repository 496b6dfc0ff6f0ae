//! Why: which Route a request would get, which it would not and at which rule, and what would become of it. Nothing
//! is sent, and no plugin runs.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

use http::{HeaderValue, Request, Uri, header};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    ClientConnection, ClientTls, Proxy, ShutdownStage,
    arrival::RequestArrival,
    forward::{RouteContext, UpstreamHead},
    new_exchange, protocol, router_request,
};
use crate::{
    body::Body,
    entity::Route,
    plugin::{Exchange, PluginChain},
    request_id::RequestId,
    router::MatchCandidate,
    snapshot::{RouteStep, Snapshot},
    upstream::RequestHead,
    uri::{Scheme, normalize_path, without_brackets},
};

/// A request that is asked about.
#[derive(Debug)]
pub struct ExplainRequest(Request<()>);

/// What would become of a request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Method, host and normal path: what Routes are matched against.
    pub request: String,
    /// The Routes that match, the winner first.
    pub routes: Vec<MatchingRoute>,
    /// The plugins of the winner (or the global ones if there is none), in the order they run.
    pub plugins: Vec<PlannedPlugin>,
    /// What the upstream would get, if it came to that.
    pub upstream: Option<ForwardedRequest>,
    /// What the gateway would answer itself, without any plugin: status and reason.
    pub answer: Option<(u16, &'static str)>,
}

/// A Route that matches.
#[derive(Clone, Debug)]
pub struct MatchingRoute {
    /// Its name, or its id if it has none.
    pub name: String,
    /// The part of the path that it matched.
    pub matched: Option<String>,
    /// Its rank, as the router keeps it.
    pub rank: String,
    /// Why the winner stands before it; none for the winner.
    pub outranked_by: Option<&'static str>,
}

/// A plugin in its place.
#[derive(Clone, Debug)]
pub struct PlannedPlugin {
    /// Its name.
    pub name: &'static str,
    /// Higher runs earlier.
    pub priority: i32,
    /// Whether it runs for requests of nobody in particular.
    pub runs_for_all: bool,
    /// How many Consumers have an instance of their own.
    pub consumers: usize,
}

/// A request as the upstream would get it, if no plugin changed it.
#[derive(Clone, Debug)]
pub struct ForwardedRequest {
    /// Method and address.
    pub request: String,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
}

impl ExplainRequest {
    /// A request as a client would make it: a method, a URL (or a path alone) and headers, `Name: value` each.
    ///
    /// # Errors
    /// What of it cannot be part of a request.
    pub fn new<'a>(method: &str, url: &str, headers: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let path_alone = url.starts_with('/');
        let whole = if path_alone { format!("http://localhost:8000{url}") } else { url.to_owned() };
        let no_url = || format!("{url:?} is not a URL; write http://localhost:8000/path, or /path");
        let uri: Uri = whole.parse().map_err(|_| no_url())?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(no_url());
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
    /// Says what would become of a request that came from this machine.
    #[must_use]
    pub fn explain(&self, snapshot: &Snapshot, question: ExplainRequest) -> Explanation {
        let ExplainRequest(request) = question;
        let tls = request.uri().scheme_str() == Some("https");
        let port = request.uri().port_u16().unwrap_or(Scheme::from_tls(tls).default_port());
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let tls_agreed = tls.then(|| agreed(request.uri().host()));
        let connection =
            ClientConnection::new(peer, local, tls_agreed, watch::channel(ShutdownStage::Open).1);
        let request = with_host(request).map(|()| Body::Empty);
        let id = RequestId::random();
        let refused = self.refuse(&request, &id).map(|it| it.status().as_u16());
        let (head, body) = request.into_parts();
        let path = normalize_path(head.uri.path().as_bytes()).into_owned();
        let who = self.real_ip.client(peer.ip(), None, &head.headers);
        let arrival = RequestArrival { client: who, started: Instant::now(), id };
        let exchange = new_exchange((head, body), &path, &connection, arrival);
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
            answer: refused.map(|status| (status, "the request is malformed")),
        };
        if explanation.answer.is_some() {
            return explanation;
        }
        let asked = router_request(exchange.head(), &path, &connection);
        explanation.routes = contenders(&snapshot.candidates(&asked), snapshot, &path);
        let Some((found, route, step)) = snapshot.find(&asked) else {
            explanation.plugins = planned(snapshot.global());
            explanation.answer = Some((404, "no Route matched with those values"));
            return explanation;
        };
        explanation.plugins = planned(&step.chain);
        explanation.answer = self_made(&exchange, route, step);
        if let (None, Some(destination)) = (explanation.answer, &step.destination) {
            let prefix_text = found.prefix_text(&path);
            let (connection, client) = (&connection, connection.address_of(who));
            let way = RouteContext { path: &path, prefix: found.prefix, prefix_text, connection, client };
            let Ok(head) = self.head(&exchange, route, destination, &way) else {
                explanation.answer = Some((414, "the target is too long for the upstream"));
                return explanation;
            };
            let origin = &destination.origin;
            let place = match destination.balancer.upstream() {
                // Which of its targets is not known before.
                Some(_) => origin.host().to_owned(),
                None => format!("{}:{}", origin.host(), origin.port()),
            };
            let request = format!("{} {place}{}", head.method, head.target);
            explanation.upstream = Some(ForwardedRequest { request, headers: fields(&head) });
        }
        explanation
    }
}

impl Explanation {
    /// The same for machines.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let routes: Vec<Value> = self
            .routes
            .iter()
            .map(|it| json!({ "route": it.name, "matched": it.matched, "rank": it.rank, "lost": it.outranked_by }))
            .collect();
        let plugins: Vec<Value> = self.plugins.iter().map(|it| {
            json!({ "name": it.name, "priority": it.priority, "everyone": it.runs_for_all, "consumers": it.consumers })
        }).collect();
        json!({
            "request": self.request,
            "routes": routes,
            "plugins": plugins,
            "upstream": self.upstream.as_ref().map(|it| json!({ "request": it.request, "headers": it.headers })),
            "answer": self.answer.map(|(status, reason)| json!({ "status": status, "reason": reason })),
        })
    }
}

/// What a client that asks for `host` agrees on with a listener. An address is no server name.
fn agreed(host: Option<&str>) -> ClientTls {
    let name = host.filter(|host| without_brackets(host).parse::<IpAddr>().is_err());
    let server_name = name.map(|it| it.to_ascii_lowercase().into());
    ClientTls { server_name, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" }
}

/// A client names the host of the address that it asks, unless it is told another one.
fn with_host(mut request: Request<()>) -> Request<()> {
    let authority = request.uri().authority().map(|it| it.as_str().to_owned());
    if let Some(host) = authority.and_then(|it| HeaderValue::try_from(it).ok())
        && !request.headers().contains_key(header::HOST)
    {
        request.headers_mut().insert(header::HOST, host);
    }
    let target = request.uri().path_and_query().map_or("/", |it| it.as_str()).parse();
    if let Ok(target) = target {
        *request.uri_mut() = target;
    }
    request
}

fn contenders(
    candidates: &[(MatchCandidate<'_>, &Route, &RouteStep)],
    snapshot: &Snapshot,
    path: &[u8],
) -> Vec<MatchingRoute> {
    let first = candidates.first().map(|(candidate, ..)| candidate.key);
    let one =
        |(n, (candidate, route, _)): (usize, &(MatchCandidate<'_>, &Route, &RouteStep))| MatchingRoute {
            name: route.name.clone().unwrap_or_else(|| route.id.to_string()),
            matched: candidate
                .prefix
                .map(|end| String::from_utf8_lossy(path.get(..end).unwrap_or_default()).into_owned()),
            rank: format!("{:?}", candidate.key),
            outranked_by: first.filter(|_| n > 0).map(|first| snapshot.ranking_rule(first, candidate.key)),
        };
    candidates.iter().enumerate().map(one).collect()
}

fn planned(chain: &PluginChain) -> Vec<PlannedPlugin> {
    let one = |step: &crate::plugin::ChainStep| PlannedPlugin {
        name: step.name,
        priority: step.priority,
        runs_for_all: step.plugin.is_some(),
        consumers: step.overlay.as_ref().map_or(0, |it| it.len()),
    };
    chain.steps().iter().map(one).collect()
}

/// What the gateway answers itself before plugins run, or in place of an upstream that there is not.
fn self_made(exchange: &Exchange, route: &Route, step: &RouteStep) -> Option<(u16, &'static str)> {
    if let Some((refused, reason)) = protocol::refuse(exchange, route, step) {
        return Some((refused.status().as_u16(), reason));
    }
    step.destination.is_none().then_some((503, "the route has no service"))
}

fn fields(head: &UpstreamHead<'_>) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    head.write_headers(None, &mut |name, value| {
        fields.push((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    });
    fields
}
