//! Compiler of configurations to Snapshots: the router, and a plugin chain and a destination per Route.

use std::{
    cell::RefCell, collections::HashMap, path::PathBuf, sync::Arc, thread::ScopedJoinHandle, time::SystemTime,
};

use uuid::Uuid;

use super::{
    Destination, RouteStep, Snapshot, SnapshotChecker, UpstreamTls,
    balancers::Balancers,
    chains::PluginInstances,
    consumers,
    destinations::compile_destinations,
    fences::Fences,
    reusable::{CompiledPlugin, Reusable, ReusablePlugin},
    routing,
    steps::compile_steps,
    tls,
    unreachable_plugins::unreachable_plugin,
};
use crate::{
    config::{Config, ConfigOrigin, EMPTY_HASH, Quarantine, ScopeBlock},
    diag::{Diagnostic, MarkedPart},
    document::NodePath,
    entity::{self, Entities, PluginEntity, PluginScope, Route, Service, Upstream},
    file_read::FileReader,
    metrics::MetricGroups,
    plugin::{
        self, ANONYMOUS, BundledPlugins, Consumers, EnabledPlugins, Plugin, PluginChain, PluginSetup,
        Resources,
    },
    router::{self, MatchFlavor, Router},
    tls::CertificateTable,
    upstream::TlsSettings,
};

/// Compiler of Snapshots, which keeps the parts that the next one can reuse.
#[derive(Debug)]
pub struct SnapshotCompiler {
    /// Folder of files that plugins name by relative paths.
    pub(super) specs: PathBuf,
    options: router::RouterOptions,
    generation: u64,
    /// Parts of the current Snapshot; a compiled Snapshot that is not adopted leaves none.
    pub(super) reusable: Reusable,
    /// Files that the last configuration names.
    pub(super) referenced_files: Vec<PathBuf>,
    /// Errors that the last compilation found in files that a plugin names, with the path of the plugin.
    misplaced_errors: Vec<(NodePath, Vec<Diagnostic>)>,
    upstream_tls: UpstreamTls,
    resources: Resources,
    enabled: EnabledPlugins,
}

/// Compiled Snapshot, with its warnings and files.
#[derive(Debug)]
pub struct CompiledSnapshot {
    /// The Snapshot.
    pub snapshot: Snapshot,
    /// Warnings for the author of the configuration.
    pub warnings: Vec<Diagnostic>,
    /// Files besides the configuration that it was compiled from.
    pub files: Vec<PathBuf>,
    pub(super) reusable: Reusable,
}

impl SnapshotCompiler {
    /// A checker of single records with the options of this compiler.
    #[must_use]
    pub const fn checker(&self) -> SnapshotChecker {
        SnapshotChecker::new(self.options)
    }

    /// A compiler whose plugins find their files in the folder `specs`.
    #[must_use]
    pub fn new(specs: PathBuf, options: router::RouterOptions) -> Self {
        Self {
            specs,
            options,
            generation: 0,
            reusable: Reusable::default(),
            referenced_files: Vec::new(),
            misplaced_errors: Vec::new(),
            upstream_tls: UpstreamTls::default(),
            resources: Resources::default(),
            enabled: EnabledPlugins::ALL,
        }
    }

    /// The compiler with these TLS settings for upstreams whose Service has none.
    #[must_use]
    pub fn with_upstream_tls(self, upstream_tls: UpstreamTls) -> Self {
        Self { upstream_tls, ..self }
    }

    /// The compiler with these resources for plugins.
    #[must_use]
    pub fn with_resources(self, resources: Resources) -> Self {
        Self { resources, ..self }
    }

    /// Moves the errors that the last compilation found in files to the plugins that name these.
    #[must_use]
    pub fn errors_at_entities(&self, errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let move_error = |error: Diagnostic| {
            let holder = self.misplaced_errors.iter().find(|(_, found)| found.contains(&error));
            match (holder, &error.file) {
                (Some((at, _)), Some(file)) => {
                    let message = format!("{}: {}", file.name, error.message);
                    Diagnostic { file: None, path: at.clone(), mark: MarkedPart::Record, message, ..error }
                }
                _ => error,
            }
        };
        errors.into_iter().map(move_error).collect()
    }

    /// The compiler with these plugins only.
    #[must_use]
    pub fn with_plugins(self, enabled: EnabledPlugins) -> Self {
        Self { enabled, ..self }
    }

    /// The known plugins, and whether Routes may be expressions.
    #[must_use]
    pub const fn plugins(&self) -> BundledPlugins {
        BundledPlugins {
            expressions: matches!(self.options.flavor, MatchFlavor::Expressions),
            enabled: self.enabled,
        }
    }

