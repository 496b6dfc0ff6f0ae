//! The top level of `kong.yaml`. (Kong: "Declarative configuration format".)

use super::{certificate, consumer, credentials, plugin, route, service, target, upstream, vault};
use crate::schema::{Field, Kind, Rule};

/// The format versions that can be read.
pub const FORMAT_VERSIONS: &[&str] = &["1.1", "2.1", "3.0"];

/// What the top level may say.
pub const DOCUMENT: &[Field] = &[
    Field::new("_format_version", Kind::String).required().rules(&[Rule::OneOf(FORMAT_VERSIONS)]),
    Field::new("_transform", Kind::Boolean).default("true"),
    Field::new("_comment", Kind::Text),
    Field::new("_ignore", Kind::Array(&Field::item(Kind::Any))),
    Field::new("services", Kind::Entities(|| &service::ENTITY, "")),
    Field::new("routes", Kind::Entities(|| &route::ENTITY, "")),
    Field::new("plugins", Kind::Entities(|| &plugin::ENTITY, "")),
    Field::new("consumers", Kind::Entities(|| &consumer::ENTITY, "")),
    Field::new("keyauth_credentials", Kind::Entities(|| &consumer::KEY, "")),
    Field::new("basicauth_credentials", Kind::Entities(|| &consumer::PASSWORD, "")),
    Field::new("acls", Kind::Entities(|| &consumer::GROUP, "")),
    Field::new("upstreams", Kind::Entities(|| &upstream::ENTITY, "")),
    Field::new("targets", Kind::Entities(|| &target::ENTITY, "")),
    Field::new("certificates", Kind::Entities(|| &certificate::ENTITY, "")),
    Field::new("snis", Kind::Entities(|| &certificate::SNI, "")),
    Field::new("ca_certificates", Kind::Entities(|| &certificate::AUTHORITY, "")),
    Field::new("workspaces", Kind::Entities(|| &vault::WORKSPACE, "")),
    Field::new("parameters", Kind::Entities(|| &vault::PARAMETER, "")),
    Field::new("vaults", Kind::Entities(|| &vault::ENTITY, "")),
    Field::new("key_sets", Kind::Entities(|| &vault::KEY_SET, "")),
    Field::new("keys", Kind::Entities(|| &vault::KEY, "")),
    Field::new("filter_chains", Kind::Entities(|| &vault::FILTER_CHAIN, "")),
    Field::new("clustering_data_planes", Kind::Unused),
    Field::new("jwt_secrets", Kind::Entities(|| &credentials::JWT, "")),
    Field::new("hmacauth_credentials", Kind::Entities(|| &credentials::HMAC, "")),
    Field::new("oauth2_credentials", Kind::Entities(|| &credentials::OAUTH2, "")),
    Field::new("oauth2_tokens", Kind::Entities(|| &credentials::OAUTH2_TOKEN, "")),
    Field::new("acme_storage", Kind::Entities(|| &credentials::ACME_STORAGE, "")),
    Field::new("sessions", Kind::Entities(|| &credentials::SESSION, "")),
];
