//! Peers that the attempts of one request go to.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, StatusCode};
use rustls::pki_types::ServerName;

use super::{FailureCause, UpstreamOrigin, UpstreamProtocol, connect::resolve};
use crate::uri::Authority;

/// A peer that a request may go to.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Origin of the peer, under which its connections are kept.
    pub origin: UpstreamOrigin,
    /// Address to connect to.
    pub address: SocketAddr,
    /// Host field for the peer; `None` keeps that of the request.
    pub host: Option<HeaderValue>,
}

/// Outcome of an attempt: the status of the response and the time until its head was received, or the failure.
pub type AttemptOutcome<'a> = Result<(StatusCode, Duration), &'a FailureCause>;

/// Source of the peers for one request, which receives the outcome of each attempt.
pub trait Peers: Send {
    /// The peer for the next attempt.
    ///
    /// # Errors
    /// If there is no peer; no further attempt is made.
    fn next(&mut self) -> impl Future<Output = Result<Peer, FailureCause>> + Send;

    /// Reports the outcome of the attempt at the last peer. An idle connection that turns out to be closed is not an
    /// attempt.
    fn report_outcome(&mut self, outcome: AttemptOutcome<'_>);

    /// The least number of attempts, whatever the `retries` of the Service: one for each address of a host.
    fn min_attempts(&self) -> usize {
        1
    }
}

/// Address of a peer, prepared once so that each request makes an [`UpstreamOrigin`] of it without an allocation.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Address to connect to.
    pub address: SocketAddr,
    host: Arc<str>,
    server_name: Option<ServerName<'static>>,
}

impl Endpoint {
    /// The endpoint at this address. `server_name` is sent as SNI (if it is a DNS name).
    #[must_use]
    pub fn new(address: SocketAddr, server_name: &str) -> Self {
        Self {
            address,
            host: address.ip().to_string().into(),
            server_name: ServerName::try_from(server_name.to_owned()).ok(),
        }
    }
}

impl UpstreamOrigin {
    /// The same protocol and settings for an endpoint, and its server name unless `keep_name`.
    #[must_use]
    pub fn with_endpoint(&self, endpoint: &Endpoint, keep_name: bool) -> Self {
        let mut protocol = self.protocol.clone();
        if let UpstreamProtocol::Https(tls) = &mut protocol
            && !keep_name
        {
            tls.server_name.clone_from(&endpoint.server_name);
        }
        Self { host: endpoint.host.clone(), port: endpoint.address.port(), protocol }
    }

    /// The same origin with the server name of a Host field.
    #[must_use]
    pub fn with_server_name_of(&self, host: &HeaderValue) -> Self {
        let mut origin = self.clone();
        if let UpstreamProtocol::Https(tls) = &mut origin.protocol {
            let name = Authority::parse(host.as_bytes()).map(|authority| authority.bare_host().to_owned());
            tls.server_name = name.and_then(|name| ServerName::try_from(name).ok());
        }
        origin
    }

    /// Whether the origin uses TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.protocol, UpstreamProtocol::Https(_))
    }

    /// Whether the host of the origin is this address.
    #[must_use]
    pub fn has_address(&self, address: SocketAddr) -> bool {
        self.port == address.port() && self.host.parse::<IpAddr>().is_ok_and(|host| host == address.ip())
    }
}

/// The addresses of one origin as peers, in the order of the system resolver.
pub(super) struct OriginAddresses<'a> {
    origin: &'a UpstreamOrigin,
    limit: Duration,
    addresses: Vec<SocketAddr>,
    next: usize,
}

impl<'a> OriginAddresses<'a> {
    pub(super) fn new(origin: &'a UpstreamOrigin, limit: Duration) -> Self {
        Self { origin, limit, addresses: Vec::new(), next: 0 }
    }
}

impl Peers for OriginAddresses<'_> {
    async fn next(&mut self) -> Result<Peer, FailureCause> {
        if self.addresses.is_empty() {
            self.addresses = resolve(self.origin, self.limit).await?;
        }
        let address = self.addresses.get(self.next % self.addresses.len().max(1));
        let address = *address.ok_or_else(|| FailureCause::NameResolution(io::ErrorKind::NotFound.into()))?;
        self.next += 1;
        Ok(Peer { origin: self.origin.clone(), address, host: None })
    }

    fn report_outcome(&mut self, _: AttemptOutcome<'_>) {}

    fn min_attempts(&self) -> usize {
        self.addresses.len().max(1)
    }
}
