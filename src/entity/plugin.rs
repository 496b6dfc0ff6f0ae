//! A Plugin entry: which plugin, where it applies, with which settings. (Kong: Plugin object.)

use uuid::Uuid;

use super::{ConsumerIndex, RouteIndex, ServiceIndex, id, names, text, texts, truth};
use crate::{
    document::{NodePath, Value},
    schema::{EntitySchema, Field, FieldKind, FieldRule},
};

/// What a Plugin entry may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "plugins",
    fields: FIELDS,
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// The protocols whose requests a plugin may see.
const PROTOCOLS: &[&str] = &["grpc", "grpcs", "http", "https"];

const FIELDS: &[Field] = &[
    Field::new("id", FieldKind::Uuid),
    Field::new("name", FieldKind::String).required(),
    Field::new("instance_name", FieldKind::String).rules(&[FieldRule::Holds(names::name)]),
    Field::new("config", FieldKind::Config).required(),
    Field::new(
        "protocols",
        FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(PROTOCOLS)])),
    )
    .required()
    .default("[\"grpc\",\"grpcs\",\"http\",\"https\"]"),
    Field::new("enabled", FieldKind::Boolean).required().default("true"),
    Field::new("route", FieldKind::Foreign("routes")),
    Field::new("service", FieldKind::Foreign("services")),
    Field::new("consumer", FieldKind::Foreign("consumers")),
    names::TAGS,
    Field::new("created_at", FieldKind::Integer),
    Field::new("updated_at", FieldKind::Integer),
];

/// One configured plugin; its settings are compiled by `plugin`.
#[derive(Clone, Debug)]
pub struct PluginEntity {
    /// Its id, given or derived from its name and scope.
    pub id: Uuid,
    /// Its name in the plugin table.
    pub name: String,
    /// A name for this one entry.
    pub instance_name: Option<String>,
    /// Where it applies.
    pub scope: PluginScope,
    /// Whether it runs at all.
    pub enabled: bool,
    /// The protocols of the requests that it sees.
    pub protocols: Vec<String>,
    /// Its settings, checked and complete.
    pub config: Value,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where the entry stands in the file.
    pub at: NodePath,
}

impl PluginEntity {
    /// The value of a checked record that applies in `scope`.
    #[must_use]
    pub fn new(record: &Value, scope: PluginScope, at: &NodePath) -> Self {
        Self {
            id: id(record),
            name: text(record, "name").unwrap_or_default(),
            instance_name: text(record, "instance_name"),
            scope,
            enabled: truth(record, "enabled"),
            protocols: texts(record, "protocols"),
            config: record.get("config").cloned().unwrap_or_default(),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

/// Where a plugin applies; nothing set means everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PluginScope {
    /// To the requests of one Route.
    pub route: Option<RouteIndex>,
    /// To the requests of one Service.
    pub service: Option<ServiceIndex>,
    /// To the requests of one Consumer.
    pub consumer: Option<ConsumerIndex>,
}
