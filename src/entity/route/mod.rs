//! Routes: the rules that pick requests for Services. (Kong: Route object.)

use uuid::Uuid;

mod path_regex;
mod route_rules;

use super::{
    ServiceIndex, filter_chain, hosts, plugin,
    record::{boolean, id, integer, text, texts},
    server_name, service,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
    text_rules,
};
use crate::{
    document::{Mapping, NodePath, Value},
    ip_network::IpNetwork,
    schema::{DerivedId, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete, PROTOCOL_NAMES},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&NAME),
    derived_id: DerivedId::Name(&NAME),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&NAME]),
    log_rank: 1,
    has_deck_defaults: true,
    prepare: Some(route_rules::check_first_protocol),
    complete: Some(complete_priority),
    checks: &[
        route_rules::require_one_protocol_family,
        route_rules::require_expression_or_fields,
        |record| route_rules::forbid_by_protocol(record, &METHODS),
        |record| route_rules::forbid_by_protocol(record, &HOSTS),
        |record| route_rules::forbid_by_protocol(record, &HEADERS),
        |record| route_rules::forbid_by_protocol(record, &PATHS),
        |record| route_rules::forbid_by_protocol(record, &SOURCES),
        |record| route_rules::forbid_by_protocol(record, &DESTINATIONS),
        |record| route_rules::forbid_by_protocol(record, &STRIP_PATH),
        route_rules::require_tls_for_snis,
        route_rules::require_matching_field,
    ],
    ..EntitySchema::new("routes", FIELDS)
};

/// The fields of an entry of `sources` or `destinations`.
const IP: Field = Field::new("ip", FieldKind::String)
    .describe("an address or a network")
    .rules(&[FieldRule::Holds(route_rules::address)]);
const PORT: Field =
    Field::new("port", FieldKind::Integer).describe("a port").rules(&[FieldRule::Between(0.0, 65535.0)]);

const ENDPOINT: &Field =
    &Field::item(FieldKind::Record(&[IP, PORT])).rules(&[FieldRule::Across(route_rules::require_ip_or_port)]);

/// The highest `priority`: 46 bits, exact as a floating point number too.
const HIGHEST_PRIORITY: f64 = 70_368_744_177_663.0;

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String).unique().rules(&[FieldRule::Holds(text_rules::name)])
        .describe("a unique name"),
    PROTOCOLS = Field::new(
        "protocols",
        FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(PROTOCOL_NAMES)])),
    )
    .required()
    .default("[\"http\",\"https\"]")
    .rules(&[FieldRule::NotEmpty])
        .describe("of one family: http and https; grpc and grpcs; tcp, tls and udp; tls_passthrough"),
    METHODS = Field::new(
        "methods",
        FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(route_rules::method)])),
    )
        .describe("upper-case methods; none means all"),
    HOSTS = Field::new(
        "hosts",
        FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(hosts::wildcard_host)])),
    )
        .describe("names such as example.com, *.example.com, example.*; none means all"),
    PATHS = Field::new(
        "paths",
        FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(route_rules::route_path)])),
    )
        .describe("prefixes such as /a, or regular expressions such as ~/a/(?<id>[^/]+)$"),
    HEADERS = Field::new(
        "headers",
        FieldKind::Map(&Field::item(FieldKind::Array(&Field::item(FieldKind::String)))),
    )
    .rules(&[FieldRule::Holds(route_rules::header_names)])
        .describe("header names, each with the values that match; ~* begins a regular expression"),
    HTTPS_REDIRECT_STATUS_CODE = Field::new("https_redirect_status_code", FieldKind::Integer)
        .required()
        .default("426")
        .rules(&[FieldRule::OneOfNumbers(&[426, 301, 302, 307, 308])])
        .describe("the status for a request over http where only https is served"),
    REGEX_PRIORITY = Field::new("regex_priority", FieldKind::Integer).default("0")
        .describe("among routes with regular expressions, the higher one wins"),
    STRIP_PATH = Field::new("strip_path", FieldKind::Boolean).required().default("true")
        .describe("whether the matched prefix is removed from the path"),
    PATH_HANDLING = Field::new("path_handling", FieldKind::String)
        .default("\"v0\"")
        .rules(&[FieldRule::OneOf(&["v0", "v1"])])
        .describe("how the paths of the service and of the request are joined"),
    PRESERVE_HOST = Field::new("preserve_host", FieldKind::Boolean).required().default("false")
        .describe("whether the Host header of the client goes to the upstream"),
    REQUEST_BUFFERING = Field::new("request_buffering", FieldKind::Boolean)
        .describe("whether a request body is complete before it is sent on")
        .required().default("true"),
    RESPONSE_BUFFERING = Field::new("response_buffering", FieldKind::Boolean)
        .describe("whether a response body is complete before it is sent on")
        .required().default("true"),
    SNIS = Field::new(
        "snis",
        FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(server_name::server_name)])),
    ).describe("the names of TLS connections; all if there are none"),
    SOURCES = Field::new("sources", FieldKind::Set(ENDPOINT))
        .describe("the addresses of clients, for routes of streams"),
    DESTINATIONS = Field::new("destinations", FieldKind::Set(ENDPOINT))
        .describe("the addresses that clients connect to, for routes of streams"),
    EXPRESSION = Field::new("expression", FieldKind::String).of_expressions()
        .describe("the condition for requests, with the router flavour `expressions`"),
    PRIORITY = Field::new("priority", FieldKind::Integer)
        .describe("the priority among routes that are expressions")
        .of_expressions()
        .rules(&[FieldRule::Between(0.0, HIGHEST_PRIORITY)]),
    TAGS,
    SERVICE = Field::new("service", FieldKind::Foreign(|| &service::ENTITY, OnDelete::Restrict))
        .describe("the name or id of the service"),
    CREATED_AT,
    UPDATED_AT,
    PLUGINS = Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, plugin::ROUTE.name))
        .describe("the plugins for every request of this route"),
    FILTER_CHAINS = Field::new(
        "filter_chains",
        FieldKind::Entities(|| &filter_chain::ENTITY, filter_chain::ROUTE.name),
    ),
}

