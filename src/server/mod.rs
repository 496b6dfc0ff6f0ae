//! SOCKETS: listeners, connections, and their orderly end.

mod bind;
mod connection;
mod http2;
mod socket;
mod tls;

pub use bind::{BindError, bind};
pub use connection::{Role, accept};
pub use tls::Acceptor;

use std::{sync::Arc, time::Duration};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::control::Readiness;

/// A listener that is bound, and how it serves.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: tokio::net::TcpListener,
    /// What it answers with.
    pub role: Role,
    /// Its TLS, if it speaks that.
    pub tls: Option<Acceptor>,
    /// The most streams of HTTP/2 that a client may have open.
    pub streams: u32,
}

/// Serves until a signal ends it, then lets requests on their way finish, for at most `grace`. Until they have, the
/// Admin API and the status answer: who asks whether this is ready hears that it is not.
///
/// All signals of [`Stop`] do the same; a second one ends the wait.
pub async fn serve(bound: Vec<Listening>, mut stop: Stop, readiness: Arc<Readiness>, grace: Duration) {
    let (mut proxies, mut others) = (Listeners::new(), Listeners::new());
    for listening in bound {
        let group = if matches!(listening.role, Role::Proxy(_)) { &mut proxies } else { &mut others };
        group.accepting.spawn(accept(listening, group.closing.subscribe()));
    }
    let name = stop.signal().await;
    readiness.drain();
    tracing::info!("{name}: no new connections; requests on their way have {} s to finish", grace.as_secs());
    let finish = async {
        proxies.close().await;
        others.close().await;
    };
    tokio::select! {
        () = finish => tracing::info!("all requests have finished"),
        () = tokio::time::sleep(grace) => tracing::warn!("the grace is over; open requests are cut off"),
        name = stop.signal() => tracing::warn!("{name}: open requests are cut off"),
    }
}

/// Listeners that close together.
struct Listeners {
    accepting: JoinSet<GracefulShutdown>,
    closing: watch::Sender<bool>,
}

impl Listeners {
    fn new() -> Self {
        Self { accepting: JoinSet::new(), closing: watch::Sender::new(false) }
    }

    /// Accepts no more connections, and waits until those that are open have ended.
    async fn close(mut self) {
        self.closing.send_replace(true);
        let mut ending = JoinSet::new();
        while let Some(listener) = self.accepting.join_next().await {
            if let Ok(open) = listener {
                ending.spawn(open.shutdown());
            }
        }
        while ending.join_next().await.is_some() {}
    }
}

/// The signals that end the process in order: SIGTERM, SIGINT and SIGQUIT.
#[derive(Debug)]
pub struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

impl Stop {
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
