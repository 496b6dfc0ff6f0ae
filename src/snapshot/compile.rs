//! Configurations become Snapshots: the router, a chain of plugins per Route, and where its requests go.

use std::{
    cell::RefCell, collections::HashMap, path::PathBuf, sync::Arc, thread::ScopedJoinHandle, time::SystemTime,
};

use uuid::Uuid;

use super::{
    Destination, RouteStep, Snapshot, SnapshotChecker, UpstreamTls,
    balancers::Balancers,
    chains::PluginInstances,
    consumers, destinations, reach,
    reusable::{CompiledPlugin, Reusable, ReusablePlugin},
    tls,
};
use crate::{
    config::{self, Config, ConfigOrigin, EMPTY_HASH},
    diag::Diagnostic,
    entity::{Entities, PluginEntity as Entry, Route, RouteIndex, Upstream},
    file_read::FileReader,
    metrics::MetricGroups,
    plugin::{
        self, BundledPlugins, Consumers, EnabledPlugins, MatchedRoute, PluginChain, PluginSetup, Resources,
    },
    router::{self, MatchFlavor, PriorityCalculation, Router},
    tls::CertificateTable,
    upstream::TlsSettings,
};

/// Makes Snapshots, and keeps what the next one can use again.
#[derive(Debug)]
pub struct SnapshotCompiler {
    specs: PathBuf,
    options: router::RouterOptions,
    generation: u64,
    /// Of the Snapshot that is current, and of no other: what was compiled and not adopted leaves no trace.
    reusable: Reusable,
    named: Vec<PathBuf>,
    upstream_tls: UpstreamTls,
    resources: Resources,
    enabled: EnabledPlugins,
}

/// A Snapshot, and what came to light while it was made.
#[derive(Debug)]
pub struct CompiledSnapshot {
    /// The Snapshot.
    pub snapshot: Snapshot,
    /// What the author should know.
    pub warnings: Vec<Diagnostic>,
    /// The files beside the configuration that it was made from.
    pub files: Vec<PathBuf>,
    pub(super) reusable: Reusable,
}

impl SnapshotCompiler {
    /// Looks at single records as this does.
    #[must_use]
    pub const fn checker(&self) -> SnapshotChecker {
        SnapshotChecker::new(self.options)
    }

    /// Makes Snapshots whose plugins find their files in `specs`.
    #[must_use]
    pub fn new(specs: PathBuf, options: router::RouterOptions) -> Self {
        Self {
            specs,
            options,
            generation: 0,
            reusable: Reusable::default(),
            named: Vec::new(),
            upstream_tls: UpstreamTls::default(),
            resources: Resources::default(),
            enabled: EnabledPlugins::ALL,
        }
    }

    /// Speaks TLS with upstreams like this, where their Service does not say.
    #[must_use]
    pub fn with_upstream_tls(self, upstream_tls: UpstreamTls) -> Self {
        Self { upstream_tls, ..self }
    }

    /// Lets its plugins use these resources.
    #[must_use]
    pub fn with_resources(self, resources: Resources) -> Self {
        Self { resources, ..self }
    }

    /// The files beside the last configuration that it names, whether it could be used or not.
    #[must_use]
    pub fn referenced_files(&self) -> &[PathBuf] {
        &self.named
    }

    /// Reads no other plugins than these.
    #[must_use]
    pub fn with_plugins(self, enabled: EnabledPlugins) -> Self {
        Self { enabled, ..self }
    }

    /// The plugins that it reads, and whether routes may be expressions.
    #[must_use]
    pub const fn plugins(&self) -> BundledPlugins {
        BundledPlugins {
            expressions: matches!(self.options.flavor, MatchFlavor::Expressions),
            enabled: self.enabled,
        }
    }

