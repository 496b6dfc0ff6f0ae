//! Accept loop of a listener, and the task of each connection, which serves HTTP/1.1 or HTTP/2.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    pin::{Pin, pin},
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use http::{Response, StatusCode};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulConnection},
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
    handover, http2,
    inspecting_io::InspectingIo,
    proxy_protocol::{self, ProxyHeader},
    session::{ConnectionSession, OutputState},
    socket::{self, AbortHandle},
    tls::ListenerTlsAcceptor,
};
#[cfg(feature = "ui")]
use crate::pages::PageServer;
use crate::{
    access_log::AccessLog,
    body::Body,
    control::{Readiness, admin::AdminApi},
    metrics::ListenerCounters,
    proxy::{ClientConnection, HeadBounds, Proxy, ShutdownStage},
    reply,
    settings::Settings,
    supervise::supervise,
};

/// Pause after a failed accept, such as without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Shortest time between two log lines about failed accepts.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Time to wait for idle connections to close before the next ones are closed.
const CLOSE_IDLE_INTERVAL: Duration = Duration::from_millis(250);

/// Time to read from connections that are accepted at the end of a shutdown's first stage; those without a byte are closed.
const LAST_READ_TIME: Duration = Duration::from_millis(50);

/// Most bytes of one read of a body. The head of a request has its own bound.
const READ_BUFFER: usize = 128 << 10;

/// What answers the requests of a listener.
#[derive(Clone, Debug)]
pub enum ListenerRole {
    /// The proxy, by the Routes of the current Snapshot.
    Proxy(Arc<Proxy>),
    /// The Admin API.
    Admin(Arc<AdminApi>),
    /// The status API, a part of the Admin API about health.
    Status(Arc<AdminApi>),
    /// A page, with the Admin API below its path.
    #[cfg(feature = "ui")]
    Page(Arc<PageServer>),
}

impl ListenerRole {
    /// Answer of a listener other than the proxy to a request that cannot be parsed.
    pub(super) fn answer_malformed(&self, status: StatusCode) -> Response<Body> {
        match self {
            Self::Admin(admin) | Self::Status(admin) => admin.answer_malformed(status),
            #[cfg(feature = "ui")]
            Self::Page(page) => page.admin().answer_malformed(status),
            Self::Proxy(_) => reply::message(status, &reply::default_message(status)),
        }
    }
}

/// State that the listeners of a group share.
#[derive(Debug)]
pub(super) struct ListenerContext {
    pub(super) reaper: ConnectionReaper,
    /// A permit for each connection that may be open.
    connection_permits: Arc<Semaphore>,
    pub(super) stage: watch::Sender<ShutdownStage>,
    readiness: Arc<Readiness>,
    /// Limit of concurrent requests of all connections.
    concurrency_limit: Option<Arc<ConcurrencyLimit>>,
    keep_alive: bool,
    /// Most requests per connection. (nginx: `keepalive_requests`)
    max_requests: Option<u64>,
    head_bounds: HeadBounds,
    /// Time limit for a header of the PROXY protocol.
    proxy_header_timeout: Duration,
}

impl ListenerContext {
    /// The context for at most `connections` and `requests` at a time; the states of connections are counted in `counters`.
    pub(super) fn new(
        settings: &Settings,
        connections: usize,
        requests: Option<NonZeroUsize>,
        readiness: &Arc<Readiness>,
        counters: &Arc<ListenerCounters>,
    ) -> Self {
        Self {
            reaper: ConnectionReaper::new(settings, Arc::clone(counters)),
            connection_permits: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            stage: watch::Sender::new(ShutdownStage::Running),
            readiness: Arc::clone(readiness),
            concurrency_limit: requests.map(|max| Arc::new(ConcurrencyLimit::new(max))),
            keep_alive: settings.keepalive_timeout.is_some(),
            max_requests: settings.keepalive_requests.map(std::num::NonZeroU64::get),
            head_bounds: HeadBounds::from(settings),
            proxy_header_timeout: settings.client_header_timeout,
        }
    }