    /// Runs compilations whose results are not published: the files that the last configuration names stay as they are.
    pub fn try_out<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        let kept = (self.referenced_files.clone(), self.misplaced_errors.clone());
        let result = compile(self);
        (self.referenced_files, self.misplaced_errors) = kept;
        result
    }

    /// Makes a compiled Snapshot the current one, whose parts the next one reuses.
    pub fn adopt(&mut self, compiled: &mut CompiledSnapshot) {
        self.reusable = std::mem::take(&mut compiled.reusable);
        self.generation = compiled.snapshot.generation;
    }

    /// The Snapshot of an empty configuration.
    #[must_use]
    pub fn empty(&self) -> Snapshot {
        let no_routes: [Route; 0] = [];
        let (router, _) = Router::new(&no_routes, &|_| true, self.options);
        Snapshot {
            hash: EMPTY_HASH.to_owned(),
            generation: 0,
            loaded_at: SystemTime::now(),
            entities: Entities::default(),
            origin: ConfigOrigin::default(),
            router: Arc::new(router),
            router_warnings: Vec::new(),
            options: self.options,
            steps: Vec::new(),
            destinations: Vec::new(),
            global: PluginChain::default(),
            certificates: CertificateTable::default(),
            balancers: Vec::new(),
            metric_groups: MetricGroups::default(),
            resources: self.resources.clone(),
            fences: None,
            quarantined: Vec::new(),
        }
    }

    /// Compiles a Snapshot, which becomes current once it is [adopted](Self::adopt) and published. Unchanged parts are
    /// shared with the previous one, `before`. `advise` adds warnings about probable mistakes in a valid configuration.
    ///
    /// # Errors
    /// All errors in the configuration, and its warnings.
    pub fn compile(
        &mut self,
        config: Config,
        before: &Snapshot,
        advise: bool,
        reader: &FileReader,
    ) -> Result<CompiledSnapshot, Vec<Diagnostic>> {
        let Config { entities, mut warnings, hash, origin, quarantine } = config;
        let (options, all) = (self.options, &entities);
        // The router and the lints need no plugin, so they run on other threads meanwhile.
        let (parts, routing, advice) = std::thread::scope(|scope| {
            let routing = scope.spawn(|| routing::build_router(all, options, before));
            let advice = advise.then(|| scope.spawn(|| routing::lint(all, options)));
            let parts = self.compile_parts(all, &quarantine, before, reader);
            (parts, join(routing), advice.map(join))
        });
        let (router, diagnostics) = routing;
        let (router_errors, router_warnings): (Vec<_>, Vec<_>) =
            diagnostics.into_iter().partition(Diagnostic::is_error);
        let mut errors = parts.errors;
        errors.extend(router_errors);
        warnings.extend(parts.warnings);
        warnings.extend(router_warnings.iter().cloned());
        warnings.extend(advice.into_iter().flatten());
        if !errors.is_empty() {
            errors.extend(warnings);
            return Err(errors);
        }
        let balancers = parts.balancers.by_index(&entities);
        let mut steps = parts.steps;
        let (counters, metric_groups) = self.reusable.counters.next(&entities, &mut steps, &parts.global);
        let reusable =
            Reusable { plugins: parts.plugins, balancers: parts.balancers, counters, tls: parts.tls };
        let fences = Fences::new(&quarantine.fences, &entities.routes, options);
        let snapshot = Snapshot {
            hash,
            generation: self.generation + 1,
            loaded_at: SystemTime::now(),
            entities,
            origin,
            router,
            router_warnings,
            options,
            steps,
            destinations: parts.destinations,
            global: parts.global,
            certificates: parts.certificates,
            balancers,
            metric_groups,
            resources: self.resources.clone(),
            fences,
            quarantined: quarantine.entities,
        };
        Ok(CompiledSnapshot { snapshot, warnings, files: parts.files, reusable })
    }

    /// Compiles everything except the router.
    fn compile_parts(
        &mut self,
        entities: &Entities,
        quarantine: &Quarantine,
        before: &Snapshot,
        reader: &FileReader,
    ) -> SnapshotParts {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let mut plugins = HashMap::new();
        let mut instances = PluginInstances::default();
        let (consumers, diagnostics) = consumers::index(&entities.consumers, &quarantine.credentials);
        let consumers = Arc::new(consumers);
        split_diagnostics(diagnostics, &mut errors, &mut warnings);
        let mut files = Vec::new();
        self.referenced_files.clear();
        self.misplaced_errors.clear();
        for entry in entities.plugins.iter().filter(|entry| entry.enabled && entry.sees_requests()) {
            let Some(def) = plugin::find(&entry.name) else { continue };
            warnings.extend(check_anonymous(entry, &consumers));
            match self.compile_plugin(entry, def, reader) {
                Ok(compiled) => {
                    warnings.extend(compiled.warnings.iter().cloned());
                    warnings.extend(unreachable_plugin(entry, &*compiled.plugin, &entities.routes));
                    warnings.extend(check_rewrite(entry, &*compiled.plugin));
                    files.extend(compiled.files.iter().map(|(path, _)| path.clone()));
                    instances.add(entry.scope, def, compiled.plugin.clone());
                    plugins.insert(entry.id, ReusablePlugin { entity: entry.clone(), compiled });
                }
                Err(diagnostics) => {
                    if diagnostics.iter().any(|diagnostic| diagnostic.file.is_some()) {
                        self.misplaced_errors.push((entry.at.clone(), diagnostics.clone()));
                    }
                    errors.extend(diagnostics);
                }
            }
        }
        for ScopeBlock { plugin, scope } in &quarantine.blocks {
            instances.block(*scope, plugin);
        }
        files.sort_unstable();
        files.dedup();
        let (certificates, diagnostics) = tls::LoadedCertificates::new(entities);
        split_diagnostics(diagnostics, &mut errors, &mut warnings);
        let check_tls = |upstream: &Upstream| certificates.check_settings(upstream, &self.upstream_tls);
        let balancers = self.reusable.balancers.next(entities, check_tls);
        let tls = certificates.upstream_settings(entities, &self.upstream_tls, &self.reusable.tls);
        let destinations = {
            let trust = |service: &Service| certificates.trust_if_verified(service, &self.upstream_tls);
            compile_destinations(entities, &balancers.by_index(entities), (&tls, &trust), before)
        };
        let steps = compile_steps(entities, &instances, &consumers, &destinations);
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

    /// Compiles a plugin, or reuses the previous one if its settings and files are unchanged.
    fn compile_plugin(
        &mut self,
        entry: &PluginEntity,
        def: &plugin::PluginDef,
        reader: &FileReader,
    ) -> Result<CompiledPlugin, Vec<Diagnostic>> {
        if let Some(kept) = self.reusable.plugins.get(&entry.id)
            && kept.entity.name == entry.name
            && kept.entity.config == entry.config
            // Its warnings name the position in the document.
            && (kept.entity.at == entry.at || kept.compiled.warnings.is_empty())
            && kept.compiled.files.iter().all(|(path, hash)| plugin::file_hash(path, reader) == Some(*hash))
        {
            return Ok(kept.compiled.clone());
        }
        let (files, warnings) = (RefCell::default(), RefCell::default());
        let at = entry.at.key(entity::plugin::CONFIG.name);
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
        self.referenced_files.extend(files.borrow().iter().map(|(path, _)| path.clone()));
        Ok(CompiledPlugin { plugin: plugin?, files: files.into_inner(), warnings: warnings.into_inner() })
    }
}

