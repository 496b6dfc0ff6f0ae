//! Metrics of the Routes: the groups that the plugins of a chain ask for, with the counters of the previous Snapshot.

use std::{collections::HashMap, sync::Arc};

use super::RouteStep;
use crate::{
    entity::{Entities, Route},
    metrics::{MetricGroups, RouteCounters, RouteMetrics},
    plugin::PluginChain,
};

/// Counters of the last Snapshot, by the names of Service and Route.
#[derive(Debug, Default)]
pub(super) struct KeptCounters(HashMap<(String, String), Arc<RouteCounters>>);

impl KeptCounters {
    /// Sets the metrics of each Route whose plugins ask for some. Counters of removed Routes are dropped. Also returns the
    /// groups of metrics that any plugin asks for, including plugins for requests without a Route.
    pub(super) fn next(
        &self,
        entities: &Entities,
        steps: &mut [RouteStep],
        global: &PluginChain,
    ) -> (Self, MetricGroups) {
        let mut next = HashMap::new();
        let mut all = global.metric_groups();
        for (route, step) in entities.routes.iter().zip(steps) {
            let groups = step.chain.metric_groups();
            all = all.union(groups);
            if !groups.counts_requests() {
                continue;
            }
            let names = metric_names(entities, route);
            // Of two Routes with the same names, the first one keeps the counters.
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

/// Names of Service and Route in metrics. (Kong: Prometheus plugin: a name, else the host or the id.)
fn metric_names(entities: &Entities, route: &Route) -> (String, String) {
    let service = route.service.and_then(|index| entities.services.get(index.0));
    let service = service.map(|service| service.name.clone().unwrap_or_else(|| service.host.clone()));
    (service.unwrap_or_default(), route.name.clone().unwrap_or_else(|| route.id.to_string()))
}
