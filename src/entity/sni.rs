//! Server names, each with the certificate presented for it. (Kong: SNI object.)

use uuid::Uuid;

use super::{
    CertificateIndex, certificate,
    record::{id, text},
    server_name,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
};
use crate::{
    document::{NodePath, Value},
    schema::{AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    // Kong does not answer `/snis/{name}/certificate`.
    endpoint: AdminEndpoint { top: Some("snis"), nested: "snis", has_parents: false },
    name_field: Some(&NAME),
    derived_id: DerivedId::Name(&NAME),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&NAME]),
    log_rank: 6,
    has_deck_defaults: true,
    ..EntitySchema::new("snis", FIELDS)
};

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String)
        .describe("a server name, also `*.example.com` or `example.*`")
        .required()
        .unique()
        .rules(&[FieldRule::Holds(server_name::server_name)]),
    CERTIFICATE = Field::new("certificate", FieldKind::Foreign(|| &certificate::ENTITY, OnDelete::Cascade))
        .describe("the id of the certificate for the name")
        .required(),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
}

/// A server name with the certificate presented for it. (RFC 6066, section 3.)
#[derive(Clone, Debug)]
pub struct Sni {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// `name`, `*.suffix`, `prefix.*`, or `*` for all.
    pub name: String,
    /// The Certificate.
    pub certificate: CertificateIndex,
    /// The complete record, as the Admin API shows it.
    pub record: Value,
    /// Its path in the file.
    pub at: NodePath,
}

impl Sni {
    /// The value of a checked record that refers to `certificate`.
    #[must_use]
    pub fn new(record: &Value, certificate: CertificateIndex, at: &NodePath) -> Self {
        Self {
            id: id(record),
            name: text(record, &NAME).unwrap_or_default(),
            certificate,
            record: record.clone(),
            at: at.clone(),
        }
    }
}
