//! The top level of `kong.yaml`. (Kong: "Declarative configuration format".)

use super::{
    acl, acme_storage, basicauth_credential, ca_certificate, certificate, consumer, filter_chain,
    hmacauth_credential, jwt_secret, key, key_set, keyauth_credential, oauth2_credential, oauth2_token,
    parameter, plugin, route, service, session, sni, target, upstream, vault, workspace,
};
use crate::schema::{EntitySchema, Field, FieldKind, FieldRule};

/// The format versions that can be read.
pub const FORMAT_VERSIONS: &[&str] = &["1.1", "2.1", "3.0"];

/// The key of the format version.
pub(crate) const FORMAT_VERSION: Field = Field::new("_format_version", FieldKind::String)
    .required()
    .rules(&[FieldRule::OneOf(FORMAT_VERSIONS)])
    .describe("3.0; in 1.1 and 2.1, regular expressions have no `~`");

/// Whether passwords are plain texts that still have to be hashed.
pub(crate) const TRANSFORM: Field = Field::new("_transform", FieldKind::Boolean)
    .default("true")
    .describe("whether passwords are still to be hashed");

/// A comment for readers of the file.
pub(crate) const COMMENT: Field = Field::new("_comment", FieldKind::Text);

/// Values for readers of the file; mynah reads `clear-secrets` among them.
pub(crate) const IGNORE: Field = Field::new("_ignore", FieldKind::Array(&Field::item(FieldKind::Any)));

/// The fields of the top level. The order of the collections is the one in which exports and comparisons list entities.
pub const DOCUMENT: &[Field] = &[
    FORMAT_VERSION,
    TRANSFORM,
    COMMENT,
    IGNORE,
    Field::new("services", FieldKind::Entities(|| &service::ENTITY, ""))
        .describe("the APIs behind the gateway"),
    Field::new("routes", FieldKind::Entities(|| &route::ENTITY, ""))
        .describe("the rules that assign requests to services"),
    Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, ""))
        .describe("the plugins for every request or, with `service`, `route` or `consumer`, for some"),
    Field::new("consumers", FieldKind::Entities(|| &consumer::ENTITY, ""))
        .describe("the clients of the APIs"),
    Field::new("keyauth_credentials", FieldKind::Entities(|| &keyauth_credential::ENTITY, "")),
    Field::new("basicauth_credentials", FieldKind::Entities(|| &basicauth_credential::ENTITY, "")),
    Field::new("acls", FieldKind::Entities(|| &acl::ENTITY, "")),
    Field::new("upstreams", FieldKind::Entities(|| &upstream::ENTITY, ""))
        .describe("host names with several targets"),
    Field::new("targets", FieldKind::Entities(|| &target::ENTITY, "")),
    Field::new("certificates", FieldKind::Entities(|| &certificate::ENTITY, "")),
    Field::new("snis", FieldKind::Entities(|| &sni::ENTITY, "")),
    Field::new("ca_certificates", FieldKind::Entities(|| &ca_certificate::ENTITY, "")),
    Field::new("workspaces", FieldKind::Entities(|| &workspace::ENTITY, "")),
    Field::new("parameters", FieldKind::Entities(|| &parameter::ENTITY, "")),
    Field::new("vaults", FieldKind::Entities(|| &vault::ENTITY, "")),
    Field::new("key_sets", FieldKind::Entities(|| &key_set::ENTITY, "")),
    Field::new("keys", FieldKind::Entities(|| &key::ENTITY, "")),
    Field::new("filter_chains", FieldKind::Entities(|| &filter_chain::ENTITY, "")),
    Field::new("clustering_data_planes", FieldKind::Unused),
    Field::new("jwt_secrets", FieldKind::Entities(|| &jwt_secret::ENTITY, "")),
    Field::new("hmacauth_credentials", FieldKind::Entities(|| &hmacauth_credential::ENTITY, "")),
    Field::new("oauth2_credentials", FieldKind::Entities(|| &oauth2_credential::ENTITY, "")),
    Field::new("oauth2_tokens", FieldKind::Entities(|| &oauth2_token::ENTITY, "")),
    Field::new("acme_storage", FieldKind::Entities(|| &acme_storage::ENTITY, "")),
    Field::new("sessions", FieldKind::Entities(|| &session::ENTITY, "")),
];

/// All kinds of entities, in the order of the document.
pub(crate) fn kinds() -> impl Iterator<Item = &'static EntitySchema> {
    DOCUMENT.iter().filter_map(|field| match field.kind {
        FieldKind::Entities(entity, _) => Some(entity()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_collection_stands_under_its_own_name() {
        for field in DOCUMENT {
            if let FieldKind::Entities(entity, _) = field.kind {
                assert_eq!(field.name, entity().collection);
            }
        }
    }

    #[test]
    fn references_and_nested_entities_are_of_kinds_that_a_document_can_declare() {
        for entity in kinds() {
            for (field, target) in entity.references() {
                assert!(kinds().any(|kind| kind == target), "{} of {}", field.name, entity.collection);
            }
            for field in entity.fields {
                let FieldKind::Entities(nested, back) = field.kind else { continue };
                let reference = nested().field(back).and_then(Field::target);
                assert_eq!(reference, Some(entity), "{} of {}", field.name, entity.collection);
                assert_eq!(field.name, nested().collection);
            }
        }
    }

    #[test]
    fn names_of_entities_are_among_their_fields() {
        for entity in kinds() {
            let names = entity.name_field.into_iter().chain(entity.stable_id_field);
            for field in names.chain(entity.unique_together.iter().copied()) {
                assert!(entity.field(field.name).is_some(), "{} of {}", field.name, entity.collection);
            }
        }
    }
}
