//! A Service: an API behind the gateway. (Kong: Service object.)

use uuid::Uuid;

use super::{
    CaCertificateIndex, CertificateIndex, credentials, hosts, id, names, plugin, route, text, truth, vault,
    whole,
};
use crate::{
    document::{Mapping, NodePath, Value},
    schema::{EntityFault, EntitySchema, Field, FieldCondition, FieldKind, FieldRule},
    uri::{Authority, Scheme},
};

/// What a Service may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "services",
    fields: FIELDS,
    prepare: Some(expand_url),
    complete: None,
    conditions: CONDITIONS,
    checks: &[],
};

const MILLISECONDS: &[FieldRule] = &[FieldRule::Between(1.0, 2_147_483_646.0)];

const FIELDS: &[Field] = &[
    Field::new("id", FieldKind::Uuid),
    Field::new("name", FieldKind::String).rules(&[FieldRule::Holds(names::name)]),
    Field::new("protocol", FieldKind::String)
        .required()
        .default("\"http\"")
        .rules(&[FieldRule::OneOf(names::PROTOCOLS)]),
    Field::new("host", FieldKind::String).required().rules(&[FieldRule::Holds(hosts::host)]),
    Field::new("port", FieldKind::Integer)
        .required()
        .default("80")
        .rules(&[FieldRule::Between(0.0, 65535.0)]),
    Field::new("path", FieldKind::String).rules(&[FieldRule::Holds(names::path)]),
    Field::new("retries", FieldKind::Integer).default("5").rules(&[FieldRule::Between(0.0, 32767.0)]),
    Field::new("connect_timeout", FieldKind::Integer).default("60000").rules(MILLISECONDS),
    Field::new("write_timeout", FieldKind::Integer).default("60000").rules(MILLISECONDS),
    Field::new("read_timeout", FieldKind::Integer).default("60000").rules(MILLISECONDS),
    names::TAGS,
    Field::new("client_certificate", FieldKind::Foreign("certificates")),
    Field::new("tls_verify", FieldKind::Boolean),
    Field::new("tls_verify_depth", FieldKind::Integer).rules(&[FieldRule::Between(0.0, 64.0)]),
    Field::new("ca_certificates", FieldKind::Array(&Field::item(FieldKind::Uuid))),
    Field::new("enabled", FieldKind::Boolean).required().default("true"),
    Field::new("created_at", FieldKind::Integer),
    Field::new("updated_at", FieldKind::Integer),
    Field::new("routes", FieldKind::Entities(|| &route::ENTITY, "service")),
    Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, "service")),
    Field::new("filter_chains", FieldKind::Entities(|| &vault::FILTER_CHAIN, "service")),
    Field::new("oauth2_tokens", FieldKind::Entities(|| &credentials::OAUTH2_TOKEN, "service")),
];

const TLS: &[&str] = &["https", "tls"];

/// What a field must be where another has certain values, in Kong's order.
const CONDITIONS: &[FieldCondition] = &[
    FieldCondition::when("protocol", &["tcp", "tls", "udp", "grpc", "grpcs"]).forbids("path"),
    FieldCondition::unless("protocol", TLS).forbids("client_certificate"),
    FieldCondition::unless("protocol", TLS).forbids("tls_verify"),
    FieldCondition::unless("protocol", TLS).forbids("tls_verify_depth"),
    FieldCondition::unless("protocol", TLS).forbids("ca_certificates"),
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
    /// Put before the request's path; begins with `/`.
    pub path: Option<String>,
    /// How often a failed try is repeated, 0 to 32767.
    pub retries: u32,
    /// Milliseconds to establish a connection.
    pub connect_timeout: u64,
    /// Milliseconds between two writes.
    pub write_timeout: u64,
    /// Milliseconds between two reads.
    pub read_timeout: u64,
    /// The certificate that is shown to it.
    pub client_certificate: Option<CertificateIndex>,
    /// Whether its certificate must be valid; nothing said means as the settings say.
    pub tls_verify: Option<bool>,
    /// How many certificates may stand between its own and an authority, 0 to 64.
    pub tls_verify_depth: Option<u8>,
    /// The authorities that its certificate must come from; nothing said means those that the settings trust.
    pub ca_certificates: Option<Vec<CaCertificateIndex>>,
    /// Whether its Routes take part.
    pub enabled: bool,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: NodePath,
}

impl Service {
    /// The value of a checked record, without certificates yet.
    #[must_use]
    pub fn new(record: &Value, at: &NodePath) -> Self {
        let depth = record.get("tls_verify_depth").and_then(Value::as_i64);
        Self {
            id: id(record),
            name: text(record, "name"),
            protocol: text(record, "protocol").unwrap_or_default(),
            host: text(record, "host").unwrap_or_default(),
            port: whole(record, "port"),
            path: text(record, "path"),
            retries: whole(record, "retries"),
            connect_timeout: whole(record, "connect_timeout"),
            write_timeout: whole(record, "write_timeout"),
            read_timeout: whole(record, "read_timeout"),
            client_certificate: None,
            tls_verify: record.get("tls_verify").and_then(Value::as_bool),
            tls_verify_depth: depth.and_then(|it| u8::try_from(it).ok()),
            ca_certificates: None,
            enabled: truth(record, "enabled"),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

/// The shorthand `url` stands for protocol, host, port and path, and overrides them; its query is dropped.
fn expand_url(given: &Mapping) -> Result<Mapping, EntityFault> {
    let mut record = given.clone();
    let url = match record.remove("url") {
        None | Some(Value::Null) => return Ok(record),
        Some(Value::String(url)) => url,
        Some(other) => {
            let message = format!("expected a string, found {}", other.kind());
            return Err(EntityFault::field("url", message).help("such as http://example.com:8080/path"));
        }
    };
    // The parts of RFC 3986, appendix B.
    let (scheme, rest) = url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", &url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let Some(rest) = rest.strip_prefix("//") else {
        // All of it is a path; the rules of the fields say what is wrong with that.
        record.remove("host");
        record.insert("path", rest);
        if !scheme.is_empty() {
            record.insert("protocol", scheme);
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
    record.insert("protocol", scheme);
    if host.is_empty() {
        record.remove("host");
    } else {
        record.insert("host", host);
    }
    record.insert(
        "port",
        port.unwrap_or_else(|| i64::from(Scheme::from_name(scheme).unwrap_or_default().default_port())),
    );
    record.insert("path", path.map_or(Value::Null, Value::from));
    Ok(record)
}

/// Whether a text is a scheme. (RFC 3986, section 3.1.)
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
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
        let given: Mapping = [("port", Value::from(9)), ("url", Value::from(url))].into_iter().collect();
        let expanded = expand_url(&given).map(|record| {
            let text = |key| record.get(key).map(Value::to_json).unwrap_or_default().replace('"', "");
            format!("{} {} {} {}", text("protocol"), text("host"), text("port"), text("path"))
        });
        assert_eq!(expanded.as_deref().map_err(|complaint| complaint.message.as_str()), expected, "{url}");
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
