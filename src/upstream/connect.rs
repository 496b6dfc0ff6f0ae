//! Making a connection: address, TCP, TLS, HTTP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{Origin, Protocol, Tls, error::Cause, http1, http2, stream::Stream};

/// A new connection.
#[derive(Debug)]
pub(super) enum Connection {
    /// One request at a time.
    Http1(http1::Link),
    /// Many.
    Http2(http2::Connection),
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
            Protocol::Http => Ok(Connection::Http1(http1::Link::new(Stream::Plain(stream)))),
            Protocol::Http2 => http2::handshake(stream).await.map(Connection::Http2),
            Protocol::Https(Tls { server_name, settings, http2 }) => {
                let name = server_name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
                let client = TlsConnector::from(settings.client(*http2).clone());
                let stream = client.connect(name, stream).await.map_err(Cause::Tls)?;
                if *http2 {
                    http2::handshake(stream).await.map(Connection::Http2)
                } else {
                    Ok(Connection::Http1(http1::Link::new(Stream::Tls(Box::new(stream)))))
                }
            }
        }
    };
    timeout(limit, connecting).await.unwrap_or(Err(Cause::ConnectTimeout))
}
