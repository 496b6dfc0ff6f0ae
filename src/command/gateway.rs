//! The gateway in the foreground, for `mynah run` and `mynah mock`: start, listeners, stop.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
#[cfg(feature = "ui")]
use mynah::pages::PageKind;
use mynah::{
    access_log::AccessLog,
    body::BodyBuffers,
    budget::MemoryBudget,
    control::{
        ConfigSource, Control, Readiness, admin::AdminApi, last_good::LastGoodStore, reload, reload::Reloader,
    },
    diag::plural,
    metrics::ConnectionCounters,
    plugin::{Resources, ResponseCache},
    proxy::{self, Proxy},
    reply::ErrorTemplates,
    server::{self, BoundListener, ListenerRole, ListenerTlsAcceptor, StopSignals, bind},
    settings::{
        CertificateFiles, ClientCertificates, Listener, ListenerTls, LoadedSettings, LogTemplate, Settings,
        VerifyClient,
    },
    snapshot::{LiveSnapshot, SnapshotCompiler, UpstreamTls},
    supervise::supervise,
    tls::{self, CaStore},
    traffic::TrafficMonitor,
    uri::Scheme,
};

#[cfg(feature = "ui")]
use super::pages;
use super::{
    load::{
        CompileOptions, NO_CONFIG, NO_CONFIG_HELP, NO_QUARANTINE_HELP, QUARANTINE_HELP, enabled_plugins,
        router_options, runs_lua, summary,
    },
    log::start_log,
    output::{print_line, print_report},
    pid_file::PidFile,
};

