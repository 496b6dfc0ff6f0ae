//! One task per connection: HTTP/1.1 or HTTP/2 in, whatever the role answers out.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use super::{
    Listening, http2,
    pulse::{Ending, Pulse, Pulses},
    session::Session,
    socket::{self, Abort},
    tls::Acceptor,
    wire::Wire,
};
use crate::{
    access_log::AccessLog,
    control::admin::Admin,
    metrics::Group,
    proxy::{Connection, Proxy, Stage},
    settings::Settings,
};

/// How long to wait when the process has no file descriptor left for a connection.
const EXHAUSTED: Duration = Duration::from_millis(20);

/// How often that is told.
const TELLING: Duration = Duration::from_secs(10);

/// How long to wait for idle connections to make room, before more of them are asked to.
const ROOM: Duration = Duration::from_millis(250);

/// How long a connection accepted at the very end has to be read from: one that has said nothing is closed.
const FIRST_BYTES: Duration = Duration::from_millis(50);

/// What is read of a body at a time, at most; the head of a request is bounded by settings.
const READ_BUFFER: usize = 128 << 10;

/// What a listener answers with.
#[derive(Clone, Debug)]
pub enum Role {
    /// The routes of the current Snapshot.
    Proxy(Arc<Proxy>),
    /// The Admin API.
    Admin(Arc<Admin>),
    /// The few questions about health.
    Status(Arc<Admin>),
}

/// What listeners that end together have in common.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) pulses: Pulses,
    /// A permit for each connection that may be open.
    pub(super) gate: Arc<Semaphore>,
    pub(super) stage: watch::Sender<Stage>,
    log: Option<Arc<AccessLog>>,
    keep_alive: bool,
    most_requests: Option<u64>,
    max_headers: usize,
    largest_head: usize,
}

impl Ground {
    /// For at most `connections` at a time; requests of the Admin API are told in `log`, and what connections do is
    /// noted in `noted`.
    pub(super) fn new(
        settings: &Settings,
        connections: usize,
        log: Option<Arc<AccessLog>>,
        noted: &Arc<Group>,
    ) -> Self {
        let head = settings.large_client_header_buffers;
        Self {
            pulses: Pulses::new(settings, Arc::clone(noted)),
            gate: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            stage: watch::Sender::new(Stage::Open),
            log,
            keep_alive: settings.keepalive_timeout.is_some(),
            most_requests: settings.keepalive_requests.map(std::num::NonZeroU64::get),
            max_headers: settings.max_headers,
            largest_head: head.size.saturating_mul(head.number),
        }
    }

    fn server(&self, streams: u32) -> auto::Builder<TokioExecutor> {
        let mut server = auto::Builder::new(TokioExecutor::new());
        // Times are kept by the pulses. A head that is a little too large is still read, to be refused in our words.
        server
            .http1()
            .header_read_timeout(None)
            .keep_alive(self.keep_alive)
            .max_buf_size(READ_BUFFER.max(self.largest_head.saturating_mul(2)));
        if self.max_headers != Settings::default().max_headers {
            server.http1().max_headers(self.max_headers);
        }
        http2::bound(&mut server, streams);
        server
    }

    /// Waits until one more connection may be open; none once no more are accepted.
    async fn room(&self, stage: &mut watch::Receiver<Stage>) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.gate).try_acquire_owned() {
            return Some(permit);
        }
        loop {
            self.pulses.relieve();
            tokio::select! {
                permit = Arc::clone(&self.gate).acquire_owned() => return permit.ok(),
                _ = stage.changed() => return None,
                () = tokio::time::sleep(ROOM) => {}
            }
        }
    }
}

/// Accepts connections until told to close.
pub(super) async fn accept(listening: Listening, ground: Arc<Ground>) {
    let Listening { listener, role, tls, streams } = listening;
    let mut stage = ground.stage.subscribe();
    let how = How { role, tls, server: ground.server(streams), ground };
    let mut told: Option<Instant> = None;
    while let Some(permit) = how.ground.room(&mut stage).await {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stage.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer, &how, Some(permit)),
            Err(error) if is_of_one_connection(&error) => (),
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() > TELLING) {
                    tracing::error!("cannot accept connections: {error}");
                    told = Some(Instant::now());
                }
                how.ground.pulses.relieve();
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    accept_last(listener, &how).await;
}

/// The system has accepted these for us already; their clients know of no end.
async fn accept_last(listener: TcpListener, how: &How) {
    while let Ok(Ok((stream, peer))) = timeout(Duration::ZERO, listener.accept()).await {
        begin(stream, peer, how, None);
    }
    drop(listener);
    tokio::time::sleep(FIRST_BYTES).await;
}

/// How the connections of a listener are served.
#[derive(Clone)]
struct How {
    role: Role,
    tls: Option<Acceptor>,
    server: auto::Builder<TokioExecutor>,
    ground: Arc<Ground>,
}

fn begin(stream: TcpStream, peer: SocketAddr, how: &How, permit: Option<OwnedSemaphorePermit>) {
    // Without it small answers wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let (how, pulse) = (how.clone(), how.ground.pulses.begin());
    let stage = how.ground.stage.subscribe();
    tokio::spawn(async move {
        let _permit = permit;
        let abort = Abort::default();
        let wrap = |stream| socket::abortable(stream, abort.clone());
        match &how.tls {
            None => {
                let connection = Connection::new(peer, local, None, stage);
                serve(wrap(stream), &how, session(&how, connection, abort.clone(), pulse)).await;
            }
            Some(acceptor) => {
                let Some((stream, tls)) = acceptor.accept(stream, wrap).await else { return };
                let connection = Connection::new(peer, local, Some(tls), stage);
                serve(stream, &how, session(&how, connection, abort.clone(), pulse)).await;
            }
        }
    });
}

fn session(how: &How, connection: Connection, abort: Abort, pulse: Arc<Pulse>) -> Arc<Session> {
    Arc::new(Session {
        role: how.role.clone(),
        connection,
        abort,
        pulse,
        log: how.ground.log.clone(),
        served: AtomicU64::new(0),
        most: how.ground.most_requests,
    })
}

async fn serve<S>(stream: S, how: &How, session: Arc<Session>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&session)));
    let (peer, pulse) = (session.connection.peer, Arc::clone(&session.pulse));
    let service = service_fn(move |request| Arc::clone(&session).answer(request));
    let mut serving = pin!(how.server.serve_connection_with_upgrades(wire, service));
    loop {
        tokio::select! {
            biased;
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("connection from {peer} ended: {error}");
                }
                return;
            }
            ending = pulse.ending() => match ending {
                Ending::Orderly => serving.as_mut().graceful_shutdown(),
                Ending::Cut => return,
            },
        }
    }
}

/// Whether only this connection is gone, and the next one may be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
