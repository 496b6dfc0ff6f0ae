//! What requests come over: a connection and its two ends, and how long it may last.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::client_address::ClientAddress;

/// How far a process that is to end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownStage {
    /// It is not to end.
    Open,
    /// What has begun may finish.
    Draining,
    /// What has not finished by now is cut off.
    Over,
}

/// The connection that a request came over.
#[derive(Clone, Debug)]
pub struct ClientConnection {
    /// The other end.
    pub peer: SocketAddr,
    /// The client for whom it speaks, if it says so in the PROXY protocol.
    pub announced: Option<SocketAddr>,
    /// Our end.
    pub local: SocketAddr,
    /// What was agreed on, if it is over TLS.
    pub tls: Option<ClientTls>,
    /// Tells when the process ends; whoever holds it is waited for.
    pub stage: watch::Receiver<ShutdownStage>,
    /// Its place among those that may be open at a time; it is free for another once nobody holds it.
    pub place: Option<Arc<OwnedSemaphorePermit>>,
    /// The address of the other end, as a text: every request tells it.
    address: Box<str>,
}

/// What a client and a listener agreed on in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// The name that the client asked for, in lower case.
    pub server_name: Option<Arc<str>>,
    /// The version, such as `TLSv1.3`.
    pub version: &'static str,
    /// The cipher, under OpenSSL's name.
    pub cipher: &'static str,
}

impl ClientConnection {
    /// A connection between these two, which takes no place among those that may be open.
    #[must_use]
    pub fn new(
        peer: SocketAddr,
        local: SocketAddr,
        tls: Option<ClientTls>,
        stage: watch::Receiver<ShutdownStage>,
    ) -> Self {
        let address = peer.ip().to_canonical().to_string().into();
        Self { peer, announced: None, local, tls, stage, place: None, address }
    }

    /// The same, speaking for this client.
    #[must_use]
    pub fn speaking_for(self, announced: Option<SocketAddr>) -> Self {
        Self { announced, ..self }
    }

    /// The same, at this place.
    #[must_use]
    pub fn at(self, place: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        Self { place, ..self }
    }

    /// The address of the other end.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of a client that came over it.
    pub(super) fn address_of(&self, client: ClientAddress) -> Cow<'_, str> {
        if client.address == self.peer.ip().to_canonical() {
            Cow::Borrowed(&self.address)
        } else {
            Cow::Owned(client.address.to_string())
        }
    }
}
