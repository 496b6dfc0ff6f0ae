//! What is counted of the requests of each Route: what the plugins of its chain want, in the counters of before.

use std::{collections::HashMap, sync::Arc};

use super::RouteStep;
use crate::{
    entity::{Entities, Route},
    metrics::{MetricGroups, RouteCounters, RouteMetrics},
    plugin::PluginChain,
};

/// The counters of the last Snapshot, by the names of Service and Route.
#[derive(Debug, Default)]
pub(super) struct KeptCounters(HashMap<(String, String), Arc<RouteCounters>>);

impl KeptCounters {
    /// Gives each Route that is to be counted its counters; those of Routes that are gone are forgotten. What any
    /// plugin wants to be counted is returned, also of those that only see requests without a Route.
    pub(super) fn next(
        &self,
        entities: &Entities,
        steps: &mut [RouteStep],
        global: &PluginChain,
    ) -> (Self, MetricGroups) {
        let mut next = HashMap::new();
        let mut all = global.counts();
        for (route, step) in entities.routes.iter().zip(steps) {
            let groups = step.chain.counts();
            all = all.and(groups);
            if !groups.counts_requests() {
                continue;
            }
            let names = names(entities, route);
            // Of two Routes that are called the same, the first one goes on.
            let before = self.0.get(&names).filter(|_| !next.contains_key(&names));
            let counters = before.cloned().unwrap_or_else(|| {
                let (service, route) = names.clone();
                Arc::new(RouteCounters::new(service, route))
            });
            next.insert(names, Arc::clone(&counters));
            step.metrics = Some(Arc::new(RouteMetrics::new(groups, counters, entities.consumers.len())));
        }
        (Self(next), all)
    }
}

/// What Service and Route are called in metrics. (Kong: Prometheus plugin: a name, else the host or the id.)
fn names(entities: &Entities, route: &Route) -> (String, String) {
    let service = route.service.and_then(|it| entities.services.get(it.0));
    let service = service.map(|it| it.name.clone().unwrap_or_else(|| it.host.clone()));
    (service.unwrap_or_default(), route.name.clone().unwrap_or_else(|| route.id.to_string()))
}
