//! Client connection: its addresses, its TLS session, and the stage of the shutdown.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::client_address::ClientAddress;
use crate::access_log::ConnectionFields;

/// Stage of an orderly shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownStage {
    /// No shutdown has begun.
    Running,
    /// Requests in progress may finish; no new ones are accepted.
    Draining,
    /// The grace period has ended; remaining requests are cut off.
    Terminated,
}

/// Connection of a client.
#[derive(Clone, Debug)]
pub struct ClientConnection {
    /// Address of the other end.
    pub peer: SocketAddr,
    /// Address of the client in the PROXY protocol header, if there is one.
    pub proxy_protocol_client: Option<SocketAddr>,
    /// Address of our end.
    pub local: SocketAddr,
    /// TLS session, if the connection has one.
    pub tls: Option<ClientTls>,
    /// Stage of the shutdown. The shutdown waits until all receivers are dropped.
    pub stage: watch::Receiver<ShutdownStage>,
    /// Permit among the connections that may be open; it is returned when the last clone is dropped.
    pub permit: Option<Arc<OwnedSemaphorePermit>>,
    /// Address of the other end as text, which every request needs.
    address: Box<str>,
}

/// TLS session of a client connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// Server name that the client asked for (SNI), in lower case.
    pub server_name: Option<Arc<str>>,
    /// Version, such as `TLSv1.3`.
    pub version: &'static str,
    /// Cipher, by OpenSSL's name.
    pub cipher: &'static str,
}

impl ClientConnection {
    /// A connection between two addresses, without a permit.
    #[must_use]
    pub fn new(
        peer: SocketAddr,
        local: SocketAddr,
        tls: Option<ClientTls>,
        stage: watch::Receiver<ShutdownStage>,
    ) -> Self {
        let address = peer.ip().to_canonical().to_string().into();
        Self { peer, proxy_protocol_client: None, local, tls, stage, permit: None, address }
    }

    /// The connection with this client of the PROXY protocol header.
    #[must_use]
    pub fn with_proxy_protocol_client(self, proxy_protocol_client: Option<SocketAddr>) -> Self {
        Self { proxy_protocol_client, ..self }
    }

    /// The connection with this permit.
    #[must_use]
    pub fn with_permit(self, permit: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        Self { permit, ..self }
    }

    /// IP address of the other end.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the access log says about the connection.
    #[must_use]
    pub fn log_fields(&self) -> ConnectionFields {
        ConnectionFields {
            client_port: self.peer.port(),
            local: self.local,
            tls: self.tls.as_ref().map(|tls| (tls.version, tls.cipher)),
        }
    }

    /// IP address of a client of this connection.
    pub(super) fn address_of(&self, client: ClientAddress) -> Cow<'_, str> {
        if client.address == self.peer.ip().to_canonical() {
            Cow::Borrowed(&self.address)
        } else {
            Cow::Owned(client.address.to_string())
        }
    }
}
