//! Upstreams: virtual host names for several Targets. (Kong: Upstream object.)

use uuid::Uuid;

use super::{
    CertificateIndex, TargetIndex, certificate, healthchecks,
    healthchecks::Healthchecks,
    hosts,
    record::{boolean, id, integer, text},
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
    target, text_rules,
};
use crate::{
    document::{Mapping, NodePath, Value},
    schema::{
        self, DerivedId, EntityFault, EntityLabel, EntitySchema, Field, FieldCondition, FieldKind, FieldRule,
        OnDelete,
    },
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&NAME),
    derived_id: DerivedId::Name(&NAME),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&NAME]),
    log_rank: 3,
    has_deck_defaults: true,
    prepare: Some(|given| Ok(with_algorithm(given))),
    adapt_change: Some(adapt_algorithm),
    conditions: CONDITIONS,
    checks: &[
        |record| require_distinct(record, &HASH_ON_HEADER, &HASH_FALLBACK_HEADER),
        |record| require_distinct(record, &HASH_ON_QUERY_ARG, &HASH_FALLBACK_QUERY_ARG),
        |record| require_distinct(record, &HASH_ON_URI_CAPTURE, &HASH_FALLBACK_URI_CAPTURE),
    ],
    ..EntitySchema::new("upstreams", FIELDS)
};

const ALGORITHMS: &[&str] = &["consistent-hashing", "least-connections", "round-robin", "latency"];
const HASH_INPUTS: &[&str] =
    &["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"];

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String).required().unique().rules(&[FieldRule::Holds(virtual_host)])
        .describe("a unique host name, for the `host` of services"),
    ALGORITHM = Field::new("algorithm", FieldKind::String)
        .default("\"round-robin\"")
        .rules(&[FieldRule::OneOf(ALGORITHMS)])
        .describe("how a target is chosen"),
    HASH_ON = Field::new("hash_on", FieldKind::String)
        .default("\"none\"")
        .rules(&[FieldRule::OneOf(HASH_INPUTS)])
        .describe("the part of a request that decides the target, so that the same client gets the same one"),
    HASH_FALLBACK = Field::new("hash_fallback", FieldKind::String)
        .default("\"none\"")
        .rules(&[FieldRule::OneOf(HASH_INPUTS)])
        .describe("the part that decides if the first one is missing"),
    HASH_ON_HEADER = Field::new("hash_on_header", FieldKind::String)
        .describe("the header field that is hashed")
        .rules(&[FieldRule::Holds(schema::check_header_name)]),
    HASH_FALLBACK_HEADER = Field::new("hash_fallback_header", FieldKind::String)
        .describe("the header field of the fallback")
        .rules(&[FieldRule::Holds(schema::check_header_name)]),
    HASH_ON_COOKIE = Field::new("hash_on_cookie", FieldKind::String)
        .describe("the cookie that is hashed")
        .rules(&[FieldRule::Holds(text_rules::cookie_name)]),
    HASH_ON_COOKIE_PATH = Field::new("hash_on_cookie_path", FieldKind::String)
        .describe("the path of that cookie")
        .default("\"/\"")
        .rules(&[FieldRule::Holds(text_rules::path)]),
    HASH_ON_QUERY_ARG = Field::new("hash_on_query_arg", FieldKind::String)
        .describe("the query parameter that is hashed")
        .rules(&[FieldRule::Holds(simple_parameter)]),
    HASH_FALLBACK_QUERY_ARG = Field::new("hash_fallback_query_arg", FieldKind::String)
        .describe("the query parameter of the fallback")
        .rules(&[FieldRule::Holds(simple_parameter)]),
    HASH_ON_URI_CAPTURE = Field::new("hash_on_uri_capture", FieldKind::String)
        .describe("the part of the path that is hashed: a named group of a regular expression")
        .rules(&[FieldRule::Holds(simple_parameter)]),
    HASH_FALLBACK_URI_CAPTURE = Field::new("hash_fallback_uri_capture", FieldKind::String)
        .describe("the part of the path of the fallback")
        .rules(&[FieldRule::Holds(simple_parameter)]),
    SLOTS = Field::new("slots", FieldKind::Integer).default("10000").rules(&[FieldRule::Between(10.0, 65536.0)])
        .describe("slots on the ring of consistent hashing"),
    HEALTHCHECKS = Field::new("healthchecks", FieldKind::Record(healthchecks::FIELDS))
        .describe("when a target counts as unhealthy and gets no requests"),
    TAGS,
    HOST_HEADER = Field::new("host_header", FieldKind::String)
        .rules(&[FieldRule::Holds(hosts::host_with_optional_port)])
        .describe("the Host header of requests to targets"),
    CLIENT_CERTIFICATE =
        Field::new("client_certificate", FieldKind::Foreign(|| &certificate::ENTITY, OnDelete::Restrict)).describe("the certificate presented to targets"),
    USE_SRV_NAME = Field::new("use_srv_name", FieldKind::Boolean)
        .describe("whether the name of an SRV record is the Host of requests")
        .default("false"),
    CREATED_AT,
    UPDATED_AT,
    TARGETS = Field::new("targets", FieldKind::Entities(|| &target::ENTITY, target::UPSTREAM.name)),
}

