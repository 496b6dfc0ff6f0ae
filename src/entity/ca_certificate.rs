//! Certificates of authorities that Services trust. (Kong: CA certificate object.)

use std::fmt::Write as _;

use uuid::Uuid;

use super::{
    pem,
    record::{id, text},
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
};
use crate::{
    document::{Mapping, NodePath, Value},
    schema::{EntityFault, EntitySchema, Field, FieldKind, FieldRule},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    log_rank: 7,
    has_deck_defaults: true,
    prepare: Some(|given| Ok(with_digest(given))),
    checks: &[require_one_certificate],
    ..EntitySchema::new("ca_certificates", FIELDS)
};

fields! {
    ID,
    CERT = Field::new("cert", FieldKind::String)
        .describe("the certificate of an authority, PEM")
        .required().rules(&[FieldRule::Holds(pem::certificate)]),
    CERT_DIGEST = Field::new("cert_digest", FieldKind::String)
        .describe("the SHA-256 of the certificate")
        .unique(),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
}

/// The certificate of an authority that Services trust.
#[derive(Clone, Debug)]
pub struct CaCertificate {
    /// Its id, given or derived from its fields.
    pub id: Uuid,
    /// Its certificate: PEM.
    pub cert: String,
    /// The SHA-256 of the certificate in hexadecimal, which is unique; `None` if the certificate is in a vault.
    pub cert_digest: Option<String>,
    /// The complete record, as the Admin API shows it.
    pub record: Value,
    /// Its path in the file.
    pub at: NodePath,
}

impl CaCertificate {
    /// The value of a checked record.
    #[must_use]
    pub fn new(record: &Value, at: &NodePath) -> Self {
        Self {
            id: id(record),
            cert: text(record, &CERT).unwrap_or_default(),
            cert_digest: text(record, &CERT_DIGEST),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

/// The record with Kong's digest of its certificate; a digest in the file is ignored. (Kong: CA certificate object,
/// `cert_digest`.)
fn with_digest(given: &Mapping) -> Mapping {
    let mut record = given.clone();
    if let Some(der) = given.get(CERT.name).and_then(Value::as_str).and_then(pem::first_certificate) {
        let digest = ring::digest::digest(&ring::digest::SHA256, &der);
        let hex = digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        record.insert(CERT_DIGEST.name, hex);
    }
    record
}

fn require_one_certificate(record: &Value) -> Option<EntityFault> {
    let cert = record.get(CERT.name).and_then(Value::as_str)?;
    (cert.matches("-----BEGIN CERTIFICATE-----").count() > 1)
        .then(|| EntityFault::record("please submit only one certificate at a time"))
}