    /// A server with the bounds of this listener.
    fn new_server(&self, max_streams: u32) -> auto::Builder<TokioExecutor> {
        let mut server = auto::Builder::new(TokioExecutor::new());
        // The reaper applies the timeouts.
        server
            .http1()
            .header_read_timeout(None)
            .auto_date_header(false)
            .keep_alive(self.keep_alive)
            .max_buf_size(READ_BUFFER.max(self.head_bounds.parser_bytes()));
        if let Some(max_fields) = self.head_bounds.parser_fields() {
            server.http1().max_headers(max_fields);
        }
        http2::set_bounds(&mut server, max_streams, &self.head_bounds);
        server
    }

    /// Waits for a permit for one more connection; `None` once no more connections are accepted.
    async fn acquire_permit(
        &self,
        stage: &mut watch::Receiver<ShutdownStage>,
    ) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.connection_permits).try_acquire_owned() {
            return Some(permit);
        }
        loop {
            self.reaper.close_idle();
            tokio::select! {
                permit = Arc::clone(&self.connection_permits).acquire_owned() => return permit.ok(),
                _ = stage.changed() => return None,
                () = tokio::time::sleep(CLOSE_IDLE_INTERVAL) => {}
            }
        }
    }
}

/// Accepts connections until a shutdown begins.
pub(super) async fn accept(bound: BoundListener, context: Arc<ListenerContext>) {
    let BoundListener { listener, role, access_log, tls, max_streams, proxy_protocol, shares_port } = bound;
    let stage = context.stage.subscribe();
    let either = context.new_server(max_streams);
    let servers = Arc::new(HttpServers { http2: either.clone().http2_only(), either });
    let config = ServeConfig { role, access_log, tls, proxy_protocol, servers, context };
    supervise("a listener", || accept_while_open(&listener, &config, stage.clone())).await;
    if shares_port {
        handover::accept_begun(&listener, |stream, peer| spawn_connection(stream, peer, &config, None)).await;
    }
    accept_last(listener, &config).await;
}

