//! What must hold of a Route's fields, and across them. Messages are Kong's.

use super::{
    super::{names, texts},
    pattern,
};
use crate::{
    document::{Mapping, Value},
    ip_network::IpNetwork,
    schema::EntityFault,
    uri::check_prefix_is_normal,
};

pub(super) fn address(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    IpNetwork::parse(text).map(|_| ()).ok_or_else(|| format!("invalid ip or cidr range: '{text}'"))
}

pub(super) fn method(value: &Value) -> Result<(), String> {
    let method = value.as_str().unwrap_or_default();
    if method.bytes().all(|it| it.is_ascii_uppercase()) {
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
    names::percent(path)?;
    if let Some(expression) = path.strip_prefix('~') {
        return pattern::compiles(expression);
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
        names::header_name(&Value::from(name))?;
    }
    Ok(())
}

/// The families of protocols; one Route is of one.
const FAMILIES: [&[&str]; 4] =
    [&["http", "https"], &["tcp", "tls", "udp"], &["tls_passthrough"], &["grpc", "grpcs"]];

/// The families that protocols are of.
fn families(protocols: &[String]) -> impl Iterator<Item = usize> {
    let has = |family: &[&str]| protocols.iter().any(|it| family.contains(&it.as_str()));
    (0..FAMILIES.len()).filter(move |it| has(FAMILIES[*it]))
}

/// The family of a Route; none if there are several, of which one complaint is enough.
fn family(record: &Value) -> Option<usize> {
    let protocols = texts(record, "protocols");
    let mut families = families(&protocols);
    families.next().filter(|_| families.next().is_none())
}

pub(super) fn one_family_of_protocols(record: &Value) -> Option<EntityFault> {
    let sets: Vec<String> = families(&texts(record, "protocols"))
        .map(|family| format!("('{}')", FAMILIES[family].join("', '")))
        .collect();
    (sets.len() > 1).then(|| {
        let message = format!("these sets are mutually exclusive: {}", sets.join(", "));
        EntityFault::field("protocols", message).help("split it into one route per family")
    })
}

/// The first protocol decides what else a Route may say: without one that is known, nothing can be said of the rest.
/// What speaks gRPC keeps its path.
pub(super) fn known_protocol(given: &Mapping) -> Result<Mapping, EntityFault> {
    let mut record = given.clone();
    let first = match given.get("protocols") {
        Some(Value::Sequence(all)) => all.first().map_or("nil", |it| it.as_str().unwrap_or_default()),
        _ => return Ok(record),
    };
    if first == "nil" || (!first.is_empty() && !names::PROTOCOLS.contains(&first)) {
        return Err(EntityFault::field("protocols", format!("unknown type: {first}"))
            .help(format!("known are: {}", names::PROTOCOLS.join(", "))));
    }
    if first.starts_with("grpc") && !given.contains_key("strip_path") {
        record.insert("strip_path", false);
    }
    Ok(record)
}

/// Forbids a field that has no meaning for the protocols of a Route.
pub(super) fn without(record: &Value, field: &'static str) -> Option<EntityFault> {
    let when = match (family(record)?, field) {
        (0, "sources" | "destinations") => "'http' or 'https'",
        (3, "methods" | "sources" | "destinations" | "strip_path") => "'grpc' or 'grpcs'",
        (1 | 2, "methods" | "hosts" | "headers" | "paths") => "'tcp', 'tls', 'tls_passthrough' or 'udp'",
        _ => return None,
    };
    let given = match record.get(field)? {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        _ => true,
    };
    given.then(|| EntityFault::field(field, format!("cannot set '{field}' when 'protocols' is {when}")))
}

/// An entry of `sources` or `destinations` says something.
pub(super) fn some_endpoint(record: &Value) -> Option<EntityFault> {
    let given = |field| record.get(field).is_some_and(|it| !it.is_null());
    (!given("ip") && !given("port"))
        .then(|| EntityFault::record("at least one of these fields must be non-empty: 'ip', 'port'"))
}

/// Server names are known of TLS only.
pub(super) fn snis_need_tls(record: &Value) -> Option<EntityFault> {
    let protocols = texts(record, "protocols");
    let tls = ["grpcs", "https", "tls", "tls_passthrough"];
    family(record)?;
    let given = record.get("snis").is_some_and(|it| !it.items().is_empty());
    (given && !protocols.iter().any(|it| tls.contains(&it.as_str()))).then(|| {
        let message =
            "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'";
        EntityFault::field("snis", "length must be 0").besides(message).help("only TLS has server names")
    })
}

/// The fields that an expression takes the place of.
const MATCHING: [&str; 7] = ["methods", "hosts", "headers", "paths", "snis", "sources", "destinations"];

pub(super) fn an_expression_or_fields(record: &Value) -> Option<EntityFault> {
    let has_number = |field| record.get(field).is_some_and(|it| !it.is_null() && it.as_i64() != Some(0));
    if is_expression(record) {
        let field = MATCHING.into_iter().find(|field| !fields_absent(record, &[field]));
        let field = field.or_else(|| has_number("regex_priority").then_some("regex_priority"))?;
        let complaint = EntityFault::field(field, "cannot be set together with 'expression'");
        return Some(complaint.help("say it in the expression"));
    }
    let message = "cannot be set without 'expression'";
    record.get("priority").is_some_and(|it| !it.is_null()).then(|| EntityFault::field("priority", message))
}

fn is_expression(record: &Value) -> bool {
    record.get("expression").is_some_and(|it| !it.is_null())
}

pub(super) fn something_to_match(record: &Value) -> Option<EntityFault> {
    if is_expression(record) {
        return None;
    }
    family(record)?;
    let protocols = texts(record, "protocols");
    let has = |protocol: &str| protocols.iter().any(|it| it == protocol);
    let (fields, when): (&[&str], &str) = if has("https") {
        (&["methods", "hosts", "headers", "paths", "snis"], "https'")
    } else if has("http") {
        (&["methods", "hosts", "headers", "paths"], "http'")
    } else if has("grpcs") {
        (&["hosts", "headers", "paths", "snis"], "grpcs'")
    } else if has("grpc") {
        (&["hosts", "headers", "paths"], "grpc'")
    } else if has("tls_passthrough") {
        return fields_absent(record, &["snis"])
            .then(|| EntityFault::record("must set snis when 'protocols' is 'tls_passthrough'"));
    } else {
        (&["sources", "destinations", "snis"], "tcp', 'tls' or 'udp'")
    };
    fields_absent(record, fields).then(|| {
        let names: Vec<String> = fields.iter().map(|field| format!("'{field}'")).collect();
        EntityFault::record(format!("must set one of {} when 'protocols' is '{when}", names.join(", ")))
    })
}

fn fields_absent(record: &Value, fields: &[&str]) -> bool {
    fields.iter().all(|field| match record.get(field) {
        Some(Value::Sequence(items)) => items.is_empty(),
        Some(Value::Mapping(members)) => members.is_empty(),
        _ => true,
    })
}
