//! Snapshot: a compiled, immutable configuration with everything that a request needs.
//!
//! A configuration is compiled to a [`Snapshot`]; [`LiveSnapshot`] holds the current one. A request takes it once and keeps
//! it to its last byte, so a reload never changes a request in progress.

mod balancers;
mod chains;
mod changes;
mod checker;
mod compile;
mod consumers;
mod destinations;
mod fences;
mod input_files;
mod live;
#[cfg(test)]
mod properties;
mod reusable;
mod route_metrics;
mod routing;
mod steps;
mod tls;
mod unreachable_plugins;

pub use changes::describe_changes;
pub use checker::SnapshotChecker;
pub use compile::{CompiledSnapshot, SnapshotCompiler};
pub use live::LiveSnapshot;
pub use tls::UpstreamTls;

use fences::Fences;

use std::{sync::Arc, time::SystemTime};

use http::StatusCode;

use crate::{
    balancer::Balancer,
    config::{self, ConfigOrigin, QuarantinedEntity},
    diag::{Diagnostic, SourceFile},
    entity::{Entities, Route, RouteIndex, Service},
    metrics::{MetricGroups, RouteMetrics},
    plugin::{DeliveryTracker, MatchedRoute, PluginChain, Resources},
    router::{self, MatchCandidate, PriorityKey, RouteMatch, Router, RouterRequest},
    tls::CertificateTable,
    upstream::{self, TlsSettings, UpstreamTimeouts},
};

/// Compiled configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Kong's hash of the configuration.
    pub hash: String,
    /// Number of the Snapshot, which increases with every published one.
    pub generation: u64,
    /// Time of compilation.
    pub loaded_at: SystemTime,
    /// Entities of the configuration.
    pub entities: Entities,
    /// Document that the entities were read from.
    pub origin: ConfigOrigin,
    router: Arc<Router>,
    /// Warnings about the Routes.
    router_warnings: Vec<Diagnostic>,
    options: router::RouterOptions,
    /// By index in [`Entities::routes`].
    steps: Vec<RouteStep>,
    /// By index in [`Entities::services`].
    destinations: Vec<Arc<Destination>>,
    global: PluginChain,
    certificates: CertificateTable,
    /// By index in [`Entities::upstreams`].
    balancers: Vec<Arc<Balancer>>,
    metric_groups: MetricGroups,
    resources: Resources,
    /// Routes whose requests are refused, if there are any.
    fences: Option<Fences>,
    /// Entities that were kept out of the configuration.
    quarantined: Vec<QuarantinedEntity>,
}

/// How the requests of one Route are handled.
#[derive(Debug)]
pub struct RouteStep {
    /// The plugins of the Route.
    pub chain: PluginChain,
    /// Destination of requests that no plugin answers; `None` if the Route has no Service.
    pub destination: Option<Arc<Destination>>,
    /// The Route and its Service, for plugins that log them.
    pub matched: Arc<MatchedRoute>,
    /// Whether requests over plain HTTP are redirected to https.
    pub https_only: bool,
    /// Whether requests are gRPC.
    pub grpc: bool,
    /// Metrics of the requests, if plugins ask for some.
    pub metrics: Option<Arc<RouteMetrics>>,
}

/// Destination of requests: a Service, compiled.
#[derive(Debug)]
pub struct Destination {
    /// Scheme, host and protocol version.
    pub origin: upstream::UpstreamOrigin,
    /// TLS settings, if the scheme has TLS.
    pub tls: Arc<TlsSettings>,
    /// TLS settings with the other answer to whether certificates are verified, for plugins that choose.
    other_tls: destinations::OtherTls,
    /// Picks one of its peers.
    pub balancer: Arc<Balancer>,
    /// Timeouts and retries.
    pub limits: UpstreamTimeouts,
    /// Host header of upstream requests, as far as it is known before a peer is picked.
    pub host: http::HeaderValue,
    /// Path before the request's path; begins with `/`.
    pub path: String,
}

