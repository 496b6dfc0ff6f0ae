//! NOW: everything a request needs, compiled, immutable.
//!
//! A configuration becomes a [`Snapshot`]; [`LiveSnapshot`] holds the current one. A request takes it once and keeps it to
//! its last byte, so a reload never changes a request on its way.

mod balancers;
mod chains;
mod changes;
mod checker;
mod compile;
mod consumers;
mod counting;
mod destinations;
mod live;
#[cfg(test)]
mod properties;
mod reach;
mod reusable;
mod tls;

pub use changes::describe_changes;
pub use checker::SnapshotChecker;
pub use compile::{CompiledSnapshot, SnapshotCompiler};
pub use live::LiveSnapshot;
pub use tls::UpstreamTls;

use std::{sync::Arc, time::SystemTime};

use crate::{
    balancer::Balancer,
    config::ConfigOrigin,
    diag::Diagnostic,
    entity::{Entities, Route, RouteIndex, Service},
    metrics::{MetricGroups, RouteMetrics},
    plugin::{DeliveryTracker, MatchedRoute, PluginChain, Resources},
    router::{self, MatchCandidate, PriorityKey, RouteMatch, Router, RouterRequest},
    tls::CertificateTable,
    upstream::{self, TlsSettings, UpstreamTimeouts},
};

/// Everything a request needs.
#[derive(Debug)]
pub struct Snapshot {
    /// Kong's hash of the configuration that this was made from.
    pub hash: String,
    /// Counts up with every published Snapshot.
    pub generation: u64,
    /// When it was made.
    pub loaded_at: SystemTime,
    /// What the configuration declares.
    pub entities: Entities,
    /// What that was read from.
    pub origin: ConfigOrigin,
    router: Arc<Router>,
    /// What its author should know about the router.
    router_notes: Vec<Diagnostic>,
    options: router::RouterOptions,
    /// By place in [`Entities::routes`].
    steps: Vec<RouteStep>,
    /// By place in [`Entities::services`].
    destinations: Vec<Arc<Destination>>,
    global: PluginChain,
    certificates: CertificateTable,
    /// By place in [`Entities::upstreams`].
    balancers: Vec<Arc<Balancer>>,
    counted: MetricGroups,
    resources: Resources,
}

/// What happens to the requests of one Route.
#[derive(Debug)]
pub struct RouteStep {
    /// The plugins of the Route.
    pub chain: PluginChain,
    /// Where requests go that no plugin answers; none if the Route has no Service.
    pub destination: Option<Arc<Destination>>,
    /// The Route and its Service, for plugins that tell of them.
    pub matched: Arc<MatchedRoute>,
    /// Whether a request over plain HTTP is sent to https.
    pub https_only: bool,
    /// Whether requests are gRPC.
    pub grpc: bool,
    /// How requests are counted, if they are.
    pub metrics: Option<Arc<RouteMetrics>>,
}

/// A Service, as the proxy needs it.
#[derive(Debug)]
pub struct Destination {
    /// How its peers are spoken to.
    pub origin: upstream::UpstreamOrigin,
    /// How TLS is spoken with them, if it is.
    pub tls: Arc<TlsSettings>,
    /// Picks one of its peers.
    pub balancer: Arc<Balancer>,
    /// How long, and how often.
    pub limits: UpstreamTimeouts,
    /// The Host header that the upstream gets, as far as it is known before a peer is.
    pub host: http::HeaderValue,
    /// Put before the request's path; begins with `/`.
    pub path: String,
}

impl Snapshot {
    /// The Route for a request, and what happens there.
    #[must_use]
    pub fn find(&self, request: &RouterRequest<'_>) -> Option<(RouteMatch<'_>, &Route, &RouteStep)> {
        let found = self.router.find(request)?;
        let RouteIndex(route) = found.route;
        let (route, step) = self.entities.routes.get(route).zip(self.steps.get(route))?;
        Some((found, &**route, step))
    }

    /// All Routes that match a request, the one that gets it first.
    #[must_use]
    pub fn candidates(&self, request: &RouterRequest<'_>) -> Vec<(MatchCandidate<'_>, &Route, &RouteStep)> {
        let all = self.router.candidates(request).into_iter();
        all.filter_map(|candidate| {
            let RouteIndex(route) = candidate.route;
            let (route, step) = self.entities.routes.get(route).zip(self.steps.get(route))?;
            Some((candidate, &**route, step))
        })
        .collect()
    }

    /// Why a Route with the key `first` stands before one with the key `second`.
    #[must_use]
    pub fn ranking_rule(&self, first: &PriorityKey, second: &PriorityKey) -> &'static str {
        first.rule_over(second, self.options.calculation)
    }

    /// The plugins of requests that no Route takes.
    #[must_use]
    pub const fn global(&self) -> &PluginChain {
        &self.global
    }

    /// What clients of TLS listeners are shown, by the name that they ask for.
    #[must_use]
    pub const fn certificates(&self) -> &CertificateTable {
        &self.certificates
    }

    /// What picks the peers of each Upstream, by place in [`Entities::upstreams`].
    #[must_use]
    pub fn balancers(&self) -> &[Arc<Balancer>] {
        &self.balancers
    }

    /// What any plugin wants to be counted.
    #[must_use]
    pub const fn metric_groups(&self) -> MetricGroups {
        self.counted
    }

    /// How the requests of each Route are counted that are counted.
    pub fn route_metrics(&self) -> impl Iterator<Item = &RouteMetrics> {
        self.steps.iter().filter_map(|step| step.metrics.as_deref())
    }

    /// What plugins of this and all former Snapshots have still to deliver.
    #[must_use]
    pub const fn delivery_tracker(&self) -> &DeliveryTracker {
        &self.resources.outbox
    }

    /// What its plugins share with those of all Snapshots.
    #[must_use]
    pub const fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Lets every plugin forget what requests have made it remember.
    pub fn reset_plugins(&self) {
        let chains = self.steps.iter().map(|step| &step.chain).chain([&self.global]);
        for step in chains.flat_map(PluginChain::steps) {
            let overlay = step.overlay.iter().flat_map(|it| it.values());
            step.plugin.iter().chain(overlay).for_each(|plugin| plugin.forget());
        }
    }

    /// The Service of a Route.
    #[must_use]
    pub fn service(&self, route: &Route) -> Option<&Service> {
        self.entities.services.get(route.service?.0).map(|it| &**it)
    }
}
