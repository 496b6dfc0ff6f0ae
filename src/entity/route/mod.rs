//! A Route: a rule that picks requests for a Service. (Kong: Route object.)

use uuid::Uuid;

mod pattern;
mod rules;

use super::{ServiceIndex, hosts, id, names, plugin, text, texts, truth, vault, whole};
use crate::{
    document::{Mapping, NodePath, Value},
    ip_network::IpNetwork,
    schema::{EntitySchema, Field, FieldKind, FieldRule},
};

/// What a Route may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "routes",
    fields: FIELDS,
    prepare: Some(rules::known_protocol),
    complete: Some(complete),
    conditions: &[],
    checks: &[
        rules::one_family_of_protocols,
        rules::an_expression_or_fields,
        |it| rules::without(it, "methods"),
        |it| rules::without(it, "hosts"),
        |it| rules::without(it, "headers"),
        |it| rules::without(it, "paths"),
        |it| rules::without(it, "sources"),
        |it| rules::without(it, "destinations"),
        |it| rules::without(it, "strip_path"),
        rules::snis_need_tls,
        rules::something_to_match,
    ],
};

const ENDPOINTS: &Field = &Field::item(FieldKind::Record(&[
    Field::new("ip", FieldKind::String).rules(&[FieldRule::Holds(rules::address)]),
    Field::new("port", FieldKind::Integer).rules(&[FieldRule::Between(0.0, 65535.0)]),
]))
.rules(&[FieldRule::Across(rules::some_endpoint)]);

/// The highest `priority`: 46 bits, exact as a floating point number too.
const HIGHEST_PRIORITY: f64 = 70_368_744_177_663.0;

const FIELDS: &[Field] = &[
    Field::new("id", FieldKind::Uuid),
    Field::new("name", FieldKind::String).rules(&[FieldRule::Holds(names::name)]),
    Field::new(
        "protocols",
        FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(names::PROTOCOLS)])),
    )
    .required()
    .default("[\"http\",\"https\"]")
    .rules(&[FieldRule::NotEmpty]),
    Field::new(
        "methods",
        FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(rules::method)])),
    ),
    Field::new(
        "hosts",
        FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(hosts::wildcard_host)])),
    ),
    Field::new(
        "paths",
        FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(rules::route_path)])),
    ),
    Field::new("headers", FieldKind::Map(&Field::item(FieldKind::Array(&Field::item(FieldKind::String)))))
        .rules(&[FieldRule::Holds(rules::header_names)]),
    Field::new("https_redirect_status_code", FieldKind::Integer)
        .required()
        .default("426")
        .rules(&[FieldRule::OneOfNumbers(&[426, 301, 302, 307, 308])]),
    Field::new("regex_priority", FieldKind::Integer).default("0"),
    Field::new("strip_path", FieldKind::Boolean).required().default("true"),
    Field::new("path_handling", FieldKind::String)
        .default("\"v0\"")
        .rules(&[FieldRule::OneOf(&["v0", "v1"])]),
    Field::new("preserve_host", FieldKind::Boolean).required().default("false"),
    Field::new("request_buffering", FieldKind::Boolean).required().default("true"),
    Field::new("response_buffering", FieldKind::Boolean).required().default("true"),
    Field::new(
        "snis",
        FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(hosts::wildcard_host)])),
    ),
    Field::new("sources", FieldKind::Set(ENDPOINTS)),
    Field::new("destinations", FieldKind::Set(ENDPOINTS)),
    Field::new("expression", FieldKind::String).of_expressions(),
    Field::new("priority", FieldKind::Integer)
        .of_expressions()
        .rules(&[FieldRule::Between(0.0, HIGHEST_PRIORITY)]),
    names::TAGS,
    Field::new("service", FieldKind::Foreign("services")),
    Field::new("created_at", FieldKind::Integer),
    Field::new("updated_at", FieldKind::Integer),
    Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, "route")),
    Field::new("filter_chains", FieldKind::Entities(|| &vault::FILTER_CHAIN, "route")),
];

