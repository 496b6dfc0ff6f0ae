//! Steps of the Routes: how the requests of each are handled.

use std::sync::Arc;

use super::{Destination, RouteStep, chains::PluginInstances};
use crate::{
    entity::{Entities, Route, RouteIndex},
    plugin::{Consumers, MatchedRoute},
};

/// The steps by index of the Route.
pub(super) fn compile_steps(
    entities: &Entities,
    instances: &PluginInstances,
    consumers: &Arc<Consumers>,
    destinations: &[Arc<Destination>],
) -> Vec<RouteStep> {
    let step = |(n, route): (usize, &Arc<Route>)| RouteStep {
        matched: Arc::new(matched_route(route, entities, consumers)),
        chain: instances.of_route(RouteIndex(n), route.service),
        destination: route.service.and_then(|service| destinations.get(service.0).cloned()),
        https_only: is_of(route, &["https", "grpcs"]) && !is_of(route, &["http", "grpc"]),
        grpc: is_of(route, &["grpc", "grpcs"]),
        metrics: None,
    };
    entities.routes.iter().enumerate().map(step).collect()
}

fn is_of(route: &Route, protocols: &[&str]) -> bool {
    route.protocols.iter().any(|protocol| protocols.contains(&protocol.as_str()))
}

fn matched_route(route: &Route, entities: &Entities, consumers: &Arc<Consumers>) -> MatchedRoute {
    let service = route.service.and_then(|service| entities.services.get(service.0));
    MatchedRoute {
        route: route.id,
        route_record: route.record.clone(),
        service: service.map(|service| service.id),
        service_record: service.map(|service| service.record.clone()).unwrap_or_default(),
        consumers: consumers.clone(),
    }
}
