//! `mynah run` and `mynah mock`: the gateway, in the foreground.

use std::{
    io::{IsTerminal, stderr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use mynah::{
    access_log::AccessLog,
    body::BodyBuffers,
    budget::MemoryBudget,
    config::DeclarativeFormat,
    control::{
        ConfigSource, Control, LogLevelHandle, Readiness, admin::AdminApi, compile_config, reload,
        reload::Reloader,
    },
    diag::{DiagnosticReport, SourceFile, plural},
    metrics::ConnectionCounters,
    plugin::{EnabledPlugins, Resources},
    proxy::{self, Proxy},
    reply::ErrorTemplates,
    router,
    server::{self, BoundListener, ListenerRole, ListenerTlsAcceptor, StopSignals, bind},
    settings::{CertificateFiles, ClientCertificates, Listener, LogLevel, Settings, VerifyClient},
    snapshot::{CompiledSnapshot, LiveSnapshot, Snapshot, SnapshotCompiler, UpstreamTls},
    supervise::supervise,
    tls::{self, CaStore},
    uri::Scheme,
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{draw, say};

/// Runs the gateway until a signal ends it; false if it could not start, and why has been said.
pub(crate) fn run(
    settings: Settings,
    door: &ConfigSource,
    specs: PathBuf,
    warnings: &[String],
) -> Result<bool> {
    let verbosity = log(settings.log_level);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if let Some(user) = settings.worker_user.as_ref().filter(|user| *user != "root")
        && rustix::process::geteuid().is_root()
    {
        tracing::warn!(
            "nginx_main_user names the user {user}, but this process runs as root and stays so: start it as {user}"
        );
    }
    for listener in open_admin_listeners(&settings) {
        tracing::warn!(
            "the Admin API on {} is open to everybody who reaches this address: set MYNAH_ADMIN_TOKEN, ask for client \
             certificates (nginx_admin_ssl_verify_client), or listen on 127.0.0.1 (admin_listen)",
            listener.address
        );
    }
    let compiler = SnapshotCompiler::new(specs, options(&settings))
        .with_plugins(enabled(&settings))
        .with_upstream_tls(upstream_tls(&settings)?)
        .with_resources(resources(&settings));
    let control = CompileOptions::new(&settings).control(compiler).with_source(door);
    let loaded = match control.start() {
        Ok(loaded) => loaded,
        Err(report) => {
            draw(&report);
            let (errors, _) = report.count();
            say(format_args!("mynah did not start: {door} has {}", plural(errors, "error")));
            return Ok(false);
        }
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = settings.worker_threads {
        runtime.worker_threads(threads.get());
    }
    let runtime = runtime.enable_all().build().context("cannot start the runtime")?;
    let logs = AccessLogs::open(&settings)?;
    let settings = Arc::new(settings);
    let finished = runtime.block_on(async {
        let control = Arc::new(control);
        let live = control.live().clone();
        let readiness = Arc::new(Readiness::default());
        let connections = ConnectionCounters::default();
        let (readying, told) = (readiness.clone(), connections.clone());
        let admin = AdminApi::new(control.clone(), settings.clone(), readying, told, verbosity);
        let bound = listen(&settings, control.live(), &Arc::new(admin), &logs)?;
        // Who reads the first line may send a signal at once.
        let stop = StopSignals::new().context("cannot listen for signals")?;
        let reloader = Reloader::new(control, door.clone()).context("cannot listen for signals")?;
        say(format_args!("{}; {} from {door}", places(&bound), summary(&loaded.snapshot)));
        reload::log_load(door, &loaded);
        // It is to go as soon as another one is current.
        drop(loaded);
        tokio::spawn(async move {
            if let Err(error) = reloader.run().await {
                tracing::error!("changes of the configuration are not seen: {error}");
            }
        });
        server::serve(bound, stop, readiness, &settings, logs.admin.clone(), &connections).await;
        let left = live.current().delivery_tracker().flush(DELIVERY).await;
        if left > 0 {
            tracing::warn!("entries of plugins that log are not delivered: {left}");
        }
        logs.flush();
        Ok(())
    });
    // What the runtime still waits for is not worth waiting for: requests have had their grace.
    runtime.shutdown_background();
    finished.map(|()| true)
}

/// Where other machines reach the Admin API without a token and without a certificate.
fn open_admin_listeners(settings: &Settings) -> impl Iterator<Item = &Listener> {
    let is_guarded = settings.admin_token.is_some();
    let asks = settings.tls.admin_clients.verify == VerifyClient::Required;
    settings.admin_listen.iter().filter(move |listener| {
        let asks = asks && listener.tls;
        !is_guarded && !asks && !listener.address.ip().to_canonical().is_loopback()
    })
}

fn listen(
    settings: &Settings,
    live: &Arc<LiveSnapshot>,
    admin: &Arc<AdminApi>,
    logs: &AccessLogs,
) -> Result<Vec<BoundListener>> {
    let proxy = Proxy::new(live.clone(), settings).with_access_log(logs.proxy.clone());
    let proxy = Arc::new(proxy.with_templates(templates(settings)?));
    let maintained = proxy.clone();
    tokio::spawn(supervise("upstreams", move || {
        let maintained = maintained.clone();
        async move { maintained.maintain_balancers().await }
    }));
    let proxy = ListenerRole::Proxy(proxy);
    let mut bound = Vec::new();
    let tls = &settings.tls;
    let [admin, status] = [ListenerRole::Admin(admin.clone()), ListenerRole::Status(admin.clone())];
    let all: [(&'static str, &[Listener], ListenerRole, &CertificateFiles, &ClientCertificates); 3] = [
        ("proxy_listen", &settings.proxy_listen, proxy, &tls.proxy, &tls.proxy_clients),
        ("admin_listen", &settings.admin_listen, admin, &tls.admin, &tls.admin_clients),
        ("status_listen", &settings.status_listen, status, &tls.status, &tls.status_clients),
    ];
    for (setting, listeners, role, given, clients) in all {
        for it in listeners {
            // The names of the configuration are those of the proxy's clients.
            let live = matches!(role, ListenerRole::Proxy(_)).then(|| live.clone());
            let acceptor =
                || ListenerTlsAcceptor::new(tls, given, clients, live, it.http2).map_err(anyhow::Error::msg);
            let acceptor = it.tls.then(acceptor).transpose();
            let tls = acceptor.with_context(|| format!("cannot speak TLS on {} ({setting})", it.address))?;
            let max_streams = settings.http2_streams.get();
            let (listener, role) = (bind(setting, it)?, role.clone());
            bound.push(BoundListener { listener, role, tls, max_streams, proxy_protocol: it.proxy_protocol });
        }
    }
    Ok(bound)
}

/// What the bodies of errors look like, where files say it.
fn templates(settings: &Settings) -> Result<ErrorTemplates> {
    let mut templates = ErrorTemplates::default();
    for (name, of, file) in settings.error_templates.given() {
        let place = || format!("{name}: {} is no template of errors", file.display());
        let text = std::fs::read_to_string(file).with_context(place)?;
        templates.set(proxy::error_format(of), &text).with_context(place)?;
    }
    Ok(templates)
}

/// What plugins share.
fn resources(settings: &Settings) -> Resources {
    Resources {
        buffers: BodyBuffers::new(settings.body_memory, settings.client_body_timeout),
        counters: MemoryBudget::new(settings.rate_limiting_memory),
        ipv6_prefix: settings.rate_limiting_ipv6_prefix,
        ..Resources::default()
    }
}

/// How TLS is spoken with upstreams whose Service does not say.
fn upstream_tls(settings: &Settings) -> Result<UpstreamTls> {
    let given = &settings.tls;
    let mut usual = UpstreamTls::default();
    if !given.trusted.is_empty() {
        let read = CaStore::given(&given.trusted).map_err(anyhow::Error::msg);
        usual.authorities = read.context("lua_ssl_trusted_certificate cannot be used")?;
    }
    if given.client_ssl {
        let read =
            tls::identities(&given.client.certificates, &given.client.keys).map_err(anyhow::Error::msg);
        usual.identity = read.context("client_ssl_cert cannot be used")?.into_iter().next();
    }
    Ok(usual)
}

/// How long an end waits for what plugins have still to deliver.
const DELIVERY: Duration = Duration::from_secs(5);

/// Where requests are told.
struct AccessLogs {
    proxy: Option<Arc<AccessLog>>,
    admin: Option<Arc<AccessLog>>,
}

impl AccessLogs {
    fn open(settings: &Settings) -> Result<Self> {
        let open = |name, place| {
            AccessLog::open(place, settings.access_log_format, settings.access_log_query)
                .with_context(|| format!("cannot write the access log ({name})"))
        };
        Ok(Self {
            proxy: open("proxy_access_log", &settings.proxy_access_log)?,
            admin: open("admin_access_log", &settings.admin_access_log)?,
        })
    }

    /// Waits until all has been written, unless nobody reads it.
    fn flush(&self) {
        for log in [&self.proxy, &self.admin].into_iter().flatten() {
            log.flush(Duration::from_millis(200));
        }
    }
}

/// What is served where.
fn places(bound: &[BoundListener]) -> String {
    let one = |BoundListener { listener, role, tls, .. }: &BoundListener| {
        let name = match role {
            ListenerRole::Proxy(_) => "proxy",
            ListenerRole::Admin(_) => "admin",
            ListenerRole::Status(_) => "status",
        };
        let scheme = Scheme::from_tls(tls.is_some()).as_str();
        let place = listener.local_addr();
        place.map_or_else(|_| name.to_owned(), |address| format!("{name} {scheme}://{address}"))
    };
    let all: Vec<String> = bound.iter().map(one).collect();
    format!("mynah {}: {}", env!("CARGO_PKG_VERSION"), all.join(", "))
}

/// What a configuration declares, in numbers.
pub(crate) fn summary(snapshot: &Snapshot) -> String {
    let entities = &snapshot.entities;
    format!(
        "{}, {}, {}",
        plural(entities.services.len(), "service"),
        plural(entities.routes.len(), "route"),
        plural(entities.plugins.len(), "plugin")
    )
}

/// The folder of OpenAPI documents beside a configuration.
pub(crate) fn specs_beside(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join("specs")
}

/// How configurations are read and compiled.
#[derive(Clone, Copy)]
pub(crate) struct CompileOptions {
    options: router::RouterOptions,
    format: DeclarativeFormat,
    enabled: EnabledPlugins,
}

impl CompileOptions {
    pub(crate) fn new(settings: &Settings) -> Self {
        let format = DeclarativeFormat::of_files(settings.env_substitution);
        Self { options: options(settings), format, enabled: enabled(settings) }
    }

    /// Checks and compiles a configuration whose plugins find their files in `specs`.
    pub(crate) fn compile(
        self,
        specs: PathBuf,
        source: &Arc<SourceFile>,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        let mut compiler = SnapshotCompiler::new(specs, self.options).with_plugins(self.enabled);
        compile_config(&mut compiler, source, self.format)
    }

    /// What makes configurations current.
    pub(crate) fn control(self, compiler: SnapshotCompiler) -> Control {
        Control::new(compiler).with_format(self.format)
    }
}

/// Which plugins may be used.
fn enabled(settings: &Settings) -> EnabledPlugins {
    EnabledPlugins::only(|name| settings.plugins.allows(name))
}

/// How the router works.
pub(crate) fn options(settings: &Settings) -> router::RouterOptions {
    use mynah::settings::{RouteMatchCalculation, RouterFlavor};
    router::RouterOptions {
        flavor: match settings.router_flavor {
            RouterFlavor::Traditional => router::MatchFlavor::Traditional,
            RouterFlavor::TraditionalCompatible => router::MatchFlavor::TraditionalCompatible,
            RouterFlavor::Expressions => router::MatchFlavor::Expressions,
        },
        calculation: match settings.route_match_calculation {
            RouteMatchCalculation::Strict => router::PriorityCalculation::Strict,
            RouteMatchCalculation::Original => router::PriorityCalculation::Original,
        },
        compilation: router::RegexCompilation::default(),
    }
}

/// Begins to log; what is returned changes how much.
fn log(level: LogLevel) -> Arc<LogLevelHandle> {
    let filter = |level| {
        let level = match level {
            LogLevel::Debug => LevelFilter::DEBUG,
            // A notice of Kong's is what an operator wants to see; so is what is logged here as info.
            LogLevel::Info | LogLevel::Notice => LevelFilter::INFO,
            LogLevel::Warn => LevelFilter::WARN,
            _ => LevelFilter::ERROR,
        };
        // The library of HTTP/2 warns of each wrong frame, so that any client could fill a disk.
        let frames = if level == LevelFilter::DEBUG { level } else { LevelFilter::ERROR };
        Targets::new().with_default(level).with_target("h2", frames)
    };
    let (layer, reload) = tracing_subscriber::reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr);
    tracing_subscriber::registry().with(layer).with(lines).init();
    // Where it happened is known here only; what becomes of it is told where it is caught.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    LogLevelHandle::new(level, move |level| {
        // It fails only after the log itself is gone.
        let _ = reload.reload(filter(level));
    })
}
