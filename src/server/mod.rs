//! SOCKETS: listeners, connections, and their orderly end.

mod bind;
mod connection;
mod socket;

pub use bind::{BindError, bind};
pub use connection::{Role, accept};

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::control::Readiness;

/// Listeners that are bound, and what each answers with.
pub type Bound = Vec<(tokio::net::TcpListener, Role)>;

/// Serves until a signal ends it, then lets requests on their way finish, for at most `grace`.
///
/// SIGTERM, SIGINT and SIGQUIT do the same; a second one ends the wait.
///
/// # Errors
/// The signals cannot be listened for.
pub async fn serve(bound: Bound, readiness: Arc<Readiness>, grace: Duration) -> std::io::Result<()> {
    let mut stop = Stop::new()?;
    let (closing, closed) = watch::channel(false);
    let mut listeners = JoinSet::new();
    for (listener, role) in bound {
        listeners.spawn(accept(listener, role, closed.clone()));
    }
    let name = stop.signal().await;
    tracing::info!("{name}: no new connections; requests on their way have {} s to finish", grace.as_secs());
    readiness.drain();
    // Nobody is left to hear it only when there are no listeners.
    let _ = closing.send(true);
    let mut ended = JoinSet::new();
    while let Some(listener) = listeners.join_next().await {
        if let Ok(open) = listener {
            ended.spawn(open.shutdown());
        }
    }
    tokio::select! {
        () = async { while ended.join_next().await.is_some() {} } => tracing::info!("all requests have finished"),
        () = tokio::time::sleep(grace) => tracing::warn!("the grace is over; open requests are cut off"),
        name = stop.signal() => tracing::warn!("{name}: open requests are cut off"),
    }
    Ok(())
}

/// The signals that end the process.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
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