/// A rule that picks requests for a Service.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of Kong's")]
pub struct Route {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The Service that its requests go to.
    pub service: Option<ServiceIndex>,
    /// `http`, `https`, `grpc`, ...; at least one.
    pub protocols: Vec<String>,
    /// Upper-case methods; empty means all.
    pub methods: Vec<String>,
    /// `name`, `name:port`, `*.suffix` or `prefix.*`; empty means all.
    pub hosts: Vec<String>,
    /// Prefixes that begin with `/`, or regular expressions that begin with `~/`; empty means all.
    pub paths: Vec<String>,
    /// Header names as written, each with the values of which a request needs one; `~*` begins a regular expression.
    pub headers: Vec<(String, Vec<String>)>,
    /// Names of TLS server name indication, wildcards as in hosts; empty means all.
    pub snis: Vec<String>,
    /// Client addresses; empty means all.
    pub sources: Vec<StreamEndpoint>,
    /// Server addresses; empty means all.
    pub destinations: Vec<StreamEndpoint>,
    /// The condition on requests, in Kong's expressions language; it replaces all fields above but the protocols.
    pub expression: Option<String>,
    /// Among routes that are expressions, higher wins; 0 to 2^46 - 1.
    pub priority: u64,
    /// The status of the answer to an http request where only https is allowed: 426, 301, 302, 307 or 308.
    pub https_redirect_status_code: u16,
    /// Among routes with regular expressions, higher wins.
    pub regex_priority: i64,
    /// Whether the matched prefix is removed from the path that the upstream receives.
    pub strip_path: bool,
    /// How the path of the Service and that of the request are joined.
    pub path_handling: PathHandling,
    /// Whether the upstream receives the Host header of the client.
    pub preserve_host: bool,
    /// Whether a request body is buffered until it is complete.
    pub request_buffering: bool,
    /// Whether a response body is buffered until it is complete.
    pub response_buffering: bool,
    /// Unix time in seconds; breaks ties in the flavour `traditional`.
    pub created_at: Option<i64>,
    /// The complete record, with defaults, as the Admin API shows it.
    pub record: Value,
    /// Its path in the file.
    pub at: NodePath,
}

impl Route {
    /// The value of a checked record whose requests go to `service`.
    #[must_use]
    pub fn new(record: &Value, service: Option<ServiceIndex>, at: &NodePath) -> Self {
        let headers = record.get(HEADERS.name).into_iter().flat_map(Value::entries);
        let values = |value: &Value| {
            value.items().iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
        };
        Self {
            id: id(record),
            name: text(record, &NAME),
            service,
            protocols: texts(record, &PROTOCOLS),
            methods: texts(record, &METHODS),
            hosts: texts(record, &HOSTS),
            paths: texts(record, &PATHS),
            headers: headers.map(|(name, value)| (name.to_owned(), values(value))).collect(),
            snis: texts(record, &SNIS),
            sources: endpoints(record, &SOURCES),
            destinations: endpoints(record, &DESTINATIONS),
            expression: text(record, &EXPRESSION),
            priority: integer(record, &PRIORITY),
            https_redirect_status_code: integer(record, &HTTPS_REDIRECT_STATUS_CODE),
            regex_priority: integer(record, &REGEX_PRIORITY),
            strip_path: boolean(record, &STRIP_PATH),
            path_handling: match record.get(PATH_HANDLING.name).and_then(Value::as_str) {
                Some("v1") => PathHandling::V1,
                _ => PathHandling::V0,
            },
            preserve_host: boolean(record, &PRESERVE_HOST),
            request_buffering: boolean(record, &REQUEST_BUFFERING),
            response_buffering: boolean(record, &RESPONSE_BUFFERING),
            created_at: record.get(CREATED_AT.name).and_then(Value::as_i64),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

/// Gives an expression the default priority; Routes that are no expressions have none.
fn complete_priority(record: &mut Mapping) {
    let is_set = |field: &Field| record.get(field.name).is_some_and(|value| !value.is_null());
    if is_set(&EXPRESSION) && !is_set(&PRIORITY) {
        record.insert(PRIORITY.name, 0_i64);
    }
}

fn endpoints(record: &Value, field: &Field) -> Vec<StreamEndpoint> {
    let items = record.get(field.name).map(Value::items).unwrap_or_default();
    let endpoint = |item: &Value| StreamEndpoint {
        ip: item.get(IP.name).and_then(Value::as_str).and_then(IpNetwork::parse),
        port: item.get(PORT.name).and_then(Value::as_i64).and_then(|port| u16::try_from(port).ok()),
    };
    items.iter().map(endpoint).collect()
}

/// One entry of `sources` or `destinations`: an address, a port, or both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamEndpoint {
    /// A block of addresses.
    pub ip: Option<IpNetwork>,
    /// A port.
    pub port: Option<u16>,
}

/// How the path of the Service and that of the request are joined. (Kong: Route object, `path_handling`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PathHandling {
    /// With exactly one slash between them.
    #[default]
    V0,
    /// Concatenated as they are; only in the flavour `traditional`.
    V1,
}
