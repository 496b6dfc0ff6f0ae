//! SOCKETS: listeners, connections, and their orderly end.

mod bind;
mod broken;
mod clock;
mod concurrency_limit;
mod connection;
mod connection_reaper;
mod descriptors;
mod farewell;
mod h2_frames;
mod http2;
mod inspecting_io;
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

/// How many connections the Admin API and the status have; they answer also when the proxy has none left.
const ADMIN_CONNECTIONS: usize = 256;

/// How long tunnels have to say that they end.
const FAREWELL: Duration = Duration::from_millis(300);

/// A listener that is bound, and how it serves.
#[derive(Debug)]
pub struct BoundListener {
    /// The socket.
    pub listener: tokio::net::TcpListener,
    /// What it answers with.
    pub role: ListenerRole,
    /// Its TLS, if it speaks that.
    pub tls: Option<ListenerTlsAcceptor>,
    /// The most streams of HTTP/2 that a client may have open.
    pub streams: u32,
    /// Whether connections begin with the PROXY protocol.
    pub proxy_protocol: bool,
}

/// Serves until a signal ends it, then lets requests on their way finish, for at most `graceful_timeout`. Until they
/// have, the Admin API and the status answer: who asks whether this is ready hears that it is not. Requests of these
/// two are told in `log`; what all connections are doing is noted in `connections`.
///
/// All signals of [`StopSignals`] do the same; a second one ends the wait.
pub async fn serve(
    bound: Vec<BoundListener>,
    mut stop: StopSignals,
    readiness: Arc<Readiness>,
    settings: &Settings,
    log: Option<Arc<AccessLog>>,
    connections: &ConnectionCounters,
) {
    let room = descriptors::connections();
    let most = settings.worker_connections.map_or(room, NonZeroUsize::get);
    // Each request may need a connection to an upstream.
    let requests = settings.concurrent_requests.or(NonZeroUsize::new(room));
    let mut proxies =
        Listeners::new(ListenerContext::new(settings, most, requests, None, &connections.proxy));
    let ground = ListenerContext::new(settings, ADMIN_CONNECTIONS, None, log, &connections.admin);
    let mut others = Listeners::new(ground);
    for listening in bound {
        let group = if matches!(listening.role, ListenerRole::Proxy(_)) { &mut proxies } else { &mut others };
        group.accepting.spawn(accept(listening, Arc::clone(&group.ground)));
    }
    let name = stop.signal().await;
    readiness.drain();
    let grace = settings.graceful_timeout;
    tracing::info!("{name}: no new connections; requests on their way have {} s to finish", grace.as_secs());
    let grounds = [Arc::clone(&proxies.ground), Arc::clone(&others.ground)];
    let mut finish = pin!(async {
        proxies.close().await;
        others.close().await;
    });
    tokio::select! {
        () = finish.as_mut() => return tracing::info!("all requests have finished"),
        () = tokio::time::sleep(grace) => tracing::warn!("the grace is over; open requests are cut off"),
        name = stop.signal() => tracing::warn!("{name}: open requests are cut off"),
    }
    for ground in grounds {
        ground.stage.send_replace(ShutdownStage::Over);
    }
    // Only tunnels have something to say to that.
    let _ = timeout(FAREWELL, finish).await;
}

/// Listeners that close together.
struct Listeners {
    accepting: JoinSet<()>,
    ground: Arc<ListenerContext>,
    watching: JoinSet<()>,
}

impl Listeners {
    fn new(ground: ListenerContext) -> Self {
        let ground = Arc::new(ground);
        let mut watching = JoinSet::new();
        let (watched, began) = (Arc::clone(&ground), Instant::now());
        watching.spawn(supervise("the clock of connections", move || {
            let watched = Arc::clone(&watched);
            async move { watched.pulses.watch(began).await }
        }));
        Self { accepting: JoinSet::new(), ground, watching }
    }

    /// Accepts no more connections, and waits until those that are open have ended.
    async fn close(mut self) {
        self.ground.stage.send_replace(ShutdownStage::Draining);
        while self.accepting.join_next().await.is_some() {}
        self.ground.pulses.drain();
        self.ground.stage.closed().await;
        drop(self.watching);
    }
}

/// The signals that end the process in order: SIGTERM, SIGINT and SIGQUIT.
#[derive(Debug)]
pub struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Listens for them from now on; before, each would end the process on the spot. Must be called on the runtime.
    ///
    /// # Errors
    /// The system may refuse it.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn signal(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}
