//! Law of quarantine: with entities that are broken, no request passes that the whole configuration would have refused or
//! limited; requests without connection to them are answered as before; each is named with its line.
//!
//! Random configurations are broken at random places, compiled, and asked in memory. `QUARANTINE_SEEDS` sets how many.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Instant};

use http::{HeaderMap, Request};
use mynah::{
    body::Body,
    config::DeclarativeFormat,
    control::{Control, compile_config},
    diag::{DiagnosticReport, SourceFile},
    plugin::{Exchange, Origin},
    request_head::ClientHead,
    request_id::RequestId,
    router::{RouterOptions, RouterRequest},
    snapshot::{Snapshot, SnapshotCompiler},
    uri::Scheme,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Map, Value, json};

/// An entity of the top level: its collection, and the entity.
type Entry = (&'static str, Value);

/// What an error in an entity concerns.
#[derive(Clone, Debug, PartialEq)]
enum Reach {
    Nothing,
    All,
    Scope { route: Option<String>, service: Option<String>, consumer: Option<String> },
}

impl Reach {
    fn route(name: &str) -> Self {
        Self::Scope { route: Some(name.to_owned()), service: None, consumer: None }
    }

    fn service(name: &str) -> Self {
        Self::Scope { route: None, service: Some(name.to_owned()), consumer: None }
    }

    fn consumer(name: &str) -> Self {
        Self::Scope { route: None, service: None, consumer: Some(name.to_owned()) }
    }

    /// Whether it concerns a request that the whole configuration passes to this route.
    fn covers(&self, asked: &Asked, whole: &Outcome) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Scope { route, service, consumer } => {
                let is_or_any = |wanted: &Option<String>, found: &Option<String>| {
                    wanted.as_ref().is_none_or(|wanted| found.as_ref() == Some(wanted))
                };
                is_or_any(route, &whole.route)
                    && is_or_any(service, &whole.service)
                    && is_or_any(consumer, &asked.consumer())
            }
        }
    }
}

/// A request.
#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    has_field: bool,
    credential: &'static str,
}

const CREDENTIALS: [&str; 7] = ["", "key k0", "key k1", "key k2", "key nope", "basic u0", "basic u1"];

impl Asked {
    fn random(rng: &mut StdRng) -> Self {
        Self {
            method: ["GET", "POST"].choose(rng).unwrap(),
            host: ["h1.example", "h2.example"].choose(rng).unwrap(),
            path: ["/", "/a", "/a/b", "/a/7", "/b", "/c/d"].choose(rng).unwrap(),
            has_field: rng.random_bool(0.3),
            credential: CREDENTIALS.choose(rng).unwrap(),
        }
    }

    /// The consumer whose credential it carries.
    fn consumer(&self) -> Option<String> {
        let (_, name) = self.credential.split_once(' ')?;
        let number = name.strip_prefix(['k', 'u'])?;
        Some(format!("c{number}"))
    }

    fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert("host", self.host.parse().unwrap());
        if self.has_field {
            fields.insert("x-k", "v".parse().unwrap());
        }
        match self.credential {
            "basic u0" => drop(fields.insert("authorization", "Basic dTA6cA==".parse().unwrap())),
            "basic u1" => drop(fields.insert("authorization", "Basic dTE6cA==".parse().unwrap())),
            other => {
                if let Some(key) = other.strip_prefix("key ") {
                    fields.insert("apikey", key.parse().unwrap());
                }
            }
        }
        fields
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    /// The status of a refusal; `None` if the request is passed on.
    status: Option<u16>,
    route: Option<String>,
    service: Option<String>,
    consumer: Option<String>,
    /// The plugins that have run, but for those that only log.
    plugins: Vec<&'static str>,
}

impl Outcome {
    fn is_refusal(&self) -> bool {
        self.status.is_some_and(|status| status >= 400)
    }

    /// Whether a client sees the same.
    fn equals(&self, other: &Self) -> bool {
        if self.status.is_some() { self.status == other.status } else { self == other }
    }
}

