//! Targets: the addresses behind an Upstream. (Kong: Target object.)

use uuid::Uuid;

use super::{
    UpstreamIndex, hosts,
    record::{id, integer, text},
    shared_fields::{ID, TAGS},
    upstream,
};
use crate::{
    document::{Mapping, NodePath, Value},
    schema::{AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    // Only below their Upstreams.
    endpoint: AdminEndpoint { top: None, nested: "targets", has_parents: true },
    name_field: Some(&TARGET),
    unique_together: &[&TARGET, &UPSTREAM],
    derived_id: DerivedId::Key(&[&UPSTREAM, &TARGET]),
    stable_id_field: Some(&TARGET),
    label: EntityLabel::Nested(&UPSTREAM, &TARGET),
    log_rank: 4,
    has_deck_defaults: true,
    complete: Some(complete_address),
    ..EntitySchema::new("targets", FIELDS)
};

/// Kong's port of a Target without one.
const DEFAULT_PORT: u16 = 8000;

fields! {
    ID,
    TARGET = Field::new("target", FieldKind::String).required().rules(&[FieldRule::Holds(address)])
        .describe("a host and a port, which is 8000 by default"),
    WEIGHT = Field::new("weight", FieldKind::Integer)
        .default("100")
        .rules(&[FieldRule::Between(0.0, 65535.0)])
        .describe("its share of the requests; 0 excludes it"),
    UPSTREAM = Field::new("upstream", FieldKind::Foreign(|| &upstream::ENTITY, OnDelete::Cascade))
        .describe("the name or id of its upstream")
        .required(),
    TAGS,
    CREATED_AT = Field::new("created_at", FieldKind::Number)
        .describe("Unix time in seconds"),
    UPDATED_AT = Field::new("updated_at", FieldKind::Number)
        .describe("Unix time in seconds"),
}

/// One address behind an Upstream.
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
    /// Its share of the requests relative to the other Targets, 0 to 65535; 0 means none.
    pub weight: u16,
    /// Its Upstream.
    pub upstream: UpstreamIndex,
    /// The complete record, with defaults, as the Admin API shows it.
    pub record: Value,
    /// Its path in the file.
    pub at: NodePath,
}

impl Target {
    /// The value of a checked record of a Target behind `upstream`.
    #[must_use]
    pub fn new(record: &Value, upstream: UpstreamIndex, at: &NodePath) -> Self {
        let target = text(record, &TARGET).unwrap_or_default();
        let (host, port) = match hosts::split_host(&target) {
            Some((hosts::HostAddress::Ip(address), port)) => (address.to_string(), port),
            Some((hosts::HostAddress::Name(name), port)) => (name.to_owned(), port),
            None => (String::new(), None),
        };
        Self {
            id: id(record),
            host,
            port: port.unwrap_or(DEFAULT_PORT),
            weight: integer(record, &WEIGHT),
            upstream,
            record: record.clone(),
            at: at.clone(),
            target,
        }
    }
}

/// Writes the address with its port, and an IPv6 address in full.
fn complete_address(record: &mut Mapping) {
    let given = record.get(TARGET.name).and_then(Value::as_str).and_then(hosts::split_host);
    let target = given.map(|(host, port)| format!("{host}:{}", port.unwrap_or(DEFAULT_PORT)));
    if let Some(target) = target {
        record.insert(TARGET.name, target);
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
