//! Server: listeners, client connections, TLS, and the orderly shutdown.

mod bind;
mod clock;
mod concurrency_limit;
mod connection;
mod connection_reaper;
mod delayed_failure;
mod descriptors;
mod drained_body;
mod h2_frames;
mod handover;
mod http2;
mod inspecting_io;
mod lingering_close;
pub mod proxy_protocol;
mod session;
mod socket;
#[cfg(test)]
mod tests;
mod tls;

pub use bind::{BindError, bind};
pub use connection::ListenerRole;
pub use tls::ListenerTlsAcceptor;

use std::{num::NonZeroUsize, pin::pin, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, timeout},
};

use self::connection::{ListenerContext, accept};
use crate::{
    access_log::AccessLog, control::Readiness, metrics::ConnectionCounters, proxy::ShutdownStage,
    settings::Settings, supervise::supervise,
};

/// Most connections of the Admin API and the status listeners; they are apart from those of the proxy, so that both
/// answer also when the proxy has reached its bound.
const ADMIN_CONNECTIONS: usize = 256;

/// Time limit for tunnels to send their closing frames at the end.
const TUNNEL_CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

/// Bound listener and its settings.
#[derive(Debug)]
pub struct BoundListener {
    /// Listening socket.
    pub listener: tokio::net::TcpListener,
    /// What answers its requests.
    pub role: ListenerRole,
    /// Access log of the Admin API or the status; the proxy has its own.
    pub access_log: Option<Arc<AccessLog>>,
    /// TLS, if the listener has it.
    pub tls: Option<ListenerTlsAcceptor>,
    /// Most streams of HTTP/2 that a client may have open.
    pub max_streams: u32,
    /// Whether connections begin with the PROXY protocol.
    pub proxy_protocol: bool,
    /// Whether another process may listen on the same address (`reuseport`).
    pub shares_port: bool,
}

/// Serves until a signal of [`StopSignals`], goes on for `shutdown_delay` without being ready and ends connections after
/// their next answer, then lets requests in progress finish, for at most `graceful_timeout`. The Admin API and the status listeners answer until all requests of
/// the proxy have finished, so that readiness probes get their negative answer. A second signal ends the delay, the next
/// one the wait.
///
/// The states of all connections are counted in `connections`.
pub async fn serve(
    bound: Vec<BoundListener>,
    mut stop: StopSignals,
    readiness: Arc<Readiness>,
    settings: &Settings,
    connections: &ConnectionCounters,
) {
    let capacity = descriptors::max_connections();
    let max_connections = settings.worker_connections.map_or(capacity, NonZeroUsize::get);
    // Each request may need a connection to an upstream.
    let max_requests = settings.concurrent_requests.or(NonZeroUsize::new(capacity));
    let context =
        ListenerContext::new(settings, max_connections, max_requests, &readiness, &connections.proxy);
    let mut proxy_listeners = ListenerGroup::new(context);
    let context = ListenerContext::new(settings, ADMIN_CONNECTIONS, None, &readiness, &connections.admin);
    let mut admin_listeners = ListenerGroup::new(context);
    for listener in bound {
        let is_proxy = matches!(listener.role, ListenerRole::Proxy(_));
        let group = if is_proxy { &mut proxy_listeners } else { &mut admin_listeners };
        group.accepting.spawn(accept(listener, Arc::clone(&group.context)));
    }
    let name = withdraw(&mut stop, &readiness, settings.shutdown_delay).await;
    let grace = settings.graceful_timeout;
    tracing::info!("{name}: no new connections; requests on their way have {} s to finish", grace.as_secs());
    let contexts = [Arc::clone(&proxy_listeners.context), Arc::clone(&admin_listeners.context)];
    let mut finish = pin!(async {
        proxy_listeners.close().await;
        admin_listeners.close().await;
    });
    tokio::select! {
        () = finish.as_mut() => return tracing::info!("all requests have finished"),
        () = tokio::time::sleep(grace) => tracing::warn!("graceful_timeout has passed; open requests are cut off"),
        name = stop.receive() => tracing::warn!("{name}: open requests are cut off"),
    }
    for context in contexts {
        context.stage.send_replace(ShutdownStage::Terminated);
    }
    // Only tunnels still send something: their closing frames.
    let _ = timeout(TUNNEL_CLOSE_TIMEOUT, finish).await;
}

/// Waits for the signal that stops the process, and then for as long as load balancers may still send requests to it:
/// `delay` from the time at which readiness ended. Returns the signal.
async fn withdraw(stop: &mut StopSignals, readiness: &Readiness, delay: Duration) -> &'static str {
    let mut withdrawn = None;
    let name = loop {
        if let Some(name) = stop.receive_or_withdraw().await {
            break name;
        }
        readiness.drain();
        withdrawn.get_or_insert_with(Instant::now);
        tracing::info!("SIGUSR2: not ready any more; connections are accepted until the process is stopped");
    };
    readiness.drain();
    let rest = delay.saturating_sub(withdrawn.map_or(Duration::ZERO, |time| time.elapsed()));
    if !rest.is_zero() {
        tracing::info!(
            "{name}: not ready any more; connections are accepted for another {} s",
            rest.as_secs_f32()
        );
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            name = stop.receive() => return name,
        }
    }
    name
}

/// Listeners that close together.
struct ListenerGroup {
    accepting: JoinSet<()>,
    context: Arc<ListenerContext>,
    reaping: JoinSet<()>,
}

impl ListenerGroup {
    fn new(context: ListenerContext) -> Self {
        let context = Arc::new(context);
        let mut reaping = JoinSet::new();
        let (shared, start) = (Arc::clone(&context), Instant::now());
        reaping.spawn(supervise("the reaper of idle connections", move || {
            let context = Arc::clone(&shared);
            async move { context.reaper.run(start).await }
        }));
        Self { accepting: JoinSet::new(), context, reaping }
    }

    /// Stops accepting connections, and waits until the open ones have ended.
    async fn close(mut self) {
        self.context.stage.send_replace(ShutdownStage::Draining);
        while self.accepting.join_next().await.is_some() {}
        self.context.reaper.drain();
        self.context.stage.closed().await;
        drop(self.reaping);
    }
}

/// Signals that shut the process down in order: SIGTERM, SIGINT and SIGQUIT; before them, SIGUSR2 only ends readiness.
#[derive(Debug)]
pub struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    withdraw: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Installs the handlers; before, each signal ends the process at once. Must be called on the runtime.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            withdraw: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for a signal, and returns its name; none for SIGUSR2.
    async fn receive_or_withdraw(&mut self) -> Option<&'static str> {
        let Self { terminate, interrupt, quit, withdraw } = self;
        tokio::select! {
            _ = terminate.recv() => Some("SIGTERM"),
            _ = interrupt.recv() => Some("SIGINT"),
            _ = quit.recv() => Some("SIGQUIT"),
            _ = withdraw.recv() => None,
        }
    }

    /// Waits for a signal that stops the process, and returns its name.
    async fn receive(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}
