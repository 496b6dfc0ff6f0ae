//! Making a connection: address, TCP, TLS, HTTP/1.1.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::AbortHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{Origin, Protocol, body::Upload, error::Cause};

/// The longest header block of a response, in bytes.
const MAX_RESPONSE_HEAD: usize = 64 * 1024;

/// A connection, and how to end it at once.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<Upload>,
    pub(super) task: AbortHandle,
    /// How many requests it has answered.
    pub(super) served: u32,
}

/// The two ways to treat an upstream's certificate.
#[derive(Clone)]
pub(super) struct TlsClients {
    verifying: Arc<ClientConfig>,
    trusting: Arc<ClientConfig>,
}

impl TlsClients {
    /// One that checks against the public authorities, and one that takes any certificate.
    pub(super) fn new() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let client = || {
            ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .expect("ring speaks TLS 1.2 and 1.3")
        };
        let verifying = client().with_root_certificates(roots).with_no_client_auth();
        let trusting = client()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&provider))))
            .with_no_client_auth();
        Self { verifying: Arc::new(verifying), trusting: Arc::new(trusting) }
    }
}

impl fmt::Debug for TlsClients {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TlsClients")
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
    clients: &TlsClients,
    limit: Duration,
) -> Result<Connection, Cause> {
    let connecting = async {
        let stream = TcpStream::connect(address).await.map_err(Cause::Connect)?;
        stream.set_nodelay(true).map_err(Cause::Connect)?;
        match &origin.protocol {
            Protocol::Http => handshake(stream).await,
            Protocol::Https(tls) => {
                let client = if tls.verify { &clients.verifying } else { &clients.trusting };
                let name = tls.server_name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
                let stream = TlsConnector::from(Arc::clone(client)).connect(name, stream).await;
                handshake(stream.map_err(Cause::Tls)?).await
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
    Ok(Connection { sender, task: driving.abort_handle(), served: 0 })
}

/// Takes any certificate whose key the peer holds: Kong's behaviour while `tls_verify` is not set.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
