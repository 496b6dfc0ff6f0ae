//! The top level of `kong.yaml`. (Kong: "Declarative configuration format".)

use super::{certificate, consumer, credentials, plugin, route, service, target, upstream, vault};
use crate::schema::{Field, FieldKind, FieldRule};

/// The format versions that can be read.
pub const FORMAT_VERSIONS: &[&str] = &["1.1", "2.1", "3.0"];

/// What the top level may say.
pub const DOCUMENT: &[Field] = &[
    Field::new("_format_version", FieldKind::String).required().rules(&[FieldRule::OneOf(FORMAT_VERSIONS)]),
    Field::new("_transform", FieldKind::Boolean).default("true"),
    Field::new("_comment", FieldKind::Text),
    Field::new("_ignore", FieldKind::Array(&Field::item(FieldKind::Any))),
    Field::new("services", FieldKind::Entities(|| &service::ENTITY, "")),
    Field::new("routes", FieldKind::Entities(|| &route::ENTITY, "")),
    Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, "")),
    Field::new("consumers", FieldKind::Entities(|| &consumer::ENTITY, "")),
    Field::new("keyauth_credentials", FieldKind::Entities(|| &consumer::KEY, "")),
    Field::new("basicauth_credentials", FieldKind::Entities(|| &consumer::PASSWORD, "")),
    Field::new("acls", FieldKind::Entities(|| &consumer::GROUP, "")),
    Field::new("upstreams", FieldKind::Entities(|| &upstream::ENTITY, "")),
    Field::new("targets", FieldKind::Entities(|| &target::ENTITY, "")),
    Field::new("certificates", FieldKind::Entities(|| &certificate::ENTITY, "")),
    Field::new("snis", FieldKind::Entities(|| &certificate::SNI, "")),
    Field::new("ca_certificates", FieldKind::Entities(|| &certificate::AUTHORITY, "")),
    Field::new("workspaces", FieldKind::Entities(|| &vault::WORKSPACE, "")),
    Field::new("parameters", FieldKind::Entities(|| &vault::PARAMETER, "")),
    Field::new("vaults", FieldKind::Entities(|| &vault::ENTITY, "")),
    Field::new("key_sets", FieldKind::Entities(|| &vault::KEY_SET, "")),
    Field::new("keys", FieldKind::Entities(|| &vault::KEY, "")),
    Field::new("filter_chains", FieldKind::Entities(|| &vault::FILTER_CHAIN, "")),
    Field::new("clustering_data_planes", FieldKind::Unused),
    Field::new("jwt_secrets", FieldKind::Entities(|| &credentials::JWT, "")),
    Field::new("hmacauth_credentials", FieldKind::Entities(|| &credentials::HMAC, "")),
    Field::new("oauth2_credentials", FieldKind::Entities(|| &credentials::OAUTH2, "")),
    Field::new("oauth2_tokens", FieldKind::Entities(|| &credentials::OAUTH2_TOKEN, "")),
    Field::new("acme_storage", FieldKind::Entities(|| &credentials::ACME_STORAGE, "")),
    Field::new("sessions", FieldKind::Entities(|| &credentials::SESSION, "")),
];
