//! Where the tries of one request go.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, StatusCode};
use rustls::pki_types::ServerName;

use super::{FailureCause, UpstreamOrigin, UpstreamProtocol, connect::addresses};
use crate::uri::Authority;

/// One place that a request may go to.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Whom to speak to, and how; connections are kept by this.
    pub origin: UpstreamOrigin,
    /// What to connect to.
    pub address: SocketAddr,
    /// The Host that it sees; none leaves the request's.
    pub host: Option<HeaderValue>,
}

/// How a try ended: with the head of a response after some time, or not.
pub type TryOutcome<'a> = Result<(StatusCode, Duration), &'a FailureCause>;

/// Says where the tries of one request go, and hears how they end.
pub trait Peers: Send {
    /// Where the next try goes.
    ///
    /// # Errors
    /// There is no place to go to; no further try is made.
    fn next(&mut self) -> impl Future<Output = Result<Peer, FailureCause>> + Send;

    /// Hears how the try at the last peer ended. An idle connection that turns out to be dead is no try.
    fn ended(&mut self, outcome: TryOutcome<'_>);

    /// How many peers a request tries at least, whatever its `retries`: the addresses of one host.
    fn width(&self) -> usize {
        1
    }
}

/// A place in the form that an [`UpstreamOrigin`] is made of without work: prepared once, used by every request.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What to connect to.
    pub address: SocketAddr,
    host: Arc<str>,
    server_name: Option<ServerName<'static>>,
}

impl Endpoint {
    /// The place at this address, whose TLS handshakes ask for `server_name` (unless it is no DNS name).
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
    /// The same manners towards another place; handshakes ask for the name of that place, unless `keep_name`.
    #[must_use]
    pub fn at(&self, place: &Endpoint, keep_name: bool) -> Self {
        let mut protocol = self.protocol.clone();
        if let UpstreamProtocol::Https(tls) = &mut protocol
            && !keep_name
        {
            tls.server_name.clone_from(&place.server_name);
        }
        Self { host: place.host.clone(), port: place.address.port(), protocol }
    }

    /// The same, but handshakes ask for what this Host field names.
    #[must_use]
    pub fn named(&self, host: &HeaderValue) -> Self {
        let mut origin = self.clone();
        if let UpstreamProtocol::Https(tls) = &mut origin.protocol {
            let name = Authority::parse(host.as_bytes()).map(|authority| authority.bare_host().to_owned());
            tls.server_name = name.and_then(|name| ServerName::try_from(name).ok());
        }
        origin
    }

    /// Whether it is spoken to over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.protocol, UpstreamProtocol::Https(_))
    }

    /// Whether it is at this address.
    #[must_use]
    pub fn is_at(&self, address: SocketAddr) -> bool {
        self.port == address.port() && self.host.parse::<IpAddr>().is_ok_and(|it| it == address.ip())
    }
}

/// The addresses of one origin, in the system resolver's order, one after the other.
pub(super) struct OriginAddresses<'a> {
    origin: &'a UpstreamOrigin,
    limit: Duration,
    all: Vec<SocketAddr>,
    turn: usize,
}

impl<'a> OriginAddresses<'a> {
    pub(super) fn new(origin: &'a UpstreamOrigin, limit: Duration) -> Self {
        Self { origin, limit, all: Vec::new(), turn: 0 }
    }
}

impl Peers for OriginAddresses<'_> {
    async fn next(&mut self) -> Result<Peer, FailureCause> {
        if self.all.is_empty() {
            self.all = addresses(self.origin, self.limit).await?;
        }
        let address = self.all.get(self.turn % self.all.len().max(1));
        let address = *address.ok_or_else(|| FailureCause::NameResolution(io::ErrorKind::NotFound.into()))?;
        self.turn += 1;
        Ok(Peer { origin: self.origin.clone(), address, host: None })
    }

    fn ended(&mut self, _: TryOutcome<'_>) {}

    fn width(&self) -> usize {
        self.all.len().max(1)
    }
}
