//! Services: the APIs behind the gateway. (Kong: Service object.)

use uuid::Uuid;

use super::{
    CaCertificateIndex, CertificateIndex, certificate, filter_chain, hosts, oauth2_token, plugin,
    record::{boolean, id, integer, text},
    route,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
    text_rules,
};
use crate::{
    document::{Mapping, NodePath, Value},
    schema::{
        DerivedId, EntityFault, EntityLabel, EntitySchema, Field, FieldCondition, FieldKind, FieldRule,
        OnDelete, PROTOCOL_NAMES, Shorthand,
    },
    uri::{Authority, Scheme},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&NAME),
    derived_id: DerivedId::Name(&NAME),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&NAME]),
    log_rank: 0,
    has_deck_defaults: true,
    shorthand: Some(&URL),
    prepare: Some(expand_url),
    conditions: CONDITIONS,
    ..EntitySchema::new("services", FIELDS)
};

const MILLISECONDS: &[FieldRule] = &[FieldRule::Between(1.0, 2_147_483_646.0)];

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String).unique().rules(&[FieldRule::Holds(text_rules::name)])
        .describe("a unique name"),
    PROTOCOL = Field::new("protocol", FieldKind::String)
        .required()
        .default("\"http\"")
        .rules(&[FieldRule::OneOf(PROTOCOL_NAMES)])
        .describe("the protocol towards the API"),
    HOST = Field::new("host", FieldKind::String).required().rules(&[FieldRule::Holds(hosts::host)])
        .describe("a host name, an address, or the name of an upstream"),
    PORT = Field::new("port", FieldKind::Integer)
        .describe("the port of the upstream")
        .required()
        .default("80")
        .rules(&[FieldRule::Between(0.0, 65535.0)]),
    PATH = Field::new("path", FieldKind::String).rules(&[FieldRule::Holds(text_rules::path)])
        .describe("the prefix of the path of every request"),
    RETRIES = Field::new("retries", FieldKind::Integer).default("5").rules(&[FieldRule::Between(0.0, 32767.0)])
        .describe("how often a failed request is sent again"),
    CONNECT_TIMEOUT = Field::new("connect_timeout", FieldKind::Integer).default("60000").rules(MILLISECONDS)
        .describe("milliseconds"),
    WRITE_TIMEOUT = Field::new("write_timeout", FieldKind::Integer).default("60000").rules(MILLISECONDS)
        .describe("milliseconds between two writes"),
    READ_TIMEOUT = Field::new("read_timeout", FieldKind::Integer).default("60000").rules(MILLISECONDS)
        .describe("milliseconds between two reads"),
    TAGS,
    CLIENT_CERTIFICATE =
        Field::new("client_certificate", FieldKind::Foreign(|| &certificate::ENTITY, OnDelete::Restrict))
        .describe("the certificate of the gateway towards the API"),
    TLS_VERIFY = Field::new("tls_verify", FieldKind::Boolean)
        .describe("whether the certificate of the API is checked"),
    TLS_VERIFY_DEPTH = Field::new("tls_verify_depth", FieldKind::Integer)
        .describe("how many certificates may stand between that of the upstream and that of an authority")
        .rules(&[FieldRule::Between(0.0, 64.0)]),
    CA_CERTIFICATES = Field::new("ca_certificates", FieldKind::Array(&Field::item(FieldKind::Uuid)))
        .describe("ids of the authorities that may have issued the certificate of the upstream"),
    ENABLED = Field::new("enabled", FieldKind::Boolean).required().default("true")
        .describe("whether its routes are served"),
    CREATED_AT,
    UPDATED_AT,
    ROUTES = Field::new("routes", FieldKind::Entities(|| &route::ENTITY, route::SERVICE.name))
        .describe("the rules that assign requests to this service"),
    PLUGINS = Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, plugin::SERVICE.name))
        .describe("the plugins for every request to this service"),
    FILTER_CHAINS = Field::new(
        "filter_chains",
        FieldKind::Entities(|| &filter_chain::ENTITY, filter_chain::SERVICE.name),
    ),
    OAUTH2_TOKENS = Field::new(
        "oauth2_tokens",
        FieldKind::Entities(|| &oauth2_token::ENTITY, oauth2_token::SERVICE.name),
    ),
}

/// The shorthand for protocol, host, port and path.
pub(crate) static URL: Shorthand =
    Shorthand { name: "url", fields: &[&PROTOCOL, &HOST, &PORT, &PATH], instead_of: &HOST };

const TLS: &[&str] = &["https", "tls"];

/// Requirements that depend on the protocol, in Kong's order.
const CONDITIONS: &[FieldCondition] = &[
    FieldCondition::when(&PROTOCOL, &["tcp", "tls", "udp", "grpc", "grpcs"]).forbids(&PATH),
    FieldCondition::unless(&PROTOCOL, TLS).forbids(&CLIENT_CERTIFICATE),
    FieldCondition::unless(&PROTOCOL, TLS).forbids(&TLS_VERIFY),
    FieldCondition::unless(&PROTOCOL, TLS).forbids(&TLS_VERIFY_DEPTH),
    FieldCondition::unless(&PROTOCOL, TLS).forbids(&CA_CERTIFICATES),
];