/// Asks a Snapshot, without a network.
fn ask(snapshot: &Snapshot, asked: &Asked, runtime: &tokio::runtime::Runtime) -> Outcome {
    let client: SocketAddr = "192.0.2.7:40000".parse().unwrap();
    let fields = asked.fields();
    let request = RouterRequest {
        method: asked.method,
        host: Some(asked.host.as_bytes()),
        path: asked.path.as_bytes(),
        query: None,
        headers: &fields,
        scheme: Scheme::Http,
        sni: None,
        source: client,
        destination: "127.0.0.1:8000".parse().unwrap(),
    };
    let refused = |status: u16| Outcome {
        status: Some(status),
        route: None,
        service: None,
        consumer: None,
        plugins: Vec::new(),
    };
    let (_, route, step) = match snapshot.find_or_refuse(&request, "no route") {
        Ok(found) => found,
        Err((status, _)) => return refused(status.as_u16()),
    };
    let mut head = Request::builder().method(asked.method).uri(asked.path);
    *head.headers_mut().unwrap() = fields.clone();
    let (head, ()) = head.body(()).unwrap().into_parts();
    let origin = Origin {
        client,
        port: 8000,
        tls: false,
        started: Instant::now(),
        request_id: RequestId::from_bits(7),
    };
    let mut exchange =
        Exchange::new(ClientHead::new(head, false), Body::Empty, asked.path.to_owned(), origin);
    exchange.matched = Some(step.matched.clone());
    let answer = runtime.block_on(step.chain.access(&mut exchange));
    let identity = exchange.identity.as_ref();
    let index = identity.map(|identity| identity.consumer.index);
    let ran = step.chain.steps().iter().filter(|step| step.plugin_for(index).is_some());
    Outcome {
        status: answer.map(|answer| answer.status().as_u16()),
        route: route.name.clone(),
        service: snapshot.service(route).and_then(|service| service.name.clone()),
        consumer: identity.and_then(|identity| identity.consumer.username.clone()),
        plugins: ran.map(|step| step.name).filter(|name| *name != "file-log").collect(),
    }
}

/// Plugins with settings, and whether they may belong to a Consumer.
const PLUGINS: [(&str, &str, bool); 13] = [
    ("key-auth", "{}", false),
    ("key-auth", "{\"anonymous\": \"guest\"}", false),
    ("basic-auth", "{}", false),
    ("basic-auth", "{\"anonymous\": \"guest\"}", false),
    ("acl", "{\"allow\": [\"g0\"]}", false),
    ("acl", "{\"deny\": [\"g0\"]}", false),
    ("request-termination", "{\"status_code\": 403}", true),
    ("ip-restriction", "{\"deny\": [\"192.0.2.0/24\"]}", true),
    ("rate-limiting", "{\"minute\": 100000, \"policy\": \"local\"}", true),
    ("request-size-limiting", "{\"allowed_payload_size\": 1}", true),
    ("correlation-id", "{}", true),
    ("cors", "{}", false),
    ("file-log", "{\"path\": \"/dev/null\"}", true),
];

/// Random whole configuration.
struct Generator<'a> {
    rng: &'a mut StdRng,
    routes: usize,
    /// Plugins with their scopes, each of which may stand once.
    scopes: HashSet<String>,
}

