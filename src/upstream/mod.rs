//! Client of upstreams: connection pool, HTTP/1.1 and HTTP/2, TLS, retries and timeouts.
//!
//! [`ConnectionPool::send`] takes an idle connection or opens one, writes the request and waits for the head of the
//! response. Three rules are those of a gateway: timeouts belong to a Service; a request on a reused connection that turns
//! out to be closed is sent again if, and only if, that is safe; and a client that disconnects closes its upstream
//! connection.
//!
//! | file | what it holds |
//! |---|---|
//! | `pool` | connections to all origins, and leases of them |
//! | `connect` | opening a connection: address, TCP, TLS |
//! | `stream` | bytes of a connection |
//! | `http1` | HTTP/1.1: one request at a time on a connection |
//! | `http2` | HTTP/2: connections that many requests share |
//! | `tls` | TLS settings: trusted authorities, client certificate |
//! | `head` | head of a request |
//! | `framing` | length of the body of a response |
//! | `peers` | peers that a request may go to |
//! | `send` | attempts, and when a request is repeated |
//! | `error` | errors, and their answers |

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
pub use head::{RequestHead, ResponseHeadBounds};
pub use peers::{AttemptOutcome, Endpoint, Peer, Peers};
pub use pool::ConnectionPool;
pub use stream::UpgradedStream;
pub use tls::{TlsSettings, Trust};

use std::{sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::time::Instant;

use crate::body::Body;

/// Host, port and protocol of an upstream. Requests to equal origins share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamOrigin {
    host: Arc<str>,
    port: u16,
    protocol: UpstreamProtocol,
}

/// Protocol of an origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum UpstreamProtocol {
    Http,
    /// HTTP/2 in plain text, by prior knowledge. (RFC 9113, section 3.3)
    Http2,
    Https(OriginTls),
}

/// TLS towards an origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OriginTls {
    /// Sent as SNI; `None` for an address.
    server_name: Option<ServerName<'static>>,
    settings: Arc<TlsSettings>,
    http2: bool,
}

impl UpstreamOrigin {
    /// An origin without TLS. `host` is a name, or an address without brackets.
    pub fn http(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port, protocol: UpstreamProtocol::Http }
    }

    /// An origin with TLS. `server_name` is the host part of the Host field that the upstream receives: it is sent as SNI
    /// (if it is a DNS name) and, with settings that verify, has to be in the certificate.
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

    /// Changes the protocol to HTTP/2, in which requests share connections. (Kong: Services of protocol `grpc` and `grpcs`.)
    #[must_use]
    pub fn over_http2(mut self) -> Self {
        match &mut self.protocol {
            UpstreamProtocol::Https(tls) => tls.http2 = true,
            UpstreamProtocol::Http | UpstreamProtocol::Http2 => self.protocol = UpstreamProtocol::Http2,
        }
        self
    }

    /// The same protocol towards another host and port; with TLS, under the name of that host.
    #[must_use]
    pub fn at(&self, host: &str, port: u16) -> Self {
        let mut protocol = self.protocol.clone();
        if let UpstreamProtocol::Https(tls) = &mut protocol {
            tls.server_name = ServerName::try_from(host.to_owned()).ok();
        }
        Self { host: host.into(), port, protocol }
    }

    /// The same origin with other TLS settings, if it has TLS.
    #[must_use]
    pub fn with_tls(mut self, settings: &Arc<TlsSettings>) -> Self {
        if let UpstreamProtocol::Https(tls) = &mut self.protocol {
            tls.settings = Arc::clone(settings);
        }
        self
    }

    /// Whether the protocol is HTTP/2, in which requests share connections.
    const fn is_http2(&self) -> bool {
        match &self.protocol {
            UpstreamProtocol::Http => false,
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::Https(tls) => tls.http2,
        }
    }

    /// The name or address to connect to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Limits of idle connections, and of the heads of responses. The defaults are Kong's (`upstream_keepalive_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// The largest number of idle connections to one origin, per worker; 0 keeps none.
    pub idle_per_origin: usize,
    /// The time after which an idle connection is closed.
    pub idle_timeout: Duration,
    /// The number of requests after which a connection is closed.
    pub max_requests: u32,
    /// Bounds of the heads of responses.
    pub head_bounds: ResponseHeadBounds,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            idle_per_origin: 512,
            idle_timeout: Duration::from_mins(1),
            max_requests: 10_000,
            head_bounds: ResponseHeadBounds::default(),
        }
    }
}

/// Timeouts and retries of a Service. (Kong: Service `connect_timeout`, `write_timeout`, `read_timeout`, `retries`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// To open one connection, including TLS.
    pub connect: Duration,
    /// Between two writes of a request.
    pub write: Duration,
    /// For the head of a response after the request is written, and between two reads of its body.
    pub read: Duration,
    /// Number of further connections to open if one fails.
    pub retries: u32,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        Self { connect: minute, write: minute, read: minute, retries: 5 }
    }
}

/// Response of an upstream.
#[derive(Debug)]
pub struct UpstreamAnswer {
    /// The response as received.
    pub response: http::Response<Body>,
    /// The connection in the new protocol, if the response is a 101.
    pub upgraded: Option<UpgradedStream>,
    /// Number of connections that were opened, or failed to open; 0 if an idle one was used.
    pub attempts: u32,
    /// When the head of the response was received.
    pub received_at: Instant,
}