/// A warning about a phase before the router in an instance that is not global: the router decides which these are.
fn check_rewrite(entry: &PluginEntity, plugin: &dyn Plugin) -> Option<Diagnostic> {
    let PluginScope { route, service, consumer } = entry.scope;
    let is_global = route.is_none() && service.is_none() && consumer.is_none();
    (plugin.rewrites() && !is_global).then(|| {
        let at = entry.at.key(entity::plugin::CONFIG.name).key("rewrite");
        let message =
            "this is not run: the phase rewrite comes before the router, and runs in global plugins alone";
        Diagnostic::warning(at, message).help("write it at `access`, or move the plugin to the top level")
    })
}

/// Splits diagnostics into errors and warnings.
fn split_diagnostics(
    diagnostics: Vec<Diagnostic>,
    errors: &mut Vec<Diagnostic>,
    warnings: &mut Vec<Diagnostic>,
) {
    for diagnostic in diagnostics {
        if diagnostic.is_error() { errors.push(diagnostic) } else { warnings.push(diagnostic) }
    }
}

/// Joins a thread and returns its result; a panic of the thread continues here.
fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Parts of a compiled configuration, except the router.
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

/// Warns about an `anonymous` Consumer that does not exist.
fn check_anonymous(entry: &PluginEntity, consumers: &Consumers) -> Option<Diagnostic> {
    let name =
        entry.config.get(ANONYMOUS.name)?.as_str().filter(|name| consumers.find_by_name(name).is_none())?;
    let message = format!("no consumer has the id or username '{name}'");
    let help = "requests without a valid credential will be answered with 500";
    Some(
        Diagnostic::warning(entry.at.key(entity::plugin::CONFIG.name).key(ANONYMOUS.name), message)
            .help(help),
    )
}