impl Generator<'_> {
    fn config(mut self) -> Vec<Entry> {
        let mut all: Vec<Entry> = Vec::new();
        let services = self.rng.random_range(1..4);
        for n in 0..services {
            let name = format!("s{n}");
            let mut service = json!({ "name": name, "host": "h.example" });
            let count = self.rng.random_range(0..3);
            let routes: Vec<Value> = (0..count).map(|_| self.route(None)).collect();
            service["routes"] = routes.into();
            self.nest_plugin(&mut service, &format!("service {name}"), false);
            all.push(("services", service));
        }
        for _ in 0..self.rng.random_range(1..4) {
            let service =
                self.rng.random_bool(0.7).then(|| format!("s{}", self.rng.random_range(0..services)));
            let route = self.route(service);
            all.push(("routes", route));
        }
        for n in 0..3 {
            let name = format!("c{n}");
            let mut consumer = json!({
                "username": name,
                "keyauth_credentials": [{ "key": format!("k{n}") }],
                "acls": [{ "group": format!("g{}", n % 2) }],
            });
            if n < 2 {
                consumer["basicauth_credentials"] = json!([{ "username": format!("u{n}"), "password": "p" }]);
            }
            self.nest_plugin(&mut consumer, &format!("consumer {name}"), true);
            all.push(("consumers", consumer));
        }
        all.push(("consumers", json!({ "username": "guest" })));
        for _ in 0..self.rng.random_range(0..6) {
            let (key, target) = match self.rng.random_range(0..4) {
                0 => ("route", format!("r{}", self.rng.random_range(0..self.routes))),
                1 => ("service", format!("s{}", self.rng.random_range(0..services))),
                2 => ("consumer", format!("c{}", self.rng.random_range(0..3))),
                _ => ("", String::new()),
            };
            if let Some(mut plugin) = self.plugin(&format!("{key} {target}"), key == "consumer") {
                if !key.is_empty() {
                    plugin[key] = target.into();
                }
                all.push(("plugins", plugin));
            }
        }
        all
    }

    fn route(&mut self, service: Option<String>) -> Value {
        let name = format!("r{}", self.routes);
        self.routes += 1;
        let mut route = Map::new();
        route.insert("name".to_owned(), name.clone().into());
        let paths = ["/", "/a", "/a/b", "/b", "/c", "~/a/[0-9]+$"];
        let path = *paths.choose(self.rng).unwrap();
        if self.rng.random_bool(0.8) {
            route.insert("paths".to_owned(), json!([path]));
        }
        let host = *["h1.example", "*.example"].choose(self.rng).unwrap();
        if self.rng.random_bool(0.3) {
            route.insert("hosts".to_owned(), json!([host]));
        }
        if self.rng.random_bool(0.3) {
            route.insert("methods".to_owned(), json!(["GET"]));
        }
        if self.rng.random_bool(0.2) || route.len() == 1 {
            route.insert("headers".to_owned(), json!({ "x-k": ["v"] }));
        }
        if self.rng.random_bool(0.2) {
            route.insert("regex_priority".to_owned(), self.rng.random_range(0..3).into());
        }
        if let Some(service) = service {
            route.insert("service".to_owned(), service.into());
        }
        let mut route = Value::from(route);
        self.nest_plugin(&mut route, &format!("route {name}"), false);
        route
    }

    fn nest_plugin(&mut self, entity: &mut Value, scope: &str, is_consumer: bool) {
        if self.rng.random_bool(0.4)
            && let Some(plugin) = self.plugin(scope, is_consumer)
        {
            entity["plugins"] = json!([plugin]);
        }
    }

    fn plugin(&mut self, scope: &str, is_consumer: bool) -> Option<Value> {
        let (name, config, _) = PLUGINS
            .iter()
            .filter(|(.., may)| *may || !is_consumer)
            .collect::<Vec<_>>()
            .choose(self.rng)
            .copied()?;
        let is_new = self.scopes.insert(format!("{name} {scope}"));
        let config: Value = serde_json::from_str(config).unwrap();
        is_new.then(|| json!({ "name": name, "config": config }))
    }
}

/// One entity a line.
fn text(entries: &[Entry]) -> String {
    let mut text = "_format_version: \"3.0\"\n".to_owned();
    for collection in ["services", "routes", "consumers", "plugins"] {
        let all: Vec<String> = entries
            .iter()
            .filter(|(of, _)| *of == collection)
            .map(|(_, entity)| format!("- {entity}\n"))
            .collect();
        if !all.is_empty() {
            text.extend([collection, ":\n", &all.concat()]);
        }
    }
    text
}

