//! The top level of `kong.yaml`. (Kong: "Declarative configuration format".)

use super::{certificate, consumer, plugin, route, service, target, upstream};
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
    Field::new("workspaces", Kind::Unused),
    Field::new("parameters", Kind::Unused),
    Field::new("vaults", Kind::Unused),
    Field::new("key_sets", Kind::Unused),
    Field::new("keys", Kind::Unused),
    Field::new("filter_chains", Kind::Unused),
    Field::new("clustering_data_planes", Kind::Unused),
    Field::new("jwt_secrets", Kind::Unused),
    Field::new("hmacauth_credentials", Kind::Unused),
    Field::new("oauth2_credentials", Kind::Unused),
    Field::new("oauth2_tokens", Kind::Unused),
    Field::new("acme_storage", Kind::Unused),
    Field::new("sessions", Kind::Unused),
];