/// Accepts connections; returns once a shutdown begins.
async fn accept_while_open(
    listener: &TcpListener,
    config: &ServeConfig,
    mut stage: watch::Receiver<ShutdownStage>,
) {
    let mut last_logged: Option<Instant> = None;
    while let Some(permit) = config.context.acquire_permit(&mut stage).await {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stage.changed() => return,
        };
        match accepted {
            Ok((stream, peer)) => spawn_connection(stream, peer, config, Some(permit)),
            Err(error) if concerns_one_connection(&error) => (),
            Err(error) => {
                if last_logged.is_none_or(|time| time.elapsed() > LOG_INTERVAL) {
                    tracing::error!("cannot accept connections: {error}");
                    last_logged = Some(Instant::now());
                }
                config.context.reaper.close_idle();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves the connections that the system has already accepted: their clients cannot tell that the listener closes.
async fn accept_last(listener: TcpListener, config: &ServeConfig) {
    while let Ok(Ok((stream, peer))) = timeout(Duration::ZERO, listener.accept()).await {
        spawn_connection(stream, peer, config, None);
    }
    drop(listener);
    tokio::time::sleep(LAST_READ_TIME).await;
}

/// How the connections of a listener are served.
#[derive(Clone)]
struct ServeConfig {
    role: ListenerRole,
    access_log: Option<Arc<AccessLog>>,
    tls: Option<ListenerTlsAcceptor>,
    proxy_protocol: bool,
    servers: Arc<HttpServers>,
    context: Arc<ListenerContext>,
}

/// HTTP servers of a listener.
struct HttpServers {
    /// HTTP/1.1 or HTTP/2, by the first bytes of the client.
    either: auto::Builder<TokioExecutor>,
    /// HTTP/2, as negotiated in the TLS handshake.
    http2: auto::Builder<TokioExecutor>,
}

/// Serves a connection in a task of its own.
fn spawn_connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    config: &ServeConfig,
    permit: Option<OwnedSemaphorePermit>,
) {
    // Otherwise small responses wait for the client's acknowledgement (Nagle's algorithm).
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let (config, activity) = (config.clone(), config.context.reaper.register());
    let stage = config.context.stage.subscribe();
    let permit = permit.map(Arc::new);
    tokio::spawn(async move {
        let mut client = None;
        if config.proxy_protocol {
            // Boxed, so that connections without the PROXY protocol do not keep space for it.
            let timeout = config.context.proxy_header_timeout;
            match Box::pin(read_proxy_header(&mut stream, peer, local, timeout)).await {
                Some(header) => client = header.source(),
                None => return,
            }
        }
        let abort = AbortHandle::default();
        let wrap = |stream| socket::abortable(stream, abort.clone());
        match &config.tls {
            None => {
                let connection = ClientConnection::new(peer, local, None, stage)
                    .with_proxy_protocol_client(client)
                    .with_permit(permit);
                let session = new_session(&config, connection, abort.clone(), activity);
                serve(wrap(stream), &config.servers, session, false).await;
            }
            Some(acceptor) => {
                let Some((stream, tls)) = acceptor.accept(stream, wrap).await else { return };
                let connection = ClientConnection::new(peer, local, Some(tls), stage)
                    .with_proxy_protocol_client(client)
                    .with_permit(permit);
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let session = new_session(&config, connection, abort.clone(), activity);
                serve(stream, &config.servers, session, is_http2).await;
            }
        }
    });
}

/// Reads the PROXY protocol header of a connection; `None` if there is no valid one.
async fn read_proxy_header(
    stream: &mut TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    limit: Duration,
) -> Option<ProxyHeader> {
    match timeout(limit, proxy_protocol::receive(stream)).await {
        Ok(Ok(header)) => return Some(header),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => tracing::warn!(
            "connection from {peer} to {local}, whose flag proxy_protocol asks for a PROXY header, closed: {error}"
        ),
        // Usually a health check, which connects and sends nothing.
        Ok(Err(error)) => tracing::debug!("connection from {peer} ended before its PROXY header: {error}"),
        Err(_) => tracing::debug!("connection from {peer} closed: its PROXY header took too long"),
    }
    None
}

fn new_session(
    config: &ServeConfig,
    connection: ClientConnection,
    abort: AbortHandle,
    activity: Arc<ConnectionActivity>,
) -> Arc<ConnectionSession> {
    Arc::new(ConnectionSession {
        role: config.role.clone(),
        connection,
        abort,
        activity,
        access_log: config.access_log.clone(),
        served: AtomicU64::new(0),
        max_requests: config.context.max_requests,
        readiness: Arc::clone(&config.context.readiness),
        concurrency_limit: config.context.concurrency_limit.clone(),
        output: OutputState::default(),
    })
}

/// Serves a connection until it ends. `is_http2` says that the handshake of TLS has negotiated HTTP/2.
async fn serve<S>(stream: S, servers: &HttpServers, session: Arc<ConnectionSession>, is_http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(InspectingIo::new(stream, Arc::clone(&session), is_http2));
    let responder = Arc::clone(&session);
    let service = service_fn(move |request| Arc::clone(&responder).answer(request));
    if is_http2 {
        // Sends SETTINGS at once; `serve_connection_with_upgrades` would first read the preface of the client. Extended
        // CONNECT needs no such upgrade.
        run_until_ended(pin!(servers.http2.serve_connection(io, service)), &session).await;
    } else {
        run_until_ended(pin!(servers.either.serve_connection_with_upgrades(io, service)), &session).await;
    }
}

/// Runs a connection until it ends, or has to end.
async fn run_until_ended<C>(mut serving: Pin<&mut C>, session: &ConnectionSession)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display + AsRef<dyn std::error::Error + Send + Sync>,
{
    let (peer, activity) = (session.connection.peer, &session.activity);
    loop {
        tokio::select! {
            biased;
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("connection from {peer} ended: {error}");
                    session.output.record_error(error.as_ref());
                }
                return;
            }
            ending = activity.wait_for_ending() => match ending {
                ConnectionEnding::Graceful => serving.as_mut().graceful_shutdown(),
                ConnectionEnding::Immediate => return,
            },
        }
    }
}

/// Whether an accept failed for this connection only, so that the next one may be accepted at once.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