/// A place of an entity: its position among the entries, and the keys and indices to it.
#[derive(Clone, Debug)]
struct Place {
    entry: usize,
    pointer: String,
    kind: &'static str,
    /// The kind and the name of the entity around it.
    parent: Option<(&'static str, String)>,
}

fn places(entries: &[Entry]) -> Vec<Place> {
    let mut all = Vec::new();
    for (entry, (kind, entity)) in entries.iter().enumerate() {
        add_places(&mut all, &Place { entry, pointer: String::new(), kind, parent: None }, entity);
    }
    all
}

fn add_places(all: &mut Vec<Place>, place: &Place, entity: &Value) {
    all.push(place.clone());
    let name =
        entity.get("name").or_else(|| entity.get("username")).and_then(Value::as_str).unwrap_or_default();
    for kind in ["routes", "plugins", "keyauth_credentials", "basicauth_credentials", "acls"] {
        for (n, nested) in entity.get(kind).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let pointer = format!("{}/{kind}/{n}", place.pointer);
            let parent = Some((place.kind, name.to_owned()));
            add_places(all, &Place { entry: place.entry, pointer, kind, parent }, nested);
        }
    }
}

/// Breaks an entity, and returns what that concerns.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of fault")]
fn break_entity(entries: &mut [Entry], place: &Place, rng: &mut StdRng) -> Reach {
    let entity = entries[place.entry].1.pointer_mut(&place.pointer).unwrap();
    let name = entity.get("name").or_else(|| entity.get("username")).and_then(Value::as_str);
    let name = name.unwrap_or_default().to_owned();
    let members = entity.as_object_mut().unwrap();
    let rename = |members: &mut Map<String, Value>, old: &str, new: &str| {
        let value = members.remove(old).unwrap_or_else(|| json!([]));
        members.insert(new.to_owned(), value);
    };
    match place.kind {
        "plugins" => break_plugin(members, &name, place, rng),
        "routes" => match rng.random_range(0..9) {
            0 => {
                members.insert("strip_path".to_owned(), 5.into());
                Reach::route(&name)
            }
            1 => {
                members.insert("https_redirect_status_code".to_owned(), 5.into());
                Reach::route(&name)
            }
            2 if place.parent.is_none() => {
                members.insert("service".to_owned(), "nope".into());
                Reach::route(&name)
            }
            3 => {
                rename(members, "plugins", "plguins");
                Reach::route(&name)
            }
            4 => {
                members.insert("methods".to_owned(), json!([5]));
                Reach::All
            }
            5 => {
                members.insert("hosts".to_owned(), json!([5, "h1.example"]));
                Reach::All
            }
            6 => {
                let of = members.get("paths").and_then(|paths| paths.get(0)).and_then(Value::as_str);
                let path = of.map_or_else(|| "x".to_owned(), |path| format!("{path}("));
                let path = if path.starts_with('~') { path } else { format!("~{path}") };
                members.insert("paths".to_owned(), json!([path]));
                Reach::All
            }
            7 => {
                let criterion =
                    ["paths", "hosts", "headers"].into_iter().find(|name| members.contains_key(*name));
                let misspelt = match criterion {
                    Some("paths") => "pahts",
                    Some("hosts") => "hots",
                    _ => "haeders",
                };
                rename(members, criterion.unwrap_or("headers"), misspelt);
                Reach::All
            }
            _ => {
                members.insert("protocols".to_owned(), json!(["ftp"]));
                Reach::All
            }
        },
        "services" => match rng.random_range(0..4) {
            0 => {
                members.remove("host");
                Reach::service(&name)
            }
            1 => {
                members.insert("port".to_owned(), (-1).into());
                Reach::service(&name)
            }
            2 => {
                rename(members, "plugins", "plugin");
                Reach::service(&name)
            }
            _ => {
                rename(members, "routes", "rotues");
                Reach::All
            }
        },
        "consumers" => {
            let reach = if name == "guest" { Reach::All } else { Reach::consumer(&name) };
            match rng.random_range(0..4) {
                // What refers to it by its name leads nowhere.
                0 => {
                    rename(members, "username", "usernam");
                    Reach::All
                }
                1 => {
                    members.insert("custom_id".to_owned(), json!([]));
                    reach
                }
                2 => {
                    rename(members, "keyauth_credentials", "keyauth_credential");
                    Reach::All
                }
                _ => {
                    members.insert("tags".to_owned(), 5.into());
                    reach
                }
            }
        }
        _ => {
            let (_, consumer) = place.parent.clone().unwrap();
            match (place.kind, rng.random_range(0..2)) {
                ("acls", _) => drop(members.insert("group".to_owned(), 5.into())),
                ("keyauth_credentials", 0) => {
                    members.insert("key".to_owned(), json!({}));
                    return Reach::All;
                }
                _ => drop(members.insert("tll".to_owned(), 5.into())),
            }
            Reach::consumer(&consumer)
        }
    }
}