    /// The files beside the configuration that the current Snapshot was made from.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.reusable.plugins.values().flat_map(|kept| &kept.made.files).map(|(path, _)| path)
    }

    /// Whether a file that the current Snapshot was made from says something else by now.
    #[must_use]
    pub fn is_outdated(&self, reader: &FileReader) -> bool {
        let mut files = self.reusable.plugins.values().flat_map(|kept| &kept.made.files);
        files.any(|(path, hash)| plugin::file_hash(path, reader).unwrap_or_default() != *hash)
    }

    /// Takes note that this becomes the current configuration: what it shares with the next one is used again.
    pub fn adopt(&mut self, compiled: &mut CompiledSnapshot) {
        self.reusable = std::mem::take(&mut compiled.reusable);
        self.generation = compiled.snapshot.generation;
    }

    /// The Snapshot of a configuration that declares nothing.
    #[must_use]
    pub fn empty(&self) -> Snapshot {
        let none: [Route; 0] = [];
        let (router, _) = Router::new(&none, &|_| true, self.options);
        Snapshot {
            hash: EMPTY_HASH.to_owned(),
            generation: 0,
            loaded_at: SystemTime::now(),
            entities: Entities::default(),
            origin: ConfigOrigin::default(),
            router: Arc::new(router),
            router_notes: Vec::new(),
            options: self.options,
            steps: Vec::new(),
            destinations: Vec::new(),
            global: PluginChain::default(),
            certificates: CertificateTable::default(),
            balancers: Vec::new(),
            counted: MetricGroups::default(),
            resources: self.resources.clone(),
        }
    }

    /// Makes a Snapshot, which becomes current once it is [adopted](Self::adopt) and published; what it shares with the
    /// one before is that one's. `advise` says that its author wants to be told of what looks like a mistake and can be
    /// used.
    ///
    /// # Errors
    /// Everything that keeps the configuration from being used, at its place.
    pub fn compile(
        &mut self,
        config: Config,
        before: &Snapshot,
        advise: bool,
        reader: &FileReader,
    ) -> Result<CompiledSnapshot, Vec<Diagnostic>> {
        let Config { entities, mut warnings, hash, origin } = config;
        let (options, all) = (self.options, &entities);
        // What needs no plugin is made beside them.
        let (parts, routing, found) = std::thread::scope(|scope| {
            let routing = scope.spawn(|| router_of(all, options, before));
            let found = advise.then(|| scope.spawn(|| advice(all, options)));
            let parts = self.parts(all, before, reader);
            (parts, joined(routing), found.map(joined))
        });
        let (router, complaints) = routing;
        let (wrong, router_notes): (Vec<_>, Vec<_>) = complaints.into_iter().partition(Diagnostic::is_error);
        let mut errors = parts.errors;
        errors.extend(wrong);
        warnings.extend(parts.warnings);
        warnings.extend(router_notes.iter().cloned());
        warnings.extend(found.into_iter().flatten());
        if !errors.is_empty() {
            errors.extend(warnings);
            return Err(errors);
        }
        let balancers = parts.balancers.of(&entities);
        let mut steps = parts.steps;
        let (counters, counted) = self.reusable.counters.next(&entities, &mut steps, &parts.global);
        let reusable =
            Reusable { plugins: parts.plugins, balancers: parts.balancers, counters, tls: parts.tls };
        let snapshot = Snapshot {
            hash,
            generation: self.generation + 1,
            loaded_at: SystemTime::now(),
            entities,
            origin,
            router,
            router_notes,
            options,
            steps,
            destinations: parts.destinations,
            global: parts.global,
            certificates: parts.certificates,
            balancers,
            counted,
            resources: self.resources.clone(),
        };
        Ok(CompiledSnapshot { snapshot, warnings, files: parts.files, reusable })
    }

    /// Everything but the router.
    fn parts(&mut self, entities: &Entities, before: &Snapshot, reader: &FileReader) -> SnapshotParts {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let mut plugins = HashMap::new();
        let mut instances = PluginInstances::default();
        let (consumers, notes) = consumers::index(&entities.consumers);
        let consumers = Arc::new(consumers);
        let (wrong, notes): (Vec<_>, Vec<_>) = notes.into_iter().partition(Diagnostic::is_error);
        errors.extend(wrong);
        warnings.extend(notes);
        let mut files = Vec::new();
        self.named.clear();
        // An instance without a protocol sees no request.
        for entry in entities.plugins.iter().filter(|entry| entry.enabled && !entry.protocols.is_empty()) {
            let Some(def) = plugin::find(&entry.name) else { continue };
            warnings.extend(unknown_anonymous(entry, &consumers));
            match self.plugin(entry, def, reader) {
                Ok(made) => {
                    warnings.extend(made.warnings.iter().cloned());
                    warnings.extend(reach::out_of_reach(entry, &*made.plugin, &entities.routes));
                    files.extend(made.files.iter().map(|(path, _)| path.clone()));
                    instances.add(entry.scope, def, made.plugin.clone());
                    plugins.insert(entry.id, ReusablePlugin { entry: entry.clone(), made });
                }
                Err(complaints) => errors.extend(complaints),
            }
        }
        files.sort_unstable();
        files.dedup();
        let (certificates, complaints) = tls::LoadedCertificates::new(entities);
        let (wrong, notes): (Vec<_>, Vec<_>) = complaints.into_iter().partition(Diagnostic::is_error);
        errors.extend(wrong);
        warnings.extend(notes);
        let check_tls = |it: &Upstream| certificates.check_settings(it, &self.upstream_tls);
        let balancers = self.reusable.balancers.next(entities, check_tls);
        let tls = certificates.upstream_settings(entities, &self.upstream_tls, &self.reusable.tls);
        let destinations = destinations::of(entities, &balancers.of(entities), &tls, before);
        let steps = steps(entities, &instances, &consumers, &destinations);
        let (global, certificates) = (instances.global(), certificates.by_name(&entities.snis));
        SnapshotParts {
            errors,
            warnings,
            files,
            plugins,
            balancers,
            tls,
            destinations,
            steps,
            global,
            certificates,
        }
    }

    fn plugin(
        &mut self,
        entry: &Entry,
        def: &plugin::PluginDef,
        reader: &FileReader,
    ) -> Result<CompiledPlugin, Vec<Diagnostic>> {
        if let Some(kept) = self.reusable.plugins.get(&entry.id)
            && kept.entry.name == entry.name
            && kept.entry.config == entry.config
            // What was said about it names the place where it stood.
            && (kept.entry.at == entry.at || kept.made.warnings.is_empty())
            && kept.made.files.iter().all(|(path, hash)| plugin::file_hash(path, reader) == Some(*hash))
        {
            return Ok(kept.made.clone());
        }
        let (files, warnings) = (RefCell::default(), RefCell::default());
        let at = entry.at.key("config");
        let setup = PluginSetup {
            id: entry.id,
            config: &entry.config,
            at,
            specs: &self.specs,
            warnings: &warnings,
            files: &files,
            resources: &self.resources,
            reader,
        };
        let plugin = (def.compile)(&setup);
        self.named.extend(files.borrow().iter().map(|(path, _)| path.clone()));
        Ok(CompiledPlugin { plugin: plugin?, files: files.into_inner(), warnings: warnings.into_inner() })
    }
}

