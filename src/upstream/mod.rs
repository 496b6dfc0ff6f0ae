//! OUT: keeps connections to upstreams, and sends requests over them.
//!
//! [`ConnectionPool::send`] takes an idle connection or makes one, writes the request and waits for the head of the response.
//! It has three rules of a gateway: timeouts belong to a Service; a request that met a connection closed meanwhile is
//! sent again if, and only if, that is safe; and a client that leaves takes its upstream connection with it.
//!
//! | part | what it is for |
//! |---|---|
//! | [`pool`] | connections to all origins and their loan |
//! | [`connect`] | address, TCP, TLS |
//! | [`stream`] | the bytes of a connection |
//! | [`http1`] | one request and its response on a connection |
//! | [`http2`] | connections that many requests share |
//! | [`tls`] | what is asked of certificates, and shown |
//! | [`head`] | what a request says |
//! | [`framing`] | what a response says about its body |
//! | [`peers`] | where the tries of a request go |
//! | [`send`] | tries, and when one may be repeated |
//! | [`error`] | what can go wrong |

mod connect;
mod error;
mod framing;
mod head;
mod http1;
mod http2;
mod peers;
mod pool;
mod send;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

pub use error::{FailureCause, SendFailure};
pub use head::RequestHead;
pub use peers::{Endpoint, Peer, Peers, TryOutcome};
pub use pool::ConnectionPool;
pub use stream::UpgradedStream;
pub use tls::{TlsSettings, Trust};

use std::{sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::time::Instant;

use crate::body::Body;

/// Where requests go. Equal origins share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamOrigin {
    host: Arc<str>,
    port: u16,
    protocol: UpstreamProtocol,
}

/// How an origin is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum UpstreamProtocol {
    Http,
    /// HTTP/2 in plain text, by prior knowledge. (RFC 9113, section 3.3)
    Http2,
    Https(OriginTls),
}

/// How TLS is spoken with an origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OriginTls {
    /// Sent as SNI; none for an address.
    server_name: Option<ServerName<'static>>,
    settings: Arc<TlsSettings>,
    http2: bool,
}

impl UpstreamOrigin {
    /// An origin in plain text. `host` is a name, or an address without brackets.
    pub fn http(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port, protocol: UpstreamProtocol::Http }
    }

    /// An origin in TLS. `server_name` is the host part of the Host field that the upstream gets: it is sent as SNI
    /// (unless it is no DNS name) and, with settings that verify, has to be in the certificate.
    pub fn https(
        host: impl Into<Arc<str>>,
        port: u16,
        server_name: &str,
        settings: Arc<TlsSettings>,
    ) -> Self {
        let server_name = ServerName::try_from(server_name.to_owned()).ok();
        let tls = OriginTls { server_name, settings, http2: false };
        Self { host: host.into(), port, protocol: UpstreamProtocol::Https(tls) }
    }

    /// The same in HTTP/2: its requests share connections. (Kong: Services of protocol `grpc` and `grpcs`.)
    #[must_use]
    pub fn over_http2(mut self) -> Self {
        match &mut self.protocol {
            UpstreamProtocol::Https(tls) => tls.http2 = true,
            UpstreamProtocol::Http | UpstreamProtocol::Http2 => self.protocol = UpstreamProtocol::Http2,
        }
        self
    }

    /// Whether requests share connections.
    const fn is_http2(&self) -> bool {
        match &self.protocol {
            UpstreamProtocol::Http => false,
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::Https(tls) => tls.http2,
        }
    }

    /// The name or address that is connected to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// How long connections are kept. The defaults are Kong's (`upstream_keepalive_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// The most idle connections to one origin that a worker keeps; 0 keeps none.
    pub idle_per_origin: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How many requests one connection serves.
    pub max_requests: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { idle_per_origin: 512, idle_timeout: Duration::from_mins(1), max_requests: 10_000 }
    }
}

/// A Service's patience. (Kong: Service `connect_timeout`, `write_timeout`, `read_timeout`, `retries`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// For one connection, TLS included.
    pub connect: Duration,
    /// Between two writes of a request.
    pub write: Duration,
    /// For the head of a response after the request is written, and between two reads of its body.
    pub read: Duration,
    /// How many further connections are tried if one fails.
    pub retries: u32,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        Self { connect: minute, write: minute, read: minute, retries: 5 }
    }
}

/// What an upstream answered.
#[derive(Debug)]
pub struct UpstreamAnswer {
    /// The response as it came.
    pub response: http::Response<Body>,
    /// The upstream's end of the connection, if the response is a 101.
    pub switched: Option<UpgradedStream>,
    /// How many connections were asked for; 0 if the first idle one did.
    pub tries: u32,
    /// When the head of the response came.
    pub came: Instant,
}