fn break_plugin(members: &mut Map<String, Value>, name: &str, place: &Place, rng: &mut StdRng) -> Reach {
    let only_logs = name == "file-log";
    let own = |key: &str| members.get(key).and_then(Value::as_str).map(str::to_owned);
    let nested =
        |kind: &str| place.parent.as_ref().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone());
    let scope = Reach::Scope {
        route: own("route").or_else(|| nested("routes")),
        service: own("service").or_else(|| nested("services")),
        consumer: own("consumer").or_else(|| nested("consumers")),
    };
    let within = |reach: Reach| if only_logs { Reach::Nothing } else { reach };
    match rng.random_range(0..7) {
        0 => {
            members.insert("name".to_owned(), "my-own".into());
            scope
        }
        1 => {
            members.insert("name".to_owned(), "oauth2".into());
            scope
        }
        2 => {
            members.insert("config".to_owned(), json!({ "unknown": 1 }));
            within(scope)
        }
        3 => {
            members.insert("config".to_owned(), 5.into());
            within(scope)
        }
        4 => {
            members.insert("enabled".to_owned(), "x".into());
            within(scope)
        }
        5 if place.parent.is_none() => {
            members.insert("route".to_owned(), "nope".into());
            within(Reach::All)
        }
        _ => {
            members.insert("tagz".to_owned(), json!([]));
            within(scope)
        }
    }
}

fn compiler() -> SnapshotCompiler {
    SnapshotCompiler::new("specs".into(), RouterOptions::default())
}

fn compile(text: &str, quarantines: bool) -> Result<Snapshot, DiagnosticReport> {
    let source = SourceFile::new("kong.yaml", text);
    compile_config(&mut compiler(), &source, DeclarativeFormat::Deck, quarantines)
        .map(|compiled| compiled.snapshot)
}

/// Each broken entity is in quarantine, at the line of its entry. A reference that leads nowhere need not be named in a plugin
/// of a Consumer: it may go with that.
#[track_caller]
fn check_names(seed: u64, snapshot: &Snapshot, text: &str, lines: &[usize]) {
    let errors = snapshot.quarantined().iter().map(|entity| entity.error.clone()).collect();
    let report = DiagnosticReport::new(SourceFile::new("kong.yaml", text), errors);
    let found: HashSet<usize> =
        report.positions(report.diagnostics()).into_iter().map(|position| position.line).collect();
    let may_depend = |line: usize| {
        let entry = text.lines().nth(line - 1).unwrap();
        entry.contains("\"route\":\"nope\"") && entry.contains("\"consumer\":")
    };
    let missing: Vec<_> = lines.iter().filter(|line| !found.contains(line) && !may_depend(**line)).collect();
    assert!(missing.is_empty(), "seed {seed}: not named: lines {missing:?} of\n{text}");
}

/// A whole configuration, the same with broken entities, and what is broken.
struct Case {
    whole: Vec<Entry>,
    broken: Vec<Entry>,
    reaches: Vec<Reach>,
    /// The lines of the entries that are broken.
    lines: Vec<usize>,
}