/// How long a stop waits for entries that logging plugins have not delivered.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a stop waits for lines of the access logs that are not written.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// How long a stop waits until the last good configuration is on the disk.
const KEEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until a signal stops the process; fails if the configuration cannot be loaded.
#[expect(clippy::too_many_lines, reason = "the start in its order")]
pub(crate) fn serve(loaded: LoadedSettings, source: &ConfigSource, specs: PathBuf) -> Result<ExitCode> {
    let LoadedSettings { settings, warnings } = loaded;
    let log_level = start_log(settings.log_level);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if let Some(user) = settings.worker_user.as_ref().filter(|user| *user != "root")
        && rustix::process::geteuid().is_root()
    {
        tracing::warn!(
            "nginx_main_user is {user}, but this process runs as root and does not change its user: start it as {user}"
        );
    }
    let open: Vec<_> = open_admin_listeners(&settings).map(|listener| listener.address.to_string()).collect();
    if !open.is_empty() {
        tracing::warn!(
            "the Admin API on {} is open to every client that reaches this address: set MYNAH_ADMIN_TOKEN, ask for client \
             certificates (nginx_admin_ssl_verify_client), or listen on 127.0.0.1 (admin_listen, admin_gui_listen, \
             portal_gui_listen)",
            open.join(", ")
        );
    }
    let options = CompileOptions::new(&settings);
    let compiler = SnapshotCompiler::new(specs.clone(), router_options(&settings))
        .with_plugins(enabled_plugins(&settings))
        .with_upstream_tls(upstream_tls(&settings)?)
        .with_resources(resources(&settings));
    let control =
        options.control(compiler).with_source(source).with_last_good(last_good_store(&settings, source));
    let loaded = match control.start() {
        Ok(loaded) => loaded,
        Err(report) => {
            print_report(&report);
            let (errors, _) = report.count();
            print_line(format_args!("mynah did not start: {source} has {}", plural(errors, "error")));
            let is_remedy =
                || source.read().is_ok_and(|text| options.compile_in_quarantine(specs, &text).is_ok());
            if options.quarantines() {
                print_line(format_args!("help: {NO_QUARANTINE_HELP}"));
            } else if is_remedy() {
                print_line(format_args!("help: {QUARANTINE_HELP}"));
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let origin = describe_origin(&control, source);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = settings.worker_threads {
        runtime.worker_threads(threads.get());
    }
    let runtime = runtime.enable_all().build().context("cannot start the runtime")?;
    let logs = AccessLogs::open(&settings)?;
    let settings = Arc::new(settings);
    let finished = runtime.block_on(async {
        let control = Arc::new(control);
        let (live, kept) = (control.live().clone(), control.clone());
        let readiness = Arc::new(Readiness::default());
        let connections = ConnectionCounters::default();
        let admin = AdminApi::new(
            control.clone(),
            settings.clone(),
            readiness.clone(),
            connections.clone(),
            log_level,
        );
        // Only the Admin API shows the traffic.
        let monitor = (!settings.admin_listen.is_empty()).then(|| Arc::new(TrafficMonitor::default()));
        let admin = Arc::new(admin.with_traffic_monitor(monitor.clone()));
        let bound = listen(&settings, control.live(), &admin, (&logs, monitor))?;
        // Before the first line is printed: its reader may send a signal at once.
        let stop = StopSignals::new().context("cannot listen for signals")?;
        let reloader = Reloader::new(control, source.clone()).context("cannot listen for signals")?;
        // Its readers may send signals at once, too. Held until the process ends.
        let _pid_file = settings.prefix.as_deref().and_then(write_pid_file);
        print_line(format_args!("{}; {} from {}", greeting(&bound), summary(&loaded.snapshot), origin));
        reload::log_load(&origin, &loaded);
        if *source == ConfigSource::Empty && origin == source.to_string() {
            tracing::warn!(
                "{NO_CONFIG}; every request is answered with 404 until POST /config of the Admin API loads one: \
                 {NO_CONFIG_HELP}"
            );
        } else if loaded.snapshot.entities.is_empty() {
            tracing::info!(
                "{source} declares nothing; every request is answered with 404 until it, or POST /config, does");
        }
        // So that its memory is freed when another one replaces it.
        drop(loaded);
        tokio::spawn(async move {
            if let Err(error) = reloader.run().await {
                tracing::error!("changes of the configuration are no longer noticed: {error}");
            }
        });
        server::serve(bound, stop, readiness, &settings, &connections).await;
        let undelivered = live.current().delivery_tracker().flush(DELIVERY_TIMEOUT).await;
        if let Some(store) = kept.last_good() {
            tokio::task::block_in_place(|| store.flush(KEEP_TIMEOUT));
        }
        if undelivered > 0 {
            tracing::warn!("log entries of plugins that were not delivered: {undelivered}");
        }
        logs.flush();
        Ok(())
    });
    // Requests have had `graceful_timeout`; the tasks that remain are not awaited.
    runtime.shutdown_background();
    finished.map(|()| ExitCode::SUCCESS)
}

/// The store of the last good configuration, if the settings ask for it. A mock has none.
fn last_good_store(settings: &Settings, source: &ConfigSource) -> Option<LastGoodStore> {
    let keeps = settings.keeps_last_good && !matches!(source, ConfigSource::Mock(_));
    settings.prefix.as_deref().filter(|_| keeps).map(LastGoodStore::new)
}

/// Where the live configuration comes from.
fn describe_origin(control: &Control, source: &ConfigSource) -> String {
    let history = control.load_history();
    let is_restored =
        history.restored.is_some() || (*source == ConfigSource::Empty && history.replaced_source.is_some());
    match control.last_good().filter(|_| is_restored) {
        Some(store) => format!("the last good configuration in {}", store.path().display()),
        None => source.to_string(),
    }
}

/// Writes the pid file; without one, the gateway serves all the same, but signals have to be sent by its pid.
fn write_pid_file(prefix: &Path) -> Option<PidFile> {
    let file = PidFile::create(prefix).map_err(|error| {
        tracing::warn!(
            "cannot write the pid file in {}: {error}; `kong reload`, `quit` and `stop` will not find this process",
            prefix.display()
        );
    });
    file.ok()
}

/// Listeners of the Admin API and of pages that other machines reach without a token and without a client certificate.
fn open_admin_listeners(settings: &Settings) -> impl Iterator<Item = &Listener> {
    let has_token = settings.admin_token.is_some();
    let requires_certificate = settings.tls.admin_clients.verify == VerifyClient::Required;
    let managers = settings.admin_gui_listen.iter().flatten();
    let portals = settings.portal_gui_listen.iter().flatten();
    let portals = portals.filter(|listener| settings.allows_portal_writes(listener));
    let pages = managers.chain(portals).filter(|_| cfg!(feature = "ui") && !settings.admin_listen.is_empty());
    settings.admin_listen.iter().chain(pages).filter(move |listener| {
        let requires_certificate = requires_certificate && listener.tls;
        !has_token && !requires_certificate && !listener.address.ip().to_canonical().is_loopback()
    })
}

/// Binds all listeners, and starts the background tasks of the proxy.
fn listen(
    settings: &Settings,
    live: &Arc<LiveSnapshot>,
    admin: &Arc<AdminApi>,
    (logs, monitor): (&AccessLogs, Option<Arc<TrafficMonitor>>),
) -> Result<Vec<BoundListener>> {
    let proxy = Proxy::new(live.clone(), settings)
        .with_access_log(logs.proxy.clone())
        .with_traffic_monitor(monitor.clone());
    let proxy = Arc::new(proxy.with_templates(error_templates(settings)?));
    if let Some(monitor) = monitor {
        tokio::spawn(supervise("traffic", move || {
            let monitor = monitor.clone();
            async move { monitor.run().await }
        }));
    }
    let background = proxy.clone();
    tokio::spawn(supervise("upstreams", move || {
        let background = background.clone();
        async move { background.maintain_balancers().await }
    }));
    let proxy = ListenerRole::Proxy(proxy);
    let mut bound = Vec::new();
    let tls = &settings.tls;
    let [role, status] = [ListenerRole::Admin(admin.clone()), ListenerRole::Status(admin.clone())];
    // The proxy writes into its log itself.
    let (no_log, admin_log, status_log) = (&None, &logs.admin, &logs.status);
    let all = [
        ("proxy_listen", &settings.proxy_listen, proxy, no_log, &tls.proxy, &tls.proxy_clients),
        ("admin_listen", &settings.admin_listen, role, admin_log, &tls.admin, &tls.admin_clients),
        ("status_listen", &settings.status_listen, status, status_log, &tls.status, &tls.status_clients),
    ];
    for (setting, listeners, role, log, given, clients) in all {
        for listener in listeners {
            // Only the proxy presents certificates of the configuration.
            let live = matches!(role, ListenerRole::Proxy(_)).then(|| live.clone());
            let tls = tls_acceptor(setting, listener, tls, (given, clients), live)?;
            bound.push(BoundListener {
                listener: bind(setting, listener)?,
                role: role.clone(),
                access_log: log.clone(),
                tls,
                max_streams: settings.http2_streams.get(),
                proxy_protocol: listener.proxy_protocol,
                shares_port: listener.reuseport,
            });
        }
    }
    #[cfg(feature = "ui")]
    pages::listen(settings, admin, logs.admin.as_ref(), &mut bound)?;
    #[cfg(not(feature = "ui"))]
    for (name, page) in
        [("portal_gui_listen", &settings.portal_gui_listen), ("admin_gui_listen", &settings.admin_gui_listen)]
    {
        if page.as_ref().is_some_and(|listeners| !listeners.is_empty()) {
            tracing::warn!("{name} has no effect: this binary was built without the feature `ui`");
        }
    }
    Ok(bound)
}

/// TLS of a listener that has the flag `ssl`.
pub(super) fn tls_acceptor(
    setting: &str,
    listener: &Listener,
    tls: &ListenerTls,
    (certificates, clients): (&CertificateFiles, &ClientCertificates),
    live: Option<Arc<LiveSnapshot>>,
) -> Result<Option<ListenerTlsAcceptor>> {
    let acceptor = || {
        ListenerTlsAcceptor::new(tls, certificates, clients, live, listener.http2).map_err(anyhow::Error::msg)
    };
    let acceptor = listener.tls.then(acceptor).transpose();
    acceptor.with_context(|| format!("cannot set up TLS on {} ({setting})", listener.address))
}

/// The templates of error bodies that settings name.
fn error_templates(settings: &Settings) -> Result<ErrorTemplates> {
    let mut templates = ErrorTemplates::default();
    for (name, error_type, file) in settings.error_templates.given() {
        let context = || format!("{name}: {} is not an error template", file.display());
        let text = std::fs::read_to_string(file).with_context(context)?;
        templates.set(proxy::error_format(error_type), &text).with_context(context)?;
    }
    Ok(templates)
}

/// Resources that plugins share.
fn resources(settings: &Settings) -> Resources {
    Resources {
        buffers: BodyBuffers::new(settings.body_memory, settings.client_body_timeout),
        counters: MemoryBudget::new(settings.rate_limiting_memory),
        responses: ResponseCache::new(settings.response_cache_memory),
        ipv6_prefix: settings.rate_limiting_ipv6_prefix,
        trusted_networks: settings.trusted_ips.networks.as_slice().into(),
        runs_lua: runs_lua(settings),
        ..Resources::default()
    }
}

/// TLS with upstreams whose Service does not configure it.
fn upstream_tls(settings: &Settings) -> Result<UpstreamTls> {
    let given = &settings.tls;
    let mut defaults = UpstreamTls::default();
    if !given.trusted.is_empty() {
        let authorities = CaStore::from_settings(&given.trusted).map_err(anyhow::Error::msg);
        defaults.authorities = authorities.context("lua_ssl_trusted_certificate cannot be used")?;
    }
    if given.client_ssl {
        let identities =
            tls::identities(&given.client.certificates, &given.client.keys).map_err(anyhow::Error::msg);
        defaults.identity = identities.context("client_ssl_cert cannot be used")?.into_iter().next();
    }
    Ok(defaults)
}

/// Access logs of the proxy, of the Admin API and of the status listeners.
struct AccessLogs {
    proxy: Option<Arc<AccessLog>>,
    admin: Option<Arc<AccessLog>>,
    status: Option<Arc<AccessLog>>,
}

impl AccessLogs {
    fn open(settings: &Settings) -> Result<Self> {
        let open = |name, target, template: &Option<LogTemplate>| {
            let (format, with_query) = (settings.access_log_format, settings.access_log_query);
            AccessLog::open(target, format, template.as_ref(), with_query)
                .with_context(|| format!("cannot write the access log ({name})"))
        };
        Ok(Self {
            proxy: open("proxy_access_log", &settings.proxy_access_log, &settings.proxy_log_template)?,
            admin: open("admin_access_log", &settings.admin_access_log, &settings.admin_log_template)?,
            status: open("status_access_log", &settings.status_access_log, &settings.status_log_template)?,
        })
    }

    /// Waits until all lines are written, for at most [`LOG_FLUSH_TIMEOUT`]: a pipe may have no reader.
    fn flush(&self) {
        for log in [&self.proxy, &self.admin, &self.status].into_iter().flatten() {
            log.flush(LOG_FLUSH_TIMEOUT);
        }
    }
}

/// The version and the addresses of all listeners.
fn greeting(bound: &[BoundListener]) -> String {
    let address = |BoundListener { listener, role, tls, .. }: &BoundListener| {
        let name = match role {
            ListenerRole::Proxy(_) => "proxy",
            ListenerRole::Admin(_) => "admin",
            ListenerRole::Status(_) => "status",
            #[cfg(feature = "ui")]
            ListenerRole::Page(page) => match page.kind() {
                PageKind::Portal => "portal",
                PageKind::Manager => "manager",
            },
        };
        let scheme = Scheme::from_tls(tls.is_some()).as_str();
        let local = listener.local_addr();
        local.map_or_else(|_| name.to_owned(), |address| format!("{name} {scheme}://{address}"))
    };
    let addresses: Vec<String> = bound.iter().map(address).collect();
    format!("mynah {}: {}", env!("CARGO_PKG_VERSION"), addresses.join(", "))
}