/// An API behind the gateway.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// `http`, `https`, `grpc`, ...
    pub protocol: String,
    /// A host name or an address without brackets, or the name of an Upstream.
    pub host: String,
    /// 0 to 65535.
    pub port: u16,
    /// Prefix of the paths of requests; begins with `/`.
    pub path: Option<String>,
    /// How many attempts may follow a failed one, 0 to 32767.
    pub retries: u32,
    /// Timeout of a new connection, in milliseconds.
    pub connect_timeout: u64,
    /// Timeout between two writes, in milliseconds.
    pub write_timeout: u64,
    /// Timeout between two reads, in milliseconds.
    pub read_timeout: u64,
    /// The certificate presented to it.
    pub client_certificate: Option<CertificateIndex>,
    /// Whether its certificate must be valid; `None` for the default of the process.
    pub tls_verify: Option<bool>,
    /// How many certificates may stand between its own and that of an authority, 0 to 64.
    pub tls_verify_depth: Option<u8>,
    /// The authorities that may have issued its certificate; `None` for those that the process trusts.
    pub ca_certificates: Option<Vec<CaCertificateIndex>>,
    /// Whether requests can match its Routes.
    pub enabled: bool,
    /// The complete record, with defaults, as the Admin API shows it.
    pub record: Value,
    /// Its path in the file.
    pub at: NodePath,
}

impl Service {
    /// The value of a checked record, without certificates yet.
    #[must_use]
    pub fn new(record: &Value, at: &NodePath) -> Self {
        let depth = record.get(TLS_VERIFY_DEPTH.name).and_then(Value::as_i64);
        Self {
            id: id(record),
            name: text(record, &NAME),
            protocol: text(record, &PROTOCOL).unwrap_or_default(),
            host: text(record, &HOST).unwrap_or_default(),
            port: integer(record, &PORT),
            path: text(record, &PATH),
            retries: integer(record, &RETRIES),
            connect_timeout: integer(record, &CONNECT_TIMEOUT),
            write_timeout: integer(record, &WRITE_TIMEOUT),
            read_timeout: integer(record, &READ_TIMEOUT),
            client_certificate: None,
            tls_verify: record.get(TLS_VERIFY.name).and_then(Value::as_bool),
            tls_verify_depth: depth.and_then(|depth| u8::try_from(depth).ok()),
            ca_certificates: None,
            enabled: boolean(record, &ENABLED),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

/// Replaces the shorthand `url` by protocol, host, port and path, which it overrides; its query is dropped.
fn expand_url(given: &Mapping) -> Result<Mapping, EntityFault> {
    let mut record = given.clone();
    let url = match record.remove(URL.name) {
        None | Some(Value::Null) => return Ok(record),
        Some(Value::String(url)) => url,
        Some(other) => {
            let message = format!("expected a string, found {}", other.kind());
            return Err(EntityFault::field(URL.name, message).help("such as http://example.com:8080/path"));
        }
    };
    // The parts of RFC 3986, appendix B.
    let (scheme, rest) = url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", &url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let Some(rest) = rest.strip_prefix("//") else {
        // Without `//` all of it is a path; the rules of the fields refuse what cannot be one.
        record.remove(HOST.name);
        record.insert(PATH.name, rest);
        if !scheme.is_empty() {
            record.insert(PROTOCOL.name, scheme);
        }
        return Ok(record);
    };
    let (authority, path) = rest.find('/').map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = host_and_port(authority);
    let scheme = match (scheme, port) {
        ("", Some(443)) => "https",
        ("", _) => "http",
        (given, _) => given,
    };
    record.insert(PROTOCOL.name, scheme);
    if host.is_empty() {
        record.remove(HOST.name);
    } else {
        record.insert(HOST.name, host);
    }
    record.insert(
        PORT.name,
        port.unwrap_or_else(|| i64::from(Scheme::from_name(scheme).unwrap_or_default().default_port())),
    );
    record.insert(PATH.name, path.map_or(Value::Null, Value::from));
    Ok(record)
}

/// Whether a text is a scheme. (RFC 3986, section 3.1.)
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The host without brackets, and the port; -1, which the rule of the field refuses, for a port that is not a number.
fn host_and_port(authority: &str) -> (&str, Option<i64>) {
    let authority = Authority::split(authority);
    let host = authority.bare_host();
    let port = match authority.port_text() {
        Some("") => None,
        Some(digits) => Some(digits.parse().unwrap_or(-1)),
        // The first colon outside of brackets begins a port.
        None if host == authority.host() && host.contains(':') => Some(-1),
        None => None,
    };
    (host, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, &str>) {
        let given: Mapping =
            [(PORT.name, Value::from(9)), (URL.name, Value::from(url))].into_iter().collect();
        let expanded = expand_url(&given).map(|record| {
            let text = |field: &Field| {
                record.get(field.name).map(Value::to_json).unwrap_or_default().replace('"', "")
            };
            format!("{} {} {} {}", text(&PROTOCOL), text(&HOST), text(&PORT), text(&PATH))
        });
        assert_eq!(expanded.as_deref().map_err(|fault| fault.message.as_str()), expected, "{url}");
    }

    #[test]
    fn urls_are_expanded() {
        check("http://httpbin.org/anything", Ok("http httpbin.org 80 /anything"));
        check("https://a.example", Ok("https a.example 443 null"));
        check("http://a:8000/", Ok("http a 8000 /"));
        check("http://[::1]:81/x?q=1#f", Ok("http ::1 81 /x"));
        check("example.com/foo", Ok("  9 example.com/foo"));
        check("//a/b", Ok("http a 80 /b"));
        check("//a:443", Ok("https a 443 null"));
        check("localhost:8080", Ok("localhost  9 8080"));
        check("http://", Ok("http  80 null"));
        check("http://a:99999", Ok("http a 99999 null"));
        check("ftp://a", Ok("ftp a 80 null"));
    }
}
