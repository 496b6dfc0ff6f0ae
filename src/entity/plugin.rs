//! Entries that configure plugins: the name, the scope and the settings of each. (Kong: Plugin object.)

use uuid::Uuid;

use super::{
    ConsumerIndex, RouteIndex, ServiceIndex, consumer,
    record::{boolean, id, text, texts},
    route, service,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
    text_rules,
};
use crate::{
    document::{NodePath, Value},
    schema::{
        DerivedId, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, HTTP_PROTOCOL_NAMES, OnDelete,
        PLUGIN_PROTOCOLS,
    },
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&INSTANCE_NAME),
    unique_together: &[&CONSUMER, &NAME, &ROUTE, &SERVICE],
    derived_id: DerivedId::Key(&[&NAME, &ROUTE, &SERVICE, &CONSUMER]),
    stable_id_field: Some(&NAME),
    label: EntityLabel::Scoped(&NAME, &[&ROUTE, &SERVICE, &CONSUMER]),
    log_rank: 2,
    has_deck_defaults: true,
    ..EntitySchema::new("plugins", FIELDS)
};

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String).required()
        .describe("the name of the plugin"),
    INSTANCE_NAME = Field::new("instance_name", FieldKind::String)
        .unique()
        .rules(&[FieldRule::Holds(text_rules::name)])
        .describe("a unique name of this instance"),
    CONFIG = Field::new("config", FieldKind::Config).required()
        .describe("its settings"),
    // Each plugin allows its own.
    PROTOCOLS = PLUGIN_PROTOCOLS,
    ENABLED = Field::new("enabled", FieldKind::Boolean).required().default("true")
        .describe("whether it is active"),
    ROUTE = Field::new("route", FieldKind::Foreign(|| &route::ENTITY, OnDelete::Cascade))
        .describe("the name or id of the route whose requests it handles"),
    SERVICE = Field::new("service", FieldKind::Foreign(|| &service::ENTITY, OnDelete::Cascade))
        .describe("the name or id of the service whose requests it handles"),
    CONSUMER = Field::new("consumer", FieldKind::Foreign(|| &consumer::ENTITY, OnDelete::Cascade))
        .describe("the username or id of the consumer whose requests it handles"),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
}

/// One configured plugin; its settings are compiled by `plugin`.
#[derive(Clone, Debug)]
pub struct PluginEntity {
    /// Its id, given or derived from its name and scope.
    pub id: Uuid,
    /// The name of the plugin.
    pub name: String,
    /// A name of this entry alone.
    pub instance_name: Option<String>,
    /// The requests that it sees.
    pub scope: PluginScope,
    /// Whether it runs at all.
    pub enabled: bool,
    /// The protocols of the requests that it sees.
    pub protocols: Vec<String>,
    /// Its settings, checked and complete.
    pub config: Value,
    /// The complete record, with defaults, as the Admin API shows it.
    pub record: Value,
    /// The path of the entry in the file.
    pub at: NodePath,
}

impl PluginEntity {
    /// The value of a checked record that applies in `scope`.
    #[must_use]
    pub fn new(record: &Value, scope: PluginScope, at: &NodePath) -> Self {
        Self {
            id: id(record),
            name: text(record, &NAME).unwrap_or_default(),
            instance_name: text(record, &INSTANCE_NAME),
            scope,
            enabled: boolean(record, &ENABLED),
            protocols: texts(record, &PROTOCOLS),
            config: record.get(CONFIG.name).cloned().unwrap_or_default(),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

impl PluginEntity {
    /// Whether one of its protocols has requests; those of streams have none.
    #[must_use]
    pub fn sees_requests(&self) -> bool {
        self.protocols.iter().any(|protocol| HTTP_PROTOCOL_NAMES.contains(&protocol.as_str()))
    }
}

/// The requests that a plugin sees; all requests if nothing is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PluginScope {
    /// Those of one Route.
    pub route: Option<RouteIndex>,
    /// Those of one Service.
    pub service: Option<ServiceIndex>,
    /// Those of one Consumer.
    pub consumer: Option<ConsumerIndex>,
}