/// What a thread made; where it panics, so does this one.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What a configuration becomes besides its router.
struct SnapshotParts {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    files: Vec<PathBuf>,
    plugins: HashMap<Uuid, ReusablePlugin>,
    balancers: Balancers,
    tls: Vec<Arc<TlsSettings>>,
    destinations: Vec<Arc<Destination>>,
    steps: Vec<RouteStep>,
    global: PluginChain,
    certificates: CertificateTable,
}

/// The router of a configuration, that of the one before if its Routes are the same, and what is to be said about it.
fn router_of(
    entities: &Entities,
    options: router::RouterOptions,
    before: &Snapshot,
) -> (Arc<Router>, Vec<Diagnostic>) {
    if asks_the_same(&before.entities, entities) {
        return (before.router.clone(), before.router_notes.clone());
    }
    let (router, complaints) = Router::new(&entities.routes, &|route| takes_part(route, entities), options);
    (Arc::new(router), complaints)
}

/// Whether the Service of a Route, if it has one, is enabled.
fn takes_part(route: &Route, entities: &Entities) -> bool {
    route.service.is_none_or(|service| entities.services.get(service.0).is_some_and(|it| it.enabled))
}

/// What looks like a mistake in a configuration that can be used.
fn advice(entities: &Entities, options: router::RouterOptions) -> Vec<Diagnostic> {
    let mut found = config::lint(entities);
    let enabled = |route: &Route| takes_part(route, entities);
    found.extend(router::shadowed(&entities.routes, &enabled, options));
    if options.flavor == MatchFlavor::TraditionalCompatible
        && options.calculation == PriorityCalculation::Original
    {
        found.extend(router::conflicts(&entities.routes, &enabled));
    }
    found
}

/// Whether the Routes that take part ask for the same in both configurations.
fn asks_the_same(before: &Entities, now: &Entities) -> bool {
    let same_routes = before.routes.iter().zip(&now.routes).all(|(before, now)| Arc::ptr_eq(before, now));
    let same_services =
        before.services.iter().zip(&now.services).all(|(before, now)| before.enabled == now.enabled);
    // A Service that is new at the end is that of no Route which was there.
    same_routes && same_services && before.routes.len() == now.routes.len()
}

fn steps(
    entities: &Entities,
    instances: &PluginInstances,
    consumers: &Arc<Consumers>,
    destinations: &[Arc<Destination>],
) -> Vec<RouteStep> {
    let step = |(n, route): (usize, &Arc<Route>)| RouteStep {
        matched: Arc::new(matched(route, entities, consumers)),
        chain: instances.of_route(RouteIndex(n), route.service),
        destination: route.service.and_then(|service| destinations.get(service.0).cloned()),
        https_only: is_of(route, &["https", "grpcs"]) && !is_of(route, &["http", "grpc"]),
        grpc: is_of(route, &["grpc", "grpcs"]),
        metrics: None,
    };
    entities.routes.iter().enumerate().map(step).collect()
}

fn is_of(route: &Route, protocols: &[&str]) -> bool {
    route.protocols.iter().any(|it| protocols.contains(&it.as_str()))
}

fn matched(route: &Route, entities: &Entities, consumers: &Arc<Consumers>) -> MatchedRoute {
    let service = route.service.and_then(|service| entities.services.get(service.0));
    MatchedRoute {
        route: route.id,
        route_record: route.record.clone(),
        service: service.map(|it| it.id),
        service_record: service.map(|it| it.record.clone()).unwrap_or_default(),
        consumers: consumers.clone(),
    }
}

/// Plugins that find out who comes, or run before, cannot depend on it.
fn unknown_anonymous(entry: &Entry, consumers: &Consumers) -> Option<Diagnostic> {
    let name = entry.config.get("anonymous")?.as_str().filter(|name| consumers.named(name).is_none())?;
    let message = format!("no consumer has the id or username '{name}'");
    let help = "requests without a valid credential will be answered with 500";
    Some(Diagnostic::warning(entry.at.key("config").key("anonymous"), message).help(help))
}
