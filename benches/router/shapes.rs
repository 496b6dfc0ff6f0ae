//! Shapes of configurations: random routes, and requests that match one of them or none.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use mynah::{
    document::{NodePath, Value},
    entity::{PathHandling, Route, entity_id},
    router::{Router, RouterRequest},
    uri::Scheme,
};
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

/// The shape of the routes of a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One path each, any host.
    Prefix,
    /// Ten routes for each host.
    HostPrefix,
    /// The same, each for one method.
    MethodHostPrefix,
    /// One regular expression each, any host.
    Regex,
    /// Paths of one to six segments; hosts, some with a wildcard; methods, headers and expressions here and there.
    Mixed,
    /// One path for all routes, which differ by a header.
    Header,
    /// One path for 200 routes, which differ by method and header.
    MethodHeader,
}

pub(crate) const SHAPES: [Shape; 7] = [
    Shape::HostPrefix,
    Shape::Prefix,
    Shape::MethodHostPrefix,
    Shape::Regex,
    Shape::Mixed,
    Shape::Header,
    Shape::MethodHeader,
];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const WORDS: [&str; 12] = [
    "orders", "users", "carts", "items", "search", "v1", "v2", "admin", "health", "reports", "files",
    "events",
];

const TENANT: HeaderName = HeaderName::from_static("x-tenant");

/// A request to look up.
pub(crate) struct LookupRequest {
    pub(crate) method: &'static str,
    pub(crate) host: String,
    pub(crate) path: String,
    headers: HeaderMap,
}

/// A configuration of one shape, with random requests.
pub(crate) struct Workload {
    pub(crate) routes: Vec<Route>,
    /// Requests that match a route.
    pub(crate) hits: Vec<LookupRequest>,
    /// Requests that match no route; their paths mostly resemble a matching one.
    pub(crate) misses: Vec<LookupRequest>,
}

impl Shape {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::HostPrefix => "host + prefix",
            Self::MethodHostPrefix => "method + host + prefix",
            Self::Regex => "regex",
            Self::Mixed => "mixed",
            Self::Header => "header, one path",
            Self::MethodHeader => "method + header, few paths",
        }
    }

    /// Whether the other engines support the shape.
    pub(crate) const fn is_comparable(self) -> bool {
        matches!(self, Self::Prefix | Self::HostPrefix | Self::MethodHostPrefix | Self::Regex)
    }

    fn route(self, number: usize, random: &mut SmallRng) -> Route {
        let mut route = bare(number);
        match self {
            Self::Prefix => route.paths = vec![format!("/service-{number}/v1")],
            Self::HostPrefix | Self::MethodHostPrefix => {
                route.hosts = vec![format!("host-{}.example.com", number / 10)];
                route.paths = vec![format!("/service-{number}")];
                if self == Self::MethodHostPrefix {
                    route.methods = vec![METHODS[number % METHODS.len()].to_owned()];
                }
            }
            Self::Regex => route.paths = vec![format!("~/items-{number}/(?<id>\\d+)$")],
            Self::Mixed => mix(&mut route, number, random),
            Self::Header => {
                route.paths = vec!["/shared".to_owned()];
                route.headers = vec![(TENANT.to_string(), vec![format!("tenant-{number}")])];
            }
            Self::MethodHeader => {
                route.paths = vec![format!("/shared-{}", number / 200)];
                route.methods = vec![METHODS[number % METHODS.len()].to_owned()];
                route.headers =
                    vec![(TENANT.to_string(), vec![format!("tenant-{}", number / METHODS.len())])];
            }
        }
        route
    }
}

fn mix(route: &mut Route, number: usize, random: &mut SmallRng) {
    let depth = random.random_range(0..6);
    let words = (0..depth).map(|_| format!("/{}", WORDS[random.random_range(0..WORDS.len())]));
    let path = format!("{}/r{number}", words.collect::<String>());
    let mut once_in = |n: u32| random.random_ratio(1, n);
    route.paths = if once_in(50) { vec![format!("~{path}/(?<id>\\d+)")] } else { vec![path] };
    if !once_in(5) {
        let name = number / 20;
        route.hosts =
            if once_in(10) { vec![format!("*.zone-{name}.test")] } else { vec![format!("host-{name}.test")] };
    }
    if once_in(3) {
        route.methods = METHODS.iter().take(2).map(|&method| method.to_owned()).collect();
    }
    if once_in(20) {
        route.headers = vec![(TENANT.to_string(), vec![format!("tenant-{number}")])];
    }
}