/// A rule that picks requests for a Service.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are Kong's, each a setting of its own")]
pub struct Route {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The Service it leads to.
    pub service: Option<ServiceIndex>,
    /// `http`, `https`, `grpc`, ...; at least one.
    pub protocols: Vec<String>,
    /// Upper-case methods; empty means all.
    pub methods: Vec<String>,
    /// `name`, `name:port`, `*.suffix` or `prefix.*`; empty means all.
    pub hosts: Vec<String>,
    /// Prefixes that begin with `/`, or regular expressions that begin with `~/`; empty means all.
    pub paths: Vec<String>,
    /// Header names as written, each with the values of which one must be there; `~*` begins a regular expression.
    pub headers: Vec<(String, Vec<String>)>,
    /// Names of TLS server name indication, wildcards as in hosts; empty means all.
    pub snis: Vec<String>,
    /// Client addresses; empty means all.
    pub sources: Vec<StreamEndpoint>,
    /// Server addresses; empty means all.
    pub destinations: Vec<StreamEndpoint>,
    /// What it asks of a request, in Kong's expressions language; then it has none of the fields above but
    /// protocols.
    pub expression: Option<String>,
    /// Among routes that are expressions, higher wins; 0 to 2^46 - 1.
    pub priority: u64,
    /// The status that sends clients from http to https: 426, 301, 302, 307 or 308.
    pub https_redirect_status_code: u16,
    /// Among routes with regular expressions, higher wins.
    pub regex_priority: i64,
    /// Whether the matched prefix is cut off before the request goes upstream.
    pub strip_path: bool,
    /// How the Service's path and the request's are joined.
    pub path_handling: PathHandling,
    /// Whether the upstream sees the client's Host header.
    pub preserve_host: bool,
    /// Whether a request body is held until it is complete.
    pub request_buffering: bool,
    /// Whether a response body is held back.
    pub response_buffering: bool,
    /// Unix time in seconds, if the file says so; breaks ties in the flavour `traditional`.
    pub created_at: Option<i64>,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: NodePath,
}

impl Route {
    /// The value of a checked record that leads to `service`.
    #[must_use]
    pub fn new(record: &Value, service: Option<ServiceIndex>, at: &NodePath) -> Self {
        let headers = record.get("headers").into_iter().flat_map(Value::entries);
        let values =
            |value: &Value| value.items().iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Self {
            id: id(record),
            name: text(record, "name"),
            service,
            protocols: texts(record, "protocols"),
            methods: texts(record, "methods"),
            hosts: texts(record, "hosts"),
            paths: texts(record, "paths"),
            headers: headers.map(|(name, value)| (name.to_owned(), values(value))).collect(),
            snis: texts(record, "snis"),
            sources: endpoints(record, "sources"),
            destinations: endpoints(record, "destinations"),
            expression: text(record, "expression"),
            priority: whole(record, "priority"),
            https_redirect_status_code: whole(record, "https_redirect_status_code"),
            regex_priority: whole(record, "regex_priority"),
            strip_path: truth(record, "strip_path"),
            path_handling: match record.get("path_handling").and_then(Value::as_str) {
                Some("v1") => PathHandling::V1,
                _ => PathHandling::V0,
            },
            preserve_host: truth(record, "preserve_host"),
            request_buffering: truth(record, "request_buffering"),
            response_buffering: truth(record, "response_buffering"),
            created_at: record.get("created_at").and_then(Value::as_i64),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

/// Only an expression has a priority; its default is not one for all routes.
fn complete(record: &mut Mapping) {
    let given = |field| record.get(field).is_some_and(|it| !it.is_null());
    if given("expression") && !given("priority") {
        record.insert("priority", 0_i64);
    }
}

fn endpoints(record: &Value, key: &str) -> Vec<StreamEndpoint> {
    let items = record.get(key).map(Value::items).unwrap_or_default();
    let one = |item: &Value| StreamEndpoint {
        ip: item.get("ip").and_then(Value::as_str).and_then(IpNetwork::parse),
        port: item.get("port").and_then(Value::as_i64).and_then(|it| u16::try_from(it).ok()),
    };
    items.iter().map(one).collect()
}

/// One entry of `sources` or `destinations`: an address, a port, or both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamEndpoint {
    /// A block of addresses.
    pub ip: Option<IpNetwork>,
    /// A port.
    pub port: Option<u16>,
}

/// How the Service's path and the request's are joined. (Kong: Route object, `path_handling`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PathHandling {
    /// With exactly one slash between them.
    #[default]
    V0,
    /// Put together as they are; only in the flavour `traditional`.
    V1,
}