impl Snapshot {
    /// The Route that a request matches, and how its requests are handled.
    #[must_use]
    pub fn find(&self, request: &RouterRequest<'_>) -> Option<(RouteMatch<'_>, &Route, &RouteStep)> {
        let found = self.router.find(request)?;
        let RouteIndex(route) = found.route;
        let (route, step) = self.entities.routes.get(route).zip(self.steps.get(route))?;
        Some((found, &**route, step))
    }

    /// The Route that a request matches, or the status and the message with which it is refused: 404 and `no_route`, or 503
    /// if the request would have gone to a Route in quarantine.
    pub fn find_or_refuse<'a>(
        &'a self,
        request: &RouterRequest<'_>,
        no_route: &'a str,
    ) -> Result<(RouteMatch<'a>, &'a Route, &'a RouteStep), (StatusCode, &'a str)> {
        if let Some(message) = self.refusal(request) {
            return Err((StatusCode::SERVICE_UNAVAILABLE, message));
        }
        self.find(request).ok_or((StatusCode::NOT_FOUND, no_route))
    }

    /// The message for a client whose request would have gone to a Route in quarantine.
    #[must_use]
    pub fn refusal(&self, request: &RouterRequest<'_>) -> Option<&str> {
        self.fences.as_ref()?.find(request, &self.router)
    }

    /// Entities that were kept out of the configuration.
    #[must_use]
    pub fn quarantined(&self) -> &[QuarantinedEntity] {
        &self.quarantined
    }

    /// Moves the errors of entities in quarantine to the files of a configuration in several files.
    pub fn relocate_quarantined(&mut self, source: &SourceFile) {
        let mut errors: Vec<Diagnostic> =
            self.quarantined.iter().map(|entity| entity.error.clone()).collect();
        config::relocate(source, &mut errors);
        for (entity, error) in self.quarantined.iter_mut().zip(errors) {
            entity.error = error;
        }
    }

    /// All Routes that match a request, by falling priority.
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

    /// The rule by which a Route with the key `first` ranks before one with the key `second`.
    #[must_use]
    pub fn ranking_rule(&self, first: &PriorityKey, second: &PriorityKey) -> &'static str {
        first.rule_over(second, self.options.calculation)
    }

    /// The plugins of requests without a Route.
    #[must_use]
    pub const fn global(&self) -> &PluginChain {
        &self.global
    }

    /// Certificates of TLS listeners, by server name.
    #[must_use]
    pub const fn certificates(&self) -> &CertificateTable {
        &self.certificates
    }

    /// Balancers of the Upstreams, by index in [`Entities::upstreams`].
    #[must_use]
    pub fn balancers(&self) -> &[Arc<Balancer>] {
        &self.balancers
    }

    /// Groups of metrics that any plugin asks for.
    #[must_use]
    pub const fn metric_groups(&self) -> MetricGroups {
        self.metric_groups
    }

    /// Metrics of the Routes that have some.
    pub fn route_metrics(&self) -> impl Iterator<Item = &RouteMetrics> {
        self.steps.iter().filter_map(|step| step.metrics.as_deref())
    }

    /// Pending deliveries of the plugins of this and all earlier Snapshots.
    #[must_use]
    pub const fn delivery_tracker(&self) -> &DeliveryTracker {
        &self.resources.deliveries
    }

    /// Resources that the plugins of all Snapshots share.
    #[must_use]
    pub const fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Resets the state that requests have caused in plugins.
    pub fn reset_plugins(&self) {
        let chains = self.steps.iter().map(|step| &step.chain).chain([&self.global]);
        for step in chains.flat_map(PluginChain::steps) {
            let consumer_overrides =
                step.consumer_overrides.iter().flat_map(|consumer_overrides| consumer_overrides.values());
            step.plugin.iter().chain(consumer_overrides).for_each(|plugin| plugin.reset_state());
        }
    }

    /// The Service of a Route.
    #[must_use]
    pub fn service(&self, route: &Route) -> Option<&Service> {
        self.entities.services.get(route.service?.0).map(|service| &**service)
    }
}