/// A route that matches all requests.
fn bare(number: usize) -> Route {
    let name = format!("route-{number}");
    Route {
        id: entity_id("routes", &name),
        name: Some(name),
        service: None,
        protocols: vec!["http".to_owned(), "https".to_owned()],
        methods: Vec::new(),
        hosts: Vec::new(),
        paths: Vec::new(),
        headers: Vec::new(),
        snis: Vec::new(),
        sources: Vec::new(),
        destinations: Vec::new(),
        expression: None,
        priority: 0,
        https_redirect_status_code: 426,
        regex_priority: 0,
        strip_path: true,
        path_handling: PathHandling::V0,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        created_at: None,
        record: Value::Null,
        at: NodePath::root(),
    }
}

/// The route as an expression of Kong's engine, without headers.
pub(crate) fn expression(route: &Route) -> String {
    let methods = route.methods.iter().map(|method| format!("http.method == \"{method}\""));
    let hosts = route.hosts.iter().map(|host| format!("http.host == \"{host}\""));
    let paths = route.paths.iter().map(|path| match path.strip_prefix('~') {
        None => format!("http.path ^= \"{path}\""),
        Some(expression) => format!("http.path ~ r#\"^{expression}\"#"),
    });
    methods.chain(hosts).chain(paths).collect::<Vec<_>>().join(" && ")
}

impl Workload {
    pub(crate) fn new(shape: Shape, size: usize, requests: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(size as u64);
        let routes: Vec<_> = (0..size).map(|number| shape.route(number, &mut random)).collect();
        let drawn =
            |random: &mut SmallRng| LookupRequest::matching(&routes[random.random_range(0..size)], random);
        let hits = (0..requests).map(|_| drawn(&mut random)).collect();
        let misses = (0..requests).map(|_| drawn(&mut random).into_miss(shape)).collect();
        Self { routes, hits, misses }
    }
}

impl LookupRequest {
    /// A request that matches a route.
    fn matching(route: &Route, random: &mut impl Rng) -> Self {
        let (path, number) = (&route.paths[0], random.random_range(0..1000));
        let path = match path.strip_prefix('~') {
            None => format!("{path}/{number}/details"),
            Some(path) => format!("{}{number}", path.split('(').next().unwrap_or_default()),
        };
        let host = route.hosts.first().map_or("any.example.org", |host| &**host).replace('*', "some");
        let method = METHODS.iter().find(|name| route.methods.iter().any(|method| method == **name));
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(http::header::USER_AGENT, HeaderValue::from_static("curl/8.5.0"));
        for value in route.headers.iter().filter_map(|(_, values)| values.first()) {
            headers.insert(TENANT, HeaderValue::from_str(value).unwrap());
        }
        Self { method: method.unwrap_or(&"GET"), host, path, headers }
    }

    /// The request, changed so that it matches no route.
    fn into_miss(mut self, shape: Shape) -> Self {
        match shape {
            Shape::Header | Shape::MethodHeader => {
                self.headers.insert(TENANT, HeaderValue::from_static("tenant-unknown"));
            }
            Shape::Regex => self.path.push_str("/more"),
            Shape::MethodHostPrefix => self.method = "OPTIONS",
            Shape::Prefix | Shape::HostPrefix | Shape::Mixed => self.path.insert_str(1, "no-"),
        }
        self
    }

    pub(crate) fn matches(&self, router: &Router) -> bool {
        let request = RouterRequest {
            method: self.method,
            host: Some(self.host.as_bytes()),
            path: self.path.as_bytes(),
            query: None,
            headers: &self.headers,
            scheme: Scheme::Http,
            sni: None,
            source: SocketAddr::from(([127, 0, 0, 1], 40000)),
            destination: SocketAddr::from(([127, 0, 0, 1], 8000)),
        };
        router.find(&request).is_some()
    }
}