/// Requirements that depend on what is hashed, in Kong's order.
const CONDITIONS: &[FieldCondition] = &[
    FieldCondition::when(&HASH_ON, &["header"]).needs(&HASH_ON_HEADER),
    FieldCondition::when(&HASH_FALLBACK, &["header"]).needs(&HASH_FALLBACK_HEADER),
    FieldCondition::when(&HASH_ON, &["cookie"]).needs(&HASH_ON_COOKIE),
    FieldCondition::when(&HASH_FALLBACK, &["cookie"]).needs(&HASH_ON_COOKIE),
    FieldCondition::when(&HASH_ON, &["none"]).restricts(&HASH_FALLBACK, &["none"]),
    FieldCondition::when(&HASH_ON, &["cookie"]).restricts(&HASH_FALLBACK, &["none"]),
    FieldCondition::when(&HASH_ON, &["consumer"])
        .restricts(&HASH_FALLBACK, &["none", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]),
    FieldCondition::when(&HASH_ON, &["ip"]).restricts(
        &HASH_FALLBACK,
        &["none", "consumer", "header", "cookie", "path", "query_arg", "uri_capture"],
    ),
    FieldCondition::when(&HASH_ON, &["path"]).restricts(
        &HASH_FALLBACK,
        // Kong's list, and its message, has `ip` twice.
        &["none", "consumer", "ip", "header", "cookie", "query_arg", "ip", "uri_capture"],
    ),
    FieldCondition::when(&HASH_ON, &["query_arg"]).needs(&HASH_ON_QUERY_ARG),
    FieldCondition::when(&HASH_FALLBACK, &["query_arg"]).needs(&HASH_FALLBACK_QUERY_ARG),
    FieldCondition::when(&HASH_ON, &["uri_capture"]).needs(&HASH_ON_URI_CAPTURE),
    FieldCondition::when(&HASH_FALLBACK, &["uri_capture"]).needs(&HASH_FALLBACK_URI_CAPTURE),
];

/// A virtual host name for several Targets.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// Its name, the host of the Services that use it.
    pub name: String,
    /// How a Target is picked for a request.
    pub algorithm: Algorithm,
    /// The input of the consistent hash.
    pub hash_on: HashInput,
    /// The input where a request lacks the first one.
    pub hash_fallback: HashInput,
    /// The size of the ring of the consistent hash, 10 to 65536.
    pub slots: u32,
    /// The health checks of its Targets.
    pub healthchecks: Healthchecks,
    /// The Host header that its Targets receive, in place of their names.
    pub host_header: Option<String>,
    /// The certificate presented to its Targets.
    pub client_certificate: Option<CertificateIndex>,
    /// Whether Host headers are the names in SRV records.
    pub use_srv_name: bool,
    /// Its Targets, in file order.
    pub targets: Vec<TargetIndex>,
    /// The complete record, with defaults, as the Admin API shows it.
    pub record: Value,
    /// Its path in the file.
    pub at: NodePath,
}

/// How a Target is picked for a request. (Kong: Upstream object, `algorithm`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Each in turn, by weight.
    #[default]
    RoundRobin,
    /// The same Target for the same hash.
    ConsistentHashing,
    /// The Target with the fewest open requests, by weight.
    LeastConnections,
    /// The Target with the shortest response times.
    Latency,
}

/// The input of a consistent hash. (Kong: Upstream object, `hash_on`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashInput {
    /// Nothing: requests are independent.
    #[default]
    None,
    /// The id of the Consumer, else that of the credential.
    Consumer,
    /// The address that a request comes from.
    Ip,
    /// The header of this name.
    Header(String),
    /// A cookie; a client without one receives it.
    Cookie {
        /// Its name.
        name: String,
        /// Its path attribute.
        path: String,
    },
    /// The path of a request.
    Path,
    /// The query argument of this name.
    QueryArgument(String),
    /// The group of this name in the Route's regular expression.
    UriCapture(String),
}

