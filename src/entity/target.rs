//! A Target: one place behind an Upstream. (Kong: Target object.)

use uuid::Uuid;

use super::{UpstreamIndex, hosts, id, names, text, whole};
use crate::{
    document::{Mapping, NodePath, Value},
    schema::{EntitySchema, Field, FieldKind, FieldRule},
};

/// What a Target may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "targets",
    fields: FIELDS,
    prepare: None,
    complete: Some(complete),
    conditions: &[],
    checks: &[],
};

/// The port of a Target that names none.
const PORT: u16 = 8000;

const FIELDS: &[Field] = &[
    Field::new("id", FieldKind::Uuid),
    Field::new("target", FieldKind::String).required().rules(&[FieldRule::Holds(address)]),
    Field::new("weight", FieldKind::Integer).default("100").rules(&[FieldRule::Between(0.0, 65535.0)]),
    Field::new("upstream", FieldKind::Foreign("upstreams")).required(),
    names::TAGS,
    Field::new("created_at", FieldKind::Number),
    Field::new("updated_at", FieldKind::Number),
];

/// One place behind an Upstream.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its id, given or derived from its address and its Upstream.
    pub id: Uuid,
    /// `host:port`, as the Admin API shows it; IPv6 addresses in brackets and in full.
    pub target: String,
    /// A host name or an address without brackets.
    pub host: String,
    /// 0 to 65535.
    pub port: u16,
    /// How much of the traffic it gets beside the others, 0 to 65535; 0 means none.
    pub weight: u16,
    /// The Upstream that it is behind.
    pub upstream: UpstreamIndex,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: NodePath,
}

impl Target {
    /// The value of a checked record that stands behind `upstream`.
    #[must_use]
    pub fn new(record: &Value, upstream: UpstreamIndex, at: &NodePath) -> Self {
        let target = text(record, "target").unwrap_or_default();
        let (host, port) = match hosts::split_host(&target) {
            Some((hosts::HostAddress::Ip(address), port)) => (address.to_string(), port),
            Some((hosts::HostAddress::Name(name), port)) => (name.to_owned(), port),
            None => (String::new(), None),
        };
        Self {
            id: id(record),
            host,
            port: port.unwrap_or(PORT),
            weight: whole(record, "weight"),
            upstream,
            record: record.clone(),
            at: at.clone(),
            target,
        }
    }
}

/// A Target without a port gets Kong's, and an IPv6 address is written in full.
fn complete(record: &mut Mapping) {
    let given = record.get("target").and_then(Value::as_str);
    let target =
        given.and_then(hosts::split_host).map(|(host, port)| format!("{host}:{}", port.unwrap_or(PORT)));
    if let Some(target) = target {
        record.insert("target", target);
    }
}

fn address(value: &Value) -> Result<(), String> {
    let target = value.as_str().unwrap_or_default();
    if hosts::split_host(target).is_some() {
        return Ok(());
    }
    let which = if target.contains(' ') { String::new() } else { format!(" ('{target}')") };
    Err(format!("Invalid target{which}; not a valid hostname or ip address"))
}
