//! An Upstream: a virtual host name that stands for several Targets. (Kong: Upstream object.)

use uuid::Uuid;

use super::{
    CertificateIndex, TargetIndex, healthchecks, healthchecks::Healthchecks, hosts, id, names, target, text,
    truth, whole,
};
use crate::{
    document::{Mapping, NodePath, Value},
    schema::{EntityFault, EntitySchema, Field, FieldCondition, FieldKind, FieldRule},
};

/// What an Upstream may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "upstreams",
    fields: FIELDS,
    prepare: Some(fit_algorithm),
    complete: None,
    conditions: CONDITIONS,
    checks: &[distinct_headers, distinct_arguments, distinct_captures],
};

const ALGORITHMS: &[&str] = &["consistent-hashing", "least-connections", "round-robin", "latency"];
const HASHED: &[&str] = &["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"];

const FIELDS: &[Field] = &[
    Field::new("id", FieldKind::Uuid),
    Field::new("name", FieldKind::String).required().rules(&[FieldRule::Holds(name)]),
    Field::new("algorithm", FieldKind::String)
        .default("\"round-robin\"")
        .rules(&[FieldRule::OneOf(ALGORITHMS)]),
    Field::new("hash_on", FieldKind::String).default("\"none\"").rules(&[FieldRule::OneOf(HASHED)]),
    Field::new("hash_fallback", FieldKind::String).default("\"none\"").rules(&[FieldRule::OneOf(HASHED)]),
    Field::new("hash_on_header", FieldKind::String).rules(&[FieldRule::Holds(names::header_name)]),
    Field::new("hash_fallback_header", FieldKind::String).rules(&[FieldRule::Holds(names::header_name)]),
    Field::new("hash_on_cookie", FieldKind::String).rules(&[FieldRule::Holds(names::cookie_name)]),
    Field::new("hash_on_cookie_path", FieldKind::String)
        .default("\"/\"")
        .rules(&[FieldRule::Holds(names::path)]),
    Field::new("hash_on_query_arg", FieldKind::String).rules(&[FieldRule::Holds(simple_parameter)]),
    Field::new("hash_fallback_query_arg", FieldKind::String).rules(&[FieldRule::Holds(simple_parameter)]),
    Field::new("hash_on_uri_capture", FieldKind::String).rules(&[FieldRule::Holds(simple_parameter)]),
    Field::new("hash_fallback_uri_capture", FieldKind::String).rules(&[FieldRule::Holds(simple_parameter)]),
    Field::new("slots", FieldKind::Integer).default("10000").rules(&[FieldRule::Between(10.0, 65536.0)]),
    Field::new("healthchecks", FieldKind::Record(healthchecks::FIELDS)),
    names::TAGS,
    Field::new("host_header", FieldKind::String).rules(&[FieldRule::Holds(hosts::host_with_optional_port)]),
    Field::new("client_certificate", FieldKind::Foreign("certificates")),
    Field::new("use_srv_name", FieldKind::Boolean).default("false"),
    Field::new("created_at", FieldKind::Integer),
    Field::new("updated_at", FieldKind::Integer),
    Field::new("targets", FieldKind::Entities(|| &target::ENTITY, "upstream")),
];

/// What a field must be where another has certain values, in Kong's order.
const CONDITIONS: &[FieldCondition] = &[
    FieldCondition::when("hash_on", &["header"]).needs("hash_on_header"),
    FieldCondition::when("hash_fallback", &["header"]).needs("hash_fallback_header"),
    FieldCondition::when("hash_on", &["cookie"]).needs("hash_on_cookie"),
    FieldCondition::when("hash_fallback", &["cookie"]).needs("hash_on_cookie"),
    FieldCondition::when("hash_on", &["none"]).leaves("hash_fallback", &["none"]),
    FieldCondition::when("hash_on", &["cookie"]).leaves("hash_fallback", &["none"]),
    FieldCondition::when("hash_on", &["consumer"])
        .leaves("hash_fallback", &["none", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]),
    FieldCondition::when("hash_on", &["ip"]).leaves(
        "hash_fallback",
        &["none", "consumer", "header", "cookie", "path", "query_arg", "uri_capture"],
    ),
    FieldCondition::when("hash_on", &["path"])
        .leaves("hash_fallback", &["none", "consumer", "ip", "header", "cookie", "query_arg", "uri_capture"]),
    FieldCondition::when("hash_on", &["query_arg"]).needs("hash_on_query_arg"),
    FieldCondition::when("hash_fallback", &["query_arg"]).needs("hash_fallback_query_arg"),
    FieldCondition::when("hash_on", &["uri_capture"]).needs("hash_on_uri_capture"),
    FieldCondition::when("hash_fallback", &["uri_capture"]).needs("hash_fallback_uri_capture"),
];

