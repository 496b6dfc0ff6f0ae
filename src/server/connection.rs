//! One task per connection: HTTP/1.1 or HTTP/2 in, whatever the role answers out.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
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
    BoundListener,
    concurrency_limit::ConcurrencyLimit,
    connection_reaper::{ConnectionActivity, ConnectionEnding, ConnectionReaper},
    http2,
    inspecting_io::InspectingIo,
    proxy_protocol::{self, ProxyHeader},
    session::{ConnectionSession, Outgoing},
    socket::{self, AbortHandle},
    tls::ListenerTlsAcceptor,
};
use crate::{
    access_log::AccessLog,
    control::admin::AdminApi,
    metrics::ListenerCounters,
    proxy::{ClientConnection, Proxy, ShutdownStage},
    settings::Settings,
    supervise::supervise,
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
pub enum ListenerRole {
    /// The routes of the current Snapshot.
    Proxy(Arc<Proxy>),
    /// The Admin API.
    Admin(Arc<AdminApi>),
    /// The few questions about health.
    Status(Arc<AdminApi>),
}

/// What listeners that end together have in common.
#[derive(Debug)]
pub(super) struct ListenerContext {
    pub(super) pulses: ConnectionReaper,
    /// A permit for each connection that may be open.
    pub(super) gate: Arc<Semaphore>,
    pub(super) stage: watch::Sender<ShutdownStage>,
    /// The requests of all connections, if there may only be so many.
    load: Option<Arc<ConcurrencyLimit>>,
    log: Option<Arc<AccessLog>>,
    keep_alive: bool,
    most_requests: Option<u64>,
    max_headers: usize,
    largest_head: usize,
    /// How long a header of the PROXY protocol may take.
    first_bytes: Duration,
}

impl ListenerContext {
    /// For at most `connections` and `requests` at a time; requests of the Admin API are told in `log`, and what
    /// connections do is noted in `noted`.
    pub(super) fn new(
        settings: &Settings,
        connections: usize,
        requests: Option<NonZeroUsize>,
        log: Option<Arc<AccessLog>>,
        noted: &Arc<ListenerCounters>,
    ) -> Self {
        let head = settings.large_client_header_buffers;
        Self {
            pulses: ConnectionReaper::new(settings, Arc::clone(noted)),
            gate: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            stage: watch::Sender::new(ShutdownStage::Open),
            load: requests.map(|most| Arc::new(ConcurrencyLimit::new(most))),
            log,
            keep_alive: settings.keepalive_timeout.is_some(),
            most_requests: settings.keepalive_requests.map(std::num::NonZeroU64::get),
            max_headers: settings.max_headers,
            largest_head: head.size.saturating_mul(head.number),
            first_bytes: settings.client_header_timeout,
        }
    }

    fn server(&self, streams: u32) -> auto::Builder<TokioExecutor> {
        let mut server = auto::Builder::new(TokioExecutor::new());
        // Times are kept by the pulses. A head that is a little too large is still read, to be refused in our words.
        server
            .http1()
            .header_read_timeout(None)
            .auto_date_header(false)
            .keep_alive(self.keep_alive)
            .max_buf_size(READ_BUFFER.max(self.largest_head.saturating_mul(2)));
        if self.max_headers != Settings::default().max_headers {
            server.http1().max_headers(self.max_headers);
        }
        http2::bound(&mut server, streams, self.largest_head);
        server
    }

    /// Waits until one more connection may be open; none once no more are accepted.
    async fn room(&self, stage: &mut watch::Receiver<ShutdownStage>) -> Option<OwnedSemaphorePermit> {
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
pub(super) async fn accept(listening: BoundListener, ground: Arc<ListenerContext>) {
    let BoundListener { listener, role, tls, streams, proxy_protocol } = listening;
    let stage = ground.stage.subscribe();
    let either = ground.server(streams);
    let servers = Arc::new(HttpServers { http2: either.clone().http2_only(), either });
    let how = ServeConfig { role, tls, proxy_protocol, servers, ground };
    supervise("a listener", || accept_while_open(&listener, &how, stage.clone())).await;
    accept_last(listener, &how).await;
}

/// Returns once no more connections are accepted.
async fn accept_while_open(
    listener: &TcpListener,
    how: &ServeConfig,
    mut stage: watch::Receiver<ShutdownStage>,
) {
    let mut told: Option<Instant> = None;
    while let Some(permit) = how.ground.room(&mut stage).await {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stage.changed() => return,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer, how, Some(permit)),
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
}

/// The system has accepted these for us already; their clients know of no end.
async fn accept_last(listener: TcpListener, how: &ServeConfig) {
    while let Ok(Ok((stream, peer))) = timeout(Duration::ZERO, listener.accept()).await {
        begin(stream, peer, how, None);
    }
    drop(listener);
    tokio::time::sleep(FIRST_BYTES).await;
}

/// How the connections of a listener are served.
#[derive(Clone)]
struct ServeConfig {
    role: ListenerRole,
    tls: Option<ListenerTlsAcceptor>,
    proxy_protocol: bool,
    servers: Arc<HttpServers>,
    ground: Arc<ListenerContext>,
}

/// What is spoken on a connection.
struct HttpServers {
    /// What its first bytes say.
    either: auto::Builder<TokioExecutor>,
    /// HTTP/2, as was agreed on.
    http2: auto::Builder<TokioExecutor>,
}

fn begin(mut stream: TcpStream, peer: SocketAddr, how: &ServeConfig, permit: Option<OwnedSemaphorePermit>) {
    // Without it small answers wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let (how, pulse) = (how.clone(), how.ground.pulses.begin());
    let stage = how.ground.stage.subscribe();
    let place = permit.map(Arc::new);
    tokio::spawn(async move {
        let mut announced = None;
        if how.proxy_protocol {
            // In a box, as the others do not keep room for it.
            match Box::pin(announcement(&mut stream, peer, local, how.ground.first_bytes)).await {
                Some(told) => announced = told.source(),
                None => return,
            }
        }
        let abort = AbortHandle::default();
        let wrap = |stream| socket::abortable(stream, abort.clone());
        match &how.tls {
            None => {
                let connection =
                    ClientConnection::new(peer, local, None, stage).speaking_for(announced).at(place);
                let session = session(&how, connection, abort.clone(), pulse);
                serve(wrap(stream), &how.servers.either, session).await;
            }
            Some(acceptor) => {
                let Some((stream, tls)) = acceptor.accept(stream, wrap).await else { return };
                let connection =
                    ClientConnection::new(peer, local, Some(tls), stage).speaking_for(announced).at(place);
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let server = if http2 { &how.servers.http2 } else { &how.servers.either };
                serve(stream, server, session(&how, connection, abort.clone(), pulse)).await;
            }
        }
    });
}

/// What the PROXY protocol says at the beginning of a connection; none if it says nothing that can be understood.
async fn announcement(
    stream: &mut TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    limit: Duration,
) -> Option<ProxyHeader> {
    match timeout(limit, proxy_protocol::receive(stream)).await {
        Ok(Ok(told)) => return Some(told),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => tracing::warn!(
            "connection from {peer} to {local}, whose flag proxy_protocol asks for a PROXY header, closed: {error}"
        ),
        // Nobody but a health check connects and says nothing.
        Ok(Err(error)) => tracing::debug!("connection from {peer} ended before its PROXY header: {error}"),
        Err(_) => tracing::debug!("connection from {peer} closed: its PROXY header took too long"),
    }
    None
}

fn session(
    how: &ServeConfig,
    connection: ClientConnection,
    abort: AbortHandle,
    pulse: Arc<ConnectionActivity>,
) -> Arc<ConnectionSession> {
    Arc::new(ConnectionSession {
        role: how.role.clone(),
        connection,
        abort,
        pulse,
        log: how.ground.log.clone(),
        served: AtomicU64::new(0),
        most: how.ground.most_requests,
        load: how.ground.load.clone(),
        outgoing: Outgoing::default(),
    })
}

async fn serve<S>(stream: S, server: &auto::Builder<TokioExecutor>, session: Arc<ConnectionSession>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let wire = TokioIo::new(InspectingIo::new(stream, Arc::clone(&session)));
    let (peer, pulse) = (session.connection.peer, Arc::clone(&session.pulse));
    let answering = Arc::clone(&session);
    let service = service_fn(move |request| Arc::clone(&answering).answer(request));
    let mut serving = pin!(server.serve_connection_with_upgrades(wire, service));
    loop {
        tokio::select! {
            biased;
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("connection from {peer} ended: {error}");
                    session.outgoing.note_error(&*error);
                }
                return;
            }
            ending = pulse.ending() => match ending {
                ConnectionEnding::Orderly => serving.as_mut().graceful_shutdown(),
                ConnectionEnding::Cut => return,
            },
        }
    }
}

/// Whether only this connection is gone, and the next one may be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