impl Upstream {
    /// The value of a checked record, without its Targets yet.
    #[must_use]
    pub fn new(record: &Value, client_certificate: Option<CertificateIndex>, at: &NodePath) -> Self {
        Self {
            id: id(record),
            name: text(record, &NAME).unwrap_or_default(),
            algorithm: match record.get(ALGORITHM.name).and_then(Value::as_str) {
                Some("consistent-hashing") => Algorithm::ConsistentHashing,
                Some("least-connections") => Algorithm::LeastConnections,
                Some("latency") => Algorithm::Latency,
                _ => Algorithm::RoundRobin,
            },
            hash_on: HashInput::new(record, &HASH_ON_FIELDS),
            hash_fallback: HashInput::new(record, &HASH_FALLBACK_FIELDS),
            slots: integer(record, &SLOTS),
            healthchecks: Healthchecks::new(record.get(HEALTHCHECKS.name).unwrap_or(&Value::Null)),
            host_header: text(record, &HOST_HEADER),
            client_certificate,
            use_srv_name: boolean(record, &USE_SRV_NAME),
            targets: Vec::new(),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

/// The fields that describe the input of a hash. Both inputs share the fields of the cookie.
struct HashFields {
    kind: Field,
    header: Field,
    query_arg: Field,
    uri_capture: Field,
}

const HASH_ON_FIELDS: HashFields = HashFields {
    kind: HASH_ON,
    header: HASH_ON_HEADER,
    query_arg: HASH_ON_QUERY_ARG,
    uri_capture: HASH_ON_URI_CAPTURE,
};

const HASH_FALLBACK_FIELDS: HashFields = HashFields {
    kind: HASH_FALLBACK,
    header: HASH_FALLBACK_HEADER,
    query_arg: HASH_FALLBACK_QUERY_ARG,
    uri_capture: HASH_FALLBACK_URI_CAPTURE,
};

impl HashInput {
    /// The input that these fields of a checked record describe.
    fn new(record: &Value, fields: &HashFields) -> Self {
        let text = |field: &Field| text(record, field).unwrap_or_default();
        match record.get(fields.kind.name).and_then(Value::as_str) {
            Some("consumer") => Self::Consumer,
            Some("ip") => Self::Ip,
            Some("header") => Self::Header(text(&fields.header)),
            Some("cookie") => Self::Cookie { name: text(&HASH_ON_COOKIE), path: text(&HASH_ON_COOKIE_PATH) },
            Some("path") => Self::Path,
            Some("query_arg") => Self::QueryArgument(text(&fields.query_arg)),
            Some("uri_capture") => Self::UriCapture(text(&fields.uri_capture)),
            _ => Self::None,
        }
    }
}

/// Makes `algorithm` and `hash_on` agree, as Kong does: the algorithms that count connections or time hash nothing, a hash
/// implies consistent hashing, and `none` that is given implies that there is none.
fn with_algorithm(given: &Mapping) -> Mapping {
    let mut record = given.clone();
    let text = |field: &Field| given.get(field.name).and_then(Value::as_str);
    let is_text = given.get(ALGORITHM.name).is_none_or(|value| value.is_null() || value.as_str().is_some());
    if matches!(text(&ALGORITHM), Some("least-connections" | "latency")) {
        record.remove(HASH_ON.name);
    } else if let Some(input) = text(&HASH_ON).filter(|_| is_text) {
        let algorithm = if input == "none" { "round-robin" } else { "consistent-hashing" };
        record.insert(ALGORITHM.name, algorithm);
    }
    record
}

/// The same for a change: only the fields that it gives imply others.
fn adapt_algorithm(merged: &mut Mapping, given: &Mapping) {
    if let Some(algorithm) = with_algorithm(given).get(ALGORITHM.name) {
        merged.insert(ALGORITHM.name, algorithm.clone());
    }
    let is_none = merged.get(HASH_ON.name).and_then(Value::as_str) == Some("none");
    if is_none && given.get(HASH_ON.name).is_none() {
        // The default, which implies nothing.
        merged.remove(HASH_ON.name);
    }
}

/// A host name without a port.
fn virtual_host(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    let wrong = match hosts::split_host(name) {
        None => "must be a valid hostname",
        Some((hosts::HostAddress::Ip(_), _)) => "no ip addresses allowed",
        Some((hosts::HostAddress::Name(_), Some(_))) => "no port allowed",
        Some((hosts::HostAddress::Name(_), None)) => return Ok(()),
    };
    Err(format!("Invalid name ('{name}'); {wrong}"))
}

fn simple_parameter(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        Ok(())
    } else {
        Err(format!("invalid value: {name}"))
    }
}

fn require_distinct(record: &Value, one: &Field, other: &Field) -> Option<EntityFault> {
    let value = record.get(one.name).filter(|value| !value.is_null())?;
    (record.get(other.name) == Some(value)).then(|| {
        let (one, other) = (one.name, other.name);
        EntityFault::record(format!("values of these fields must be distinct: '{one}', '{other}'"))
            .help("a fallback that is the same never has what was missing")
    })
}
