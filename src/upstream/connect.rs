//! Opening of a connection: address, TCP, TLS, HTTP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    OriginTls, ResponseHeadBounds, UpstreamOrigin, UpstreamProtocol, error::FailureCause, http1, http2,
    stream::UpstreamStream,
};

/// A new connection.
#[derive(Debug)]
pub(super) enum NewConnection {
    /// HTTP/1.1: one request at a time.
    Http1(http1::Http1Connection),
    /// HTTP/2: many requests at a time.
    Http2(http2::Http2Connection),
}

/// Resolves the host of an origin to its addresses, in the order of the system resolver.
pub(super) async fn resolve(
    origin: &UpstreamOrigin,
    limit: Duration,
) -> Result<Vec<SocketAddr>, FailureCause> {
    if let Ok(address) = origin.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, origin.port)]);
    }
    let lookup = tokio::net::lookup_host((&*origin.host, origin.port));
    let found: Vec<SocketAddr> = match timeout(limit, lookup).await {
        Ok(found) => found.map_err(FailureCause::NameResolution)?.collect(),
        Err(_) => return Err(FailureCause::NameResolution(io::ErrorKind::TimedOut.into())),
    };
    if found.is_empty() {
        return Err(FailureCause::NameResolution(io::ErrorKind::NotFound.into()));
    }
    Ok(found)
}

/// Connects to one address. `limit` bounds TCP and TLS together.
pub(super) async fn connect(
    address: SocketAddr,
    origin: &UpstreamOrigin,
    limit: Duration,
    head_bounds: ResponseHeadBounds,
) -> Result<NewConnection, FailureCause> {
    let connecting = async {
        let stream = TcpStream::connect(address).await.map_err(FailureCause::Connect)?;
        stream.set_nodelay(true).map_err(FailureCause::Connect)?;
        match &origin.protocol {
            UpstreamProtocol::Http => {
                Ok(NewConnection::Http1(http1::Http1Connection::new(UpstreamStream::Plain(stream))))
            }
            UpstreamProtocol::Http2 => http2::handshake(stream, head_bounds).await.map(NewConnection::Http2),
            UpstreamProtocol::Https(OriginTls { server_name, settings, http2 }) => {
                let name = server_name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
                let client = TlsConnector::from(settings.client(*http2).clone());
                let stream = client.connect(name, stream).await.map_err(FailureCause::Tls)?;
                if *http2 {
                    http2::handshake(stream, head_bounds).await.map(NewConnection::Http2)
                } else {
                    Ok(NewConnection::Http1(http1::Http1Connection::new(UpstreamStream::Tls(Box::new(
                        stream,
                    )))))
                }
            }
        }
    };
    timeout(limit, connecting).await.unwrap_or(Err(FailureCause::ConnectTimeout))
}
