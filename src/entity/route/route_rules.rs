//! Rules of the fields of Routes, and across them. Messages are Kong's.

use super::{
    super::{
        record::{is_set, texts},
        text_rules,
    },
    DESTINATIONS, EXPRESSION, HEADERS, HOSTS, IP, METHODS, PATHS, PORT, PRIORITY, PROTOCOLS, REGEX_PRIORITY,
    SNIS, SOURCES, STRIP_PATH, path_regex,
};
use crate::{
    document::{Mapping, Value},
    ip_network::IpNetwork,
    schema::{self, EntityFault, Field, PROTOCOL_NAMES},
    uri::check_prefix_is_normal,
};

pub(super) fn address(value: &Value) -> Result<(), String> {
    IpNetwork::parse_setting(value.as_str().unwrap_or_default()).map(|_| ())
}

pub(super) fn method(value: &Value) -> Result<(), String> {
    let method = value.as_str().unwrap_or_default();
    if method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(format!("invalid value: {method}"))
    }
}

pub(super) fn route_path(value: &Value) -> Result<(), String> {
    let path = value.as_str().unwrap_or_default();
    if !path.starts_with('/') && !path.starts_with("~/") {
        return Err("should start with: / (fixed path) or ~/ (regex path)".to_owned());
    }
    if path.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    text_rules::percent(path)?;
    if let Some(expression) = path.strip_prefix('~') {
        return path_regex::check_regex(expression);
    }
    check_prefix_is_normal(path)
        .map_err(|normal| format!("non-normalized path, consider use '{normal}' instead"))
}

pub(super) fn header_names(value: &Value) -> Result<(), String> {
    for (name, _) in value.entries() {
        if name.eq_ignore_ascii_case("host") {
            return Err(
                "cannot contain 'host' header, which must be specified in the 'hosts' attribute".to_owned()
            );
        }
        schema::check_header_name(&Value::from(name))?;
    }
    Ok(())
}

/// The families of protocols; all protocols of a Route are of one.
const FAMILIES: [&[&str]; 4] =
    [&["http", "https"], &["tcp", "tls", "udp"], &["tls_passthrough"], &["grpc", "grpcs"]];

/// Positions of two families in [`FAMILIES`].
const HTTP: usize = 0;
const GRPC: usize = 3;

/// The families of some protocols.
fn families(protocols: &[String]) -> impl Iterator<Item = usize> {
    let is_used = |family: &[&str]| protocols.iter().any(|protocol| family.contains(&protocol.as_str()));
    (0..FAMILIES.len()).filter(move |family| is_used(FAMILIES[*family]))
}

/// The family of a Route; `None` if there are several, which is an error of its own.
fn family(record: &Value) -> Option<usize> {
    let protocols = texts(record, &PROTOCOLS);
    let mut families = families(&protocols);
    families.next().filter(|_| families.next().is_none())
}

pub(super) fn require_one_protocol_family(record: &Value) -> Option<EntityFault> {
    let sets: Vec<String> = families(&texts(record, &PROTOCOLS))
        .map(|family| format!("('{}')", FAMILIES[family].join("', '")))
        .collect();
    (sets.len() > 1).then(|| {
        let message = format!("these sets are mutually exclusive: {}", sets.join(", "));
        EntityFault::field(PROTOCOLS.name, message).help("split it into one route per family")
    })
}

/// Refuses an unknown first protocol: it decides which other fields are allowed. Routes of gRPC keep the whole path by
/// default.
pub(super) fn check_first_protocol(given: &Mapping) -> Result<Mapping, EntityFault> {
    let mut record = given.clone();
    let first = match given.get(PROTOCOLS.name) {
        Some(Value::Sequence(all)) => all.first().map_or("nil", |first| first.as_str().unwrap_or_default()),
        _ => return Ok(record),
    };
    if first == "nil" || (!first.is_empty() && !PROTOCOL_NAMES.contains(&first)) {
        return Err(EntityFault::field(PROTOCOLS.name, format!("unknown type: {first}"))
            .help(format!("known are: {}", PROTOCOL_NAMES.join(", "))));
    }
    if first.starts_with("grpc") && !given.contains_key(STRIP_PATH.name) {
        record.insert(STRIP_PATH.name, false);
    }
    Ok(record)
}

