//! Router of a Snapshot: reused if the Routes are unchanged, and warnings about the Routes.

use std::sync::Arc;

use super::Snapshot;
use crate::{
    config,
    diag::Diagnostic,
    entity::{Entities, Route},
    router::{self, MatchFlavor, PriorityCalculation, Router},
};

/// Builds the router, or reuses the previous one if the Routes are unchanged; also returns its diagnostics.
pub(super) fn build_router(
    entities: &Entities,
    options: router::RouterOptions,
    before: &Snapshot,
) -> (Arc<Router>, Vec<Diagnostic>) {
    if has_same_routes(&before.entities, entities) {
        return (before.router.clone(), before.router_warnings.clone());
    }
    let (router, diagnostics) = Router::new(&entities.routes, &|route| is_enabled(route, entities), options);
    (Arc::new(router), diagnostics)
}

/// Whether the Service of a Route, if it has one, is enabled.
fn is_enabled(route: &Route, entities: &Entities) -> bool {
    route
        .service
        .is_none_or(|service| entities.services.get(service.0).is_some_and(|service| service.enabled))
}

/// Warnings about probable mistakes in a valid configuration.
pub(super) fn lint(entities: &Entities, options: router::RouterOptions) -> Vec<Diagnostic> {
    let mut warnings = config::lint(entities);
    let enabled = |route: &Route| is_enabled(route, entities);
    warnings.extend(router::shadowed(&entities.routes, &enabled, options));
    if options.flavor == MatchFlavor::TraditionalCompatible
        && options.calculation == PriorityCalculation::Original
    {
        warnings.extend(router::conflicts(&entities.routes, &enabled));
    }
    warnings
}

/// Whether both configurations have the same Routes, enabled by the same Services.
fn has_same_routes(before: &Entities, now: &Entities) -> bool {
    let same_routes = before.routes.iter().zip(&now.routes).all(|(before, now)| Arc::ptr_eq(before, now));
    let same_services =
        before.services.iter().zip(&now.services).all(|(before, now)| before.enabled == now.enabled);
    // A Service that is added at the end belongs to none of the previous Routes.
    same_routes && same_services && before.routes.len() == now.routes.len()
}
