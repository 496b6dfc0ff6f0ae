//! Certificates that are shown, the server names they are shown for, and the authorities that are trusted.
//! (Kong: Certificate, SNI and CA certificate objects.)

use std::fmt::{self, Write as _};

use uuid::Uuid;

use super::{CertificateIndex, hosts, id, names, service, text, upstream};
use crate::{
    base64_codec,
    document::{Mapping, NodePath, Value},
    schema::{EntityFault, EntitySchema, Field, FieldKind, FieldRule},
};

/// What a Certificate may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "certificates",
    fields: FIELDS,
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[both_alternatives],
};

const FIELDS: &[Field] = &[
    Field::new("id", FieldKind::Uuid),
    Field::new("cert", FieldKind::String).required().rules(&[FieldRule::Holds(certificate)]),
    Field::new("key", FieldKind::Secret).required().rules(&[FieldRule::Holds(key)]),
    Field::new("cert_alt", FieldKind::String).rules(&[FieldRule::Holds(certificate)]),
    Field::new("key_alt", FieldKind::Secret).rules(&[FieldRule::Holds(key)]),
    names::TAGS,
    Field::new("created_at", FieldKind::Integer),
    Field::new("updated_at", FieldKind::Integer),
    Field::new("snis", FieldKind::Entities(|| &SNI, "certificate")),
    Field::new("services", FieldKind::Entities(|| &service::ENTITY, "client_certificate")),
    Field::new("upstreams", FieldKind::Entities(|| &upstream::ENTITY, "client_certificate")),
];

/// What a server name may say.
pub(super) const SNI: EntitySchema = EntitySchema {
    collection: "snis",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("name", FieldKind::String).required().rules(&[FieldRule::Holds(hosts::wildcard_host)]),
        Field::new("certificate", FieldKind::Foreign("certificates")).required(),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
        Field::new("updated_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a trusted authority may say.
pub(super) const AUTHORITY: EntitySchema = EntitySchema {
    collection: "ca_certificates",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("cert", FieldKind::String).required().rules(&[FieldRule::Holds(certificate)]),
        Field::new("cert_digest", FieldKind::String),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
        Field::new("updated_at", FieldKind::Integer),
    ],
    prepare: Some(|given| Ok(with_digest(given))),
    complete: None,
    conditions: &[],
    checks: &[one_certificate],
};

/// A certificate with its key, to be shown to clients or upstreams.
#[derive(Clone)]
pub struct Certificate {
    /// Its id, given or derived from what it says.
    pub id: Uuid,
    /// The certificate, and those that lead to an authority: PEM.
    pub cert: String,
    /// Its private key: PEM.
    pub key: String,
    /// One of another kind for the same names: PEM.
    pub cert_alt: Option<String>,
    /// The private key of that: PEM.
    pub key_alt: Option<String>,
    /// The complete record, the keys with it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: NodePath,
}

/// A server name that a Certificate is shown for. (RFC 6066, section 3.)
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
    /// Where it stands in the file.
    pub at: NodePath,
}

/// An authority that is trusted where an entity names it.
#[derive(Clone, Debug)]
pub struct CaCertificate {
    /// Its id, given or derived from what it says.
    pub id: Uuid,
    /// Its certificate: PEM.
    pub cert: String,
    /// The SHA-256 of the certificate in hexadecimal, which no two of them share; `None` if it is in a vault.
    pub cert_digest: Option<String>,
    /// The complete record, as the Admin API shows it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: NodePath,
}

impl Certificate {
    /// The value of a checked record.
    #[must_use]
    pub fn new(record: &Value, at: &NodePath) -> Self {
        Self {
            id: id(record),
            cert: text(record, "cert").unwrap_or_default(),
            key: text(record, "key").unwrap_or_default(),
            cert_alt: text(record, "cert_alt"),
            key_alt: text(record, "key_alt"),
            record: record.clone(),
            at: at.clone(),
        }
    }
}

impl Sni {
    /// The value of a checked record that names `certificate`.
    #[must_use]
    pub fn new(record: &Value, certificate: CertificateIndex, at: &NodePath) -> Self {
        Self {
            id: id(record),
            name: text(record, "name").unwrap_or_default(),
            certificate,
            record: record.clone(),
            at: at.clone(),
        }
    }
}

impl CaCertificate {
    /// The value of a checked record.
    #[must_use]
    pub fn new(record: &Value, at: &NodePath) -> Self {
        Self {
            id: id(record),
            cert: text(record, "cert").unwrap_or_default(),
            cert_digest: text(record, "cert_digest"),
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

const BEGIN: &str = "-----BEGIN ";

fn certificate(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let whole = ["CERTIFICATE-----", "X509 CERTIFICATE-----", "TRUSTED CERTIFICATE-----"]
        .iter()
        .any(|it| text.contains(&format!("{BEGIN}{it}")) && text.contains(&format!("-----END {it}")));
    if whole || is_reference(text) {
        Ok(())
    } else {
        Err("invalid certificate: it is no PEM text".to_owned())
    }
}

fn key(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let whole = text.split(BEGIN).skip(1).any(|rest| {
        let kind = rest.split("-----").next().unwrap_or_default();
        kind.ends_with("PRIVATE KEY") && rest.contains(&format!("-----END {kind}-----"))
    });
    if whole || is_reference(text) { Ok(()) } else { Err("invalid key: it is no PEM text".to_owned()) }
}

/// A reference to a vault is looked up when the value is needed.
fn is_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

/// The record with Kong's digest of its certificate, by which two are told apart, whatever it says itself.
/// (Kong: CA certificate object, `cert_digest`.)
fn with_digest(given: &Mapping) -> Mapping {
    let mut record = given.clone();
    if let Some(der) = given.get("cert").and_then(Value::as_str).and_then(der) {
        let digest = ring::digest::digest(&ring::digest::SHA256, &der);
        let hex = digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        record.insert("cert_digest", hex);
    }
    record
}

/// The bytes of the first certificate of a PEM text. (RFC 7468, section 3.)
fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    base64_codec::decode(body)
}

fn both_alternatives(record: &Value) -> Option<EntityFault> {
    let given = |field| record.get(field).is_some_and(|it| !it.is_null());
    (given("cert_alt") != given("key_alt")).then(|| {
        EntityFault::record("all or none of these fields must be set: 'cert_alt', 'key_alt'")
            .help("a second certificate needs its own key")
    })
}

fn one_certificate(record: &Value) -> Option<EntityFault> {
    let cert = record.get("cert").and_then(Value::as_str)?;
    (cert.matches("-----BEGIN CERTIFICATE-----").count() > 1)
        .then(|| EntityFault::record("please submit only one certificate at a time"))
}
