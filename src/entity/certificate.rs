//! Certificates with their private keys, presented to clients or upstreams. (Kong: Certificate object.)

use std::fmt;

use uuid::Uuid;

use super::{
    pem,
    record::{id, is_set, text},
    service,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
    sni, upstream,
};
use crate::{
    document::{NodePath, Value},
    schema::{EntityFault, EntitySchema, Field, FieldKind, FieldRule},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    log_rank: 5,
    has_deck_defaults: true,
    checks: &[require_both_alternatives],
    ..EntitySchema::new("certificates", FIELDS)
};

fields! {
    ID,
    CERT = Field::new("cert", FieldKind::String).required().rules(&[FieldRule::Holds(pem::certificate)])
        .describe("the certificate and its chain, as PEM"),
    KEY = Field::new("key", FieldKind::Secret)
        .required()
        .left_out_of_id()
        .rules(&[FieldRule::Holds(pem::private_key)])
        .describe("the private key, as PEM"),
    CERT_ALT = Field::new("cert_alt", FieldKind::String)
        .describe("a second certificate, with a key of another kind")
        .rules(&[FieldRule::Holds(pem::certificate)]),
    KEY_ALT = Field::new("key_alt", FieldKind::Secret)
        .describe("the key of the second certificate")
        .left_out_of_id()
        .rules(&[FieldRule::Holds(pem::private_key)]),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
    SNIS = Field::new("snis", FieldKind::Entities(|| &sni::ENTITY, sni::CERTIFICATE.name)),
    SERVICES = Field::new(
        "services",
        FieldKind::Entities(|| &service::ENTITY, service::CLIENT_CERTIFICATE.name),
    ),
    UPSTREAMS = Field::new(
        "upstreams",
        FieldKind::Entities(|| &upstream::ENTITY, upstream::CLIENT_CERTIFICATE.name),
    ),
}

/// A certificate with its private key, presented to clients or upstreams.
#[derive(Clone)]
pub struct Certificate {
    /// Its id, given or derived from its fields.
    pub id: Uuid,
    /// The certificate, followed by those that lead to an authority: PEM.
    pub cert: String,
    /// Its private key: PEM.
    pub key: String,
    /// A certificate with another type of key for the same names: PEM.
    pub cert_alt: Option<String>,
    /// The private key of the alternative certificate: PEM.
    pub key_alt: Option<String>,
    /// The complete record, with the private keys.
    pub record: Value,
    /// Its path in the file.
    pub at: NodePath,
}

impl Certificate {
    /// The value of a checked record.
    #[must_use]
    pub fn new(record: &Value, at: &NodePath) -> Self {
        Self {
            id: id(record),
            cert: text(record, &CERT).unwrap_or_default(),
            key: text(record, &KEY).unwrap_or_default(),
            cert_alt: text(record, &CERT_ALT),
            key_alt: text(record, &KEY_ALT),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

fn require_both_alternatives(record: &Value) -> Option<EntityFault> {
    (is_set(record, &CERT_ALT) != is_set(record, &KEY_ALT)).then(|| {
        EntityFault::record("all or none of these fields must be set: 'cert_alt', 'key_alt'")
            .help("a second certificate needs its own key")
    })
}