/// Forbids a field that has no meaning for the protocols of a Route.
pub(super) fn forbid_by_protocol(record: &Value, field: &Field) -> Option<EntityFault> {
    let (forbidden, protocols): (&[Field], &str) = match family(record)? {
        HTTP => (&[SOURCES, DESTINATIONS], "'http' or 'https'"),
        GRPC => (&[METHODS, SOURCES, DESTINATIONS, STRIP_PATH], "'grpc' or 'grpcs'"),
        _ => (&[METHODS, HOSTS, HEADERS, PATHS], "'tcp', 'tls', 'tls_passthrough' or 'udp'"),
    };
    if !forbidden.iter().any(|forbidden| forbidden.name == field.name) {
        return None;
    }
    let is_given = match record.get(field.name)? {
        Value::Null => false,
        Value::Bool(boolean) => *boolean,
        _ => true,
    };
    let name = field.name;
    is_given.then(|| EntityFault::field(name, format!("cannot set '{name}' when 'protocols' is {protocols}")))
}

/// Requires a field in an entry of `sources` or `destinations`.
pub(super) fn require_ip_or_port(record: &Value) -> Option<EntityFault> {
    (!is_set(record, &IP) && !is_set(record, &PORT))
        .then(|| EntityFault::record("at least one of these fields must be non-empty: 'ip', 'port'"))
}

/// Requires a protocol with TLS for server names.
pub(super) fn require_tls_for_snis(record: &Value) -> Option<EntityFault> {
    let protocols = texts(record, &PROTOCOLS);
    let tls = ["grpcs", "https", "tls", "tls_passthrough"];
    family(record)?;
    let has_snis = record.get(SNIS.name).is_some_and(|snis| !snis.items().is_empty());
    (has_snis && !protocols.iter().any(|protocol| tls.contains(&protocol.as_str()))).then(|| {
        let message =
            "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'";
        EntityFault::field(SNIS.name, "length must be 0")
            .with_entity_message(message)
            .help("only TLS has server names")
    })
}

/// The fields that an expression replaces.
const MATCHING: [Field; 7] = [METHODS, HOSTS, HEADERS, PATHS, SNIS, SOURCES, DESTINATIONS];

/// Refuses an expression together with the fields that it replaces, and a priority without an expression.
pub(super) fn require_expression_or_fields(record: &Value) -> Option<EntityFault> {
    if is_set(record, &EXPRESSION) {
        let priority = record.get(REGEX_PRIORITY.name).filter(|priority| !priority.is_null());
        let has_priority = priority.is_some_and(|priority| priority.as_i64() != Some(0));
        let field = MATCHING.into_iter().find(|field| !are_empty(record, &[*field]));
        let field = field.or_else(|| has_priority.then_some(REGEX_PRIORITY))?;
        let fault = EntityFault::field(field.name, "cannot be set together with 'expression'");
        return Some(fault.help("say it in the expression"));
    }
    let message = "cannot be set without 'expression'";
    is_set(record, &PRIORITY).then(|| EntityFault::field(PRIORITY.name, message))
}

/// Requires one of the fields that can match a request of the protocols.
pub(super) fn require_matching_field(record: &Value) -> Option<EntityFault> {
    if is_set(record, &EXPRESSION) {
        return None;
    }
    family(record)?;
    let protocols = texts(record, &PROTOCOLS);
    let has = |name: &str| protocols.iter().any(|protocol| protocol == name);
    let (fields, when): (&[Field], &str) = if has("https") {
        (&[METHODS, HOSTS, HEADERS, PATHS, SNIS], "https'")
    } else if has("http") {
        (&[METHODS, HOSTS, HEADERS, PATHS], "http'")
    } else if has("grpcs") {
        (&[HOSTS, HEADERS, PATHS, SNIS], "grpcs'")
    } else if has("grpc") {
        (&[HOSTS, HEADERS, PATHS], "grpc'")
    } else if has("tls_passthrough") {
        return are_empty(record, &[SNIS])
            .then(|| EntityFault::record("must set snis when 'protocols' is 'tls_passthrough'"));
    } else {
        (&[SOURCES, DESTINATIONS, SNIS], "tcp', 'tls' or 'udp'")
    };
    are_empty(record, fields).then(|| {
        let names: Vec<String> = fields.iter().map(|field| format!("'{}'", field.name)).collect();
        EntityFault::record(format!("must set one of {} when 'protocols' is '{when}", names.join(", ")))
    })
}

/// Whether none of these fields has an item.
fn are_empty(record: &Value, fields: &[Field]) -> bool {
    fields.iter().all(|field| match record.get(field.name) {
        Some(Value::Sequence(items)) => items.is_empty(),
        Some(Value::Mapping(members)) => members.is_empty(),
        _ => true,
    })
}