/// A virtual host name that stands for several Targets.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// Its name, which Services have as their host.
    pub name: String,
    /// How a Target is picked for a request.
    pub algorithm: Algorithm,
    /// What a consistent hash is taken of.
    pub hash_on: HashInput,
    /// What it is taken of where a request does not have that.
    pub hash_fallback: HashInput,
    /// How many places the ring of a consistent hash has, 10 to 65536.
    pub slots: u32,
    /// How it is found out which Targets work.
    pub healthchecks: Healthchecks,
    /// The Host header that its Targets see, in place of their names.
    pub host_header: Option<String>,
    /// The certificate that is shown to its Targets.
    pub client_certificate: Option<CertificateIndex>,
    /// Whether the names of SRV records become Host headers.
    pub use_srv_name: bool,
    /// Its Targets, in file order.
    pub targets: Vec<TargetIndex>,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: NodePath,
}

/// How a Target is picked for a request. (Kong: Upstream object, `algorithm`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// One after another, by weight.
    #[default]
    RoundRobin,
    /// The same one for the same hash.
    ConsistentHashing,
    /// The one with the fewest open requests, by weight.
    LeastConnections,
    /// The one that answers fastest.
    Latency,
}

/// What a hash is taken of. (Kong: Upstream object, `hash_on`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashInput {
    /// Nothing: each request is on its own.
    #[default]
    None,
    /// Who asks: the Consumer's id, else the credential's.
    Consumer,
    /// The address that a request comes from.
    Ip,
    /// The header of this name.
    Header(String),
    /// A cookie; a client without one is given one.
    Cookie {
        /// Its name.
        name: String,
        /// The path that it is given with.
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
            name: text(record, "name").unwrap_or_default(),
            algorithm: match record.get("algorithm").and_then(Value::as_str) {
                Some("consistent-hashing") => Algorithm::ConsistentHashing,
                Some("least-connections") => Algorithm::LeastConnections,
                Some("latency") => Algorithm::Latency,
                _ => Algorithm::RoundRobin,
            },
            hash_on: HashInput::new(record, "hash_on"),
            hash_fallback: HashInput::new(record, "hash_fallback"),
            slots: whole(record, "slots"),
            healthchecks: Healthchecks::new(record.get("healthchecks").unwrap_or(&Value::Null)),
            host_header: text(record, "host_header"),
            client_certificate,
            use_srv_name: truth(record, "use_srv_name"),
            targets: Vec::new(),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

impl HashInput {
    /// What the field `hash_on` or `hash_fallback` of a checked record says.
    fn new(record: &Value, field: &str) -> Self {
        let of = |what: &str| text(record, &format!("{field}_{what}")).unwrap_or_default();
        match record.get(field).and_then(Value::as_str) {
            Some("consumer") => Self::Consumer,
            Some("ip") => Self::Ip,
            Some("header") => Self::Header(of("header")),
            Some("cookie") => Self::Cookie {
                // There is one cookie for both.
                name: text(record, "hash_on_cookie").unwrap_or_default(),
                path: text(record, "hash_on_cookie_path").unwrap_or_default(),
            },
            Some("path") => Self::Path,
            Some("query_arg") => Self::QueryArgument(of("query_arg")),
            Some("uri_capture") => Self::UriCapture(of("uri_capture")),
            _ => Self::None,
        }
    }
}

/// `algorithm` and `hash_on` decide each other: what counts connections or time hashes nothing, what hashes is
/// consistent.
#[expect(clippy::unnecessary_wraps, reason = "other entities refuse what they cannot expand")]
fn fit_algorithm(given: &Mapping) -> Result<Mapping, EntityFault> {
    let mut record = given.clone();
    let text = |field| given.get(field).and_then(Value::as_str);
    if matches!(text("algorithm"), Some("least-connections" | "latency")) {
        record.remove("hash_on");
    } else if text("hash_on").is_some_and(|it| it != "none") {
        record.insert("algorithm", "consistent-hashing");
    }
    Ok(record)
}

fn name(value: &Value) -> Result<(), String> {
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
    if name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it)) {
        Ok(())
    } else {
        Err(format!("invalid value: {name}"))
    }
}

fn distinct_headers(record: &Value) -> Option<EntityFault> {
    distinct(record, "hash_on_header", "hash_fallback_header")
}

fn distinct_arguments(record: &Value) -> Option<EntityFault> {
    distinct(record, "hash_on_query_arg", "hash_fallback_query_arg")
}

fn distinct_captures(record: &Value) -> Option<EntityFault> {
    distinct(record, "hash_on_uri_capture", "hash_fallback_uri_capture")
}

fn distinct(record: &Value, one: &str, other: &str) -> Option<EntityFault> {
    let value = record.get(one).filter(|it| !it.is_null())?;
    (record.get(other) == Some(value)).then(|| {
        EntityFault::record(format!("values of these fields must be distinct: '{one}', '{other}'"))
            .help("a fallback that is the same never has what was missing")
    })
}
