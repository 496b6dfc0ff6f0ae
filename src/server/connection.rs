//! One task per connection: HTTP/1.1 or HTTP/2 in, whatever the role answers out.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response, Version};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

use super::{
    Listening, http2,
    socket::{self, Abort, Aborted},
    tls::Acceptor,
};
use crate::{
    body::{Body, Reset},
    control::admin::Admin,
    proxy::{Connection, Proxy},
};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait when the process has no file descriptor left for a connection.
const EXHAUSTED: Duration = Duration::from_millis(20);

/// How long a connection accepted at the very end has to be read from: one that has said nothing is closed.
const FIRST_BYTES: Duration = Duration::from_millis(50);

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

impl Role {
    async fn answer(&self, request: Request<Incoming>, connection: Connection) -> Response<Body> {
        match self {
            Self::Proxy(proxy) => proxy.answer(request.map(Body::from), connection).await,
            // In a box, or the room that these need would be moved about for each request of a proxy.
            Self::Admin(admin) => {
                let local = connection.local.ip().to_canonical().is_loopback();
                Box::pin(admin.answer(request.map(Body::from), local)).await
            }
            Self::Status(admin) => Box::pin(admin.status_answer(request.map(Body::from))).await,
        }
    }
}

/// Accepts connections until told to close, and returns those that are still open.
pub async fn accept(listening: Listening, mut closing: watch::Receiver<bool>) -> GracefulShutdown {
    let Listening { listener, role, tls, streams } = listening;
    let open = GracefulShutdown::new();
    let how = How { role, tls, server: server(streams) };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer, &how, &open),
            Err(error) if is_of_one_connection(&error) => (),
            Err(error) => {
                tracing::error!("cannot accept connections: {error}");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    // The system has accepted these for us already; their clients know of no end.
    while let Ok(Ok((stream, peer))) = timeout(Duration::ZERO, listener.accept()).await {
        begin(stream, peer, &how, &open);
    }
    drop(listener);
    tokio::time::sleep(FIRST_BYTES).await;
    open
}

fn server(streams: u32) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    http2::bound(&mut server, streams);
    server
}

/// How the connections of a listener are served.
#[derive(Clone)]
struct How {
    role: Role,
    tls: Option<Acceptor>,
    server: auto::Builder<TokioExecutor>,
}

fn begin(stream: TcpStream, peer: SocketAddr, how: &How, open: &GracefulShutdown) {
    // Without it small answers wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let (how, open) = (how.clone(), open.watcher());
    tokio::spawn(async move {
        let abort = Abort::default();
        let wrap = |stream| socket::abortable(stream, abort.clone());
        match &how.tls {
            None => {
                let connection = Connection { peer, local, tls: None };
                serve(wrap(stream), abort.clone(), connection, how, open).await;
            }
            Some(acceptor) => {
                let Some((stream, tls)) = acceptor.accept(stream, wrap).await else { return };
                let connection = Connection { peer, local, tls: Some(tls) };
                serve(stream, abort.clone(), connection, how, open).await;
            }
        }
    });
}

async fn serve<S>(stream: S, abort: Abort, connection: Connection, how: How, open: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let How { role, server, .. } = how;
    let peer = connection.peer;
    let service = service_fn(move |request: Request<Incoming>| {
        let (role, abort, connection) = (role.clone(), abort.clone(), connection.clone());
        async move {
            let alone = request.version() < Version::HTTP_2;
            let response = role.answer(request, connection).await;
            if response.extensions().get::<Reset>().is_none() {
                return Ok(response);
            }
            if alone {
                abort.abort();
            }
            Err(Aborted)
        }
    });
    let serving = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    if let Err(error) = open.watch(serving).await {
        tracing::debug!("connection from {peer} ended: {error}");
    }
}

/// Whether only this connection is gone, and the next one may be accepted at once.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
