//! TLS client that exposes the certificate and the protocol of its handshake.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::PATIENCE;

/// Contents of the `ClientHello`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hello {
    pub(crate) server_name: Option<&'static str>,
    pub(crate) protocols: &'static [&'static str],
    /// The only signature scheme that the client supports; all if `None`.
    pub(crate) scheme: Option<SignatureScheme>,
    /// Whether the client supports TLS 1.2 only.
    pub(crate) old: bool,
}

/// A connection over TLS.
pub(crate) struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Secure {
    /// Does the handshake.
    pub(crate) fn connect(address: &str, hello: Hello) -> Result<Self, std::io::Error> {
        Self::connect_after(address, "", hello)
    }

    /// Sends a text, then does the handshake.
    pub(crate) fn connect_after(address: &str, first: &str, hello: Hello) -> Result<Self, std::io::Error> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(first.as_bytes())?;
        let name = ServerName::try_from(hello.server_name.unwrap_or("unknown.example")).unwrap();
        let mut session = ClientConnection::new(Arc::new(config(hello)), name).unwrap();
        session.complete_io(&mut stream)?;
        Ok(Self(StreamOwned::new(session, stream)))
    }

    /// Does the handshake with a changed configuration.
    pub(crate) fn with(
        address: &str,
        hello: Hello,
        change: impl FnOnce(ClientConfig) -> ClientConfig,
    ) -> Result<Self, std::io::Error> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(hello.server_name.unwrap_or("unknown.example")).unwrap();
        let mut session = ClientConnection::new(Arc::new(change(config(hello))), name).unwrap();
        session.complete_io(&mut stream)?;
        Ok(Self(StreamOwned::new(session, stream)))
    }

    /// Sends a request, and reads to the end of the connection. In TLS 1.3 a server refuses a client's certificate only
    /// after the handshake is over for the client. (RFC 8446, section 4.4)
    pub(crate) fn exchange(&mut self, request: &str) -> Result<String, std::io::Error> {
        self.0.write_all(request.as_bytes())?;
        let mut received = Vec::new();
        self.0.read_to_end(&mut received)?;
        Ok(String::from_utf8_lossy(&received).into_owned())
    }

    /// The certificate of the server.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.0.conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// The negotiated application protocol.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.0.conn.alpn_protocol().map(|protocol| std::str::from_utf8(protocol).unwrap())
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Reads this number of bytes.
    #[track_caller]
    pub(crate) fn read_exact(&mut self, count: usize) -> Vec<u8> {
        let mut buffer = vec![0; count];
        self.0.read_exact(&mut buffer).unwrap();
        buffer
    }

    /// Reads until this text was received.
    #[track_caller]
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let mut received = String::new();
        let mut buffer = [0; 4096];
        while !received.contains(text) {
            let read = self.0.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the connection ended before {text:?}: {received:?}");
            received.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        received
    }

    /// Requests a path, and reads to the end of the connection.
    pub(crate) fn get(mut self, host: &str, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        let mut received = Vec::new();
        self.0.read_to_end(&mut received).unwrap();
        String::from_utf8(received).unwrap()
    }
}

impl Read for Secure {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// The configuration of a client that accepts any certificate.
pub(crate) fn config(hello: Hello) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let old: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    let versions = if hello.old { old } else { rustls::ALL_VERSIONS };
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider, hello.scheme)))
        .with_no_client_auth();
    config.enable_sni = hello.server_name.is_some();
    config.alpn_protocols = hello.protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>, Option<SignatureScheme>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let all = self.0.signature_verification_algorithms.supported_schemes();
        self.1.map_or(all, |only| vec![only])
    }
}
