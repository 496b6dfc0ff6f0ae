//! Effects of errors: what becomes of an entity in quarantine and of the requests that it concerns, in words.

use crate::{
    entity::{basicauth_credential, consumer, jwt_secret, keyauth_credential, route, service, upstream},
    schema::EntitySchema,
};

pub(super) const LAST_GOOD: &str = "its last good version stays in force";
pub(super) const LEFT_OUT: &str = "it is left out";
pub(super) const CREDENTIALS_BLOCKED: &str = "requests with its credentials are refused";
pub(super) const ONLY_LOGS: &str = "it is left out: it only logs";
pub(super) const DISABLED: &str = "it is left out: it is not enabled";
pub(super) const SCOPE_BLOCKED: &str = "requests of its scope are answered with 503";
pub(super) const ALL_BLOCKED: &str = "all requests are answered with 503, since its scope is unknown";
pub(super) const CONSUMER_BLOCKED: &str = "requests of its consumer are answered with 503";
pub(super) const ROUTE_BLOCKED: &str = "its requests are answered with 503";
pub(super) const SERVICE_BLOCKED: &str = "requests of its routes are answered with 503";
pub(super) const UPSTREAM_BLOCKED: &str = "requests of services that use it are answered with 503";

/// What becomes of an entity of this kind that is left out.
pub(super) fn left_out_effect(entity: &EntitySchema) -> &'static str {
    let is_of = |kinds: &[&'static EntitySchema]| kinds.contains(&entity);
    if is_of(&[&route::ENTITY]) {
        ROUTE_BLOCKED
    } else if is_of(&[&service::ENTITY]) {
        SERVICE_BLOCKED
    } else if is_of(&[&upstream::ENTITY]) {
        UPSTREAM_BLOCKED
    } else if is_of(&[
        &consumer::ENTITY,
        &keyauth_credential::ENTITY,
        &basicauth_credential::ENTITY,
        &jwt_secret::ENTITY,
    ]) {
        CREDENTIALS_BLOCKED
    } else {
        LEFT_OUT
    }
}
