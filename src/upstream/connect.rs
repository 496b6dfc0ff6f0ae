//! Making a connection: address, TCP, TLS, HTTP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::AbortHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{Origin, Protocol, Tls, body::Upload, error::Cause, http2 as shared};

/// The longest header block of a response, in bytes.
pub(super) const MAX_RESPONSE_HEAD: usize = 64 * 1024;

/// A connection, and how to end it at once.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: Sender,
    pub(super) task: AbortHandle,
    /// How many requests it has answered.
    pub(super) served: u32,
}

/// Where a connection takes requests.
#[derive(Debug)]
pub(super) enum Sender {
    /// One at a time.
    Http1(http1::SendRequest<Upload>),
    /// Many; the others hold clones.
    Http2(http2::SendRequest<Upload>),
}

impl Sender {
    /// Whether a request can be sent at once.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_ready(),
            Self::Http2(sender) => sender.is_ready() && !sender.is_closed(),
        }
    }

    /// Whether no request can be sent any more.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// Waits until a request can be sent.
    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        }
    }

    /// Sends a request, and waits for the head of its response.
    pub(super) async fn try_send_request(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// All addresses of an origin, in the resolver's order.
pub(super) async fn addresses(origin: &Origin, limit: Duration) -> Result<Vec<SocketAddr>, Cause> {
    if let Ok(address) = origin.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, origin.port)]);
    }
    let lookup = tokio::net::lookup_host((&*origin.host, origin.port));
    let found: Vec<SocketAddr> = match timeout(limit, lookup).await {
        Ok(found) => found.map_err(Cause::NameResolution)?.collect(),
        Err(_) => return Err(Cause::NameResolution(io::ErrorKind::TimedOut.into())),
    };
    if found.is_empty() {
        return Err(Cause::NameResolution(io::ErrorKind::NotFound.into()));
    }
    Ok(found)
}

/// Connects to one address; TCP and TLS together take no longer than `limit`.
pub(super) async fn connect(
    address: SocketAddr,
    origin: &Origin,
    limit: Duration,
) -> Result<Connection, Cause> {
    let connecting = async {
        let stream = TcpStream::connect(address).await.map_err(Cause::Connect)?;
        stream.set_nodelay(true).map_err(Cause::Connect)?;
        match &origin.protocol {
            Protocol::Http => handshake(stream).await,
            Protocol::Http2 => shared::handshake(stream).await,
            Protocol::Https(Tls { server_name, settings, http2 }) => {
                let name = server_name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
                let client = TlsConnector::from(settings.client(*http2).clone());
                let stream = client.connect(name, stream).await.map_err(Cause::Tls)?;
                if *http2 { shared::handshake(stream).await } else { handshake(stream).await }
            }
        }
    };
    timeout(limit, connecting).await.unwrap_or(Err(Cause::ConnectTimeout))
}

/// Starts HTTP/1.1 on a stream.
async fn handshake<T>(stream: T) -> Result<Connection, Cause>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_header_size(MAX_RESPONSE_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Cause::of_exchange)?;
    let driving = tokio::spawn(async move {
        // Whoever waits for a response or a body is told the error; nobody else wants it.
        drop(connection.with_upgrades().await);
    });
    Ok(Connection { sender: Sender::Http1(sender), task: driving.abort_handle(), served: 0 })
}