impl Case {
    fn random(rng: &mut StdRng) -> Self {
        let whole = Generator { rng, routes: 0, scopes: HashSet::new() }.config();
        let mut broken = whole.clone();
        let (mut reaches, mut entries) = (Vec::new(), HashSet::new());
        for _ in 0..rng.random_range(1..4) {
            let all = places(&broken);
            let place = all.choose(rng).unwrap().clone();
            // A second error in one entry may hide the first.
            if entries.insert(place.entry) {
                reaches.push(break_entity(&mut broken, &place, rng));
            }
        }
        let text = text(&broken);
        let line = |entry: usize| {
            let written = format!("- {}", broken[entry].1);
            text.lines().position(|line| line == written).unwrap() + 1
        };
        let lines = entries.into_iter().map(line).collect();
        Self { whole, broken, reaches, lines }
    }
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let given = std::env::var("QUARANTINE_SEEDS").ok().and_then(|text| text.parse().ok());
    0..given.unwrap_or(default)
}

#[test]
fn nothing_passes_that_the_whole_configuration_refuses() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut passed, mut refused) = (0, 0);
    for seed in seeds(1_000) {
        let mut rng = StdRng::seed_from_u64(seed);
        let case = Case::random(&mut rng);
        let whole = compile(&text(&case.whole), false)
            .unwrap_or_else(|report| panic!("seed {seed}: {report}\n{}", text(&case.whole)));
        let text = text(&case.broken);
        assert!(compile(&text, false).is_err(), "seed {seed}: nothing is broken in\n{text}");
        let quarantined = compile(&text, true)
            .unwrap_or_else(|report| panic!("seed {seed}: it is refused: {report}\n{text}"));
        check_names(seed, &quarantined, &text, &case.lines);
        for _ in 0..40 {
            let asked = Asked::random(&mut rng);
            let before = ask(&whole, &asked, &runtime);
            let now = ask(&quarantined, &asked, &runtime);
            let is_covered = case.reaches.iter().any(|reach| reach.covers(&asked, &before));
            let is_same = before.equals(&now);
            assert!(
                is_same || (is_covered && now.is_refusal()),
                "seed {seed}: {asked:?}\nwhole: {before:?}\nnow: {now:?}\nbroken: {:?}\n{text}",
                case.reaches
            );
            if is_same { passed += 1 } else { refused += 1 }
        }
    }
    assert!(passed > 0 && refused > 0, "{passed} {refused}");
}

/// The same after a reload: an entity that keeps its last good version is as before, or refused.
#[test]
fn nothing_passes_after_a_reload() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let load = |control: &Control, text: &str| {
        let source = SourceFile::new("kong.yaml", text);
        control.load_in_memory(&source, DeclarativeFormat::Deck)
    };
    for seed in seeds(500) {
        let mut rng = StdRng::seed_from_u64(seed ^ (1 << 40));
        let case = Case::random(&mut rng);
        let whole = compile(&text(&case.whole), false).unwrap();
        let control = Control::new(compiler()).with_quarantine(true);
        load(&control, &text(&case.whole)).unwrap();
        let text = text(&case.broken);
        load(&control, &text)
            .unwrap_or_else(|report| panic!("seed {seed}: it is refused: {report:?}\n{text}"));
        let quarantined: Arc<Snapshot> = control.live().current();
        check_names(seed, &quarantined, &text, &case.lines);
        for _ in 0..40 {
            let asked = Asked::random(&mut rng);
            let before = ask(&whole, &asked, &runtime);
            let now = ask(&quarantined, &asked, &runtime);
            let is_covered = case.reaches.iter().any(|reach| reach.covers(&asked, &before));
            assert!(
                before.equals(&now) || (is_covered && now.is_refusal()),
                "seed {seed}: {asked:?}\nwhole: {before:?}\nnow: {now:?}\nbroken: {:?}\n{text}",
                case.reaches
            );
        }
    }
}
