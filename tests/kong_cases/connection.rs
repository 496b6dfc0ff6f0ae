//! HTTP client that sends a request byte for byte over its own connection.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// A complete response; its head has one character per byte.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// Sends a request, written one character per byte, and reads the response.
pub(crate) fn send(address: SocketAddr, raw: &str) -> Result<Answer, String> {
    exchange(connect(address), raw)
}

/// Sends a request over TLS with this server name.
pub(crate) fn send_over_tls(
    address: SocketAddr,
    server_name: Option<&str>,
    raw: &str,
) -> Result<Answer, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.enable_sni = server_name.is_some();
    let name = ServerName::try_from(server_name.unwrap_or("unnamed").to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    exchange(StreamOwned::new(session, connect(address)), raw)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn exchange(mut stream: impl Read + Write, raw: &str) -> Result<Answer, String> {
    stream.write_all(&latin1(raw)).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream);
    loop {
        let (status, headers) = read_head(&mut reader)?;
        if status >= 200 || status == 101 {
            let mut answer = Answer { status, headers, body: String::new() };
            if !raw.starts_with("HEAD ") && !matches!(status, 101 | 204 | 304) {
                let body = read_body(&mut reader, &answer).map_err(|error| error.to_string())?;
                answer.body = String::from_utf8_lossy(&body).into_owned();
            }
            return Ok(answer);
        }
    }
}

/// One byte per character.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

/// A line without its end, one character per byte; empty at the end of the stream.
pub(crate) fn read_line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    Ok(line.trim_ascii_end().iter().map(|byte| char::from(*byte)).collect())
}

/// Name and value of each field, up to the empty line.
pub(crate) fn read_fields(reader: &mut impl BufRead) -> std::io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// A body in chunks.
pub(crate) fn read_chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let size = u64::from_str_radix(line.split(';').next().unwrap_or_default(), 16).unwrap_or_default();
        reader.take(size).read_to_end(&mut body)?;
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> Result<(u16, Vec<(String, String)>), String> {
    let line = read_line(reader).map_err(|error| error.to_string())?;
    let status = line.strip_prefix("HTTP/").and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| format!("not HTTP: {line:?}"))?;
    let fields = read_fields(reader).map_err(|error| error.to_string())?;
    Ok((status, fields.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect()))
}

fn read_body(reader: &mut impl BufRead, answer: &Answer) -> std::io::Result<Vec<u8>> {
    if answer.values("transfer-encoding").contains(&"chunked") {
        return read_chunks(reader);
    }
    let mut body = Vec::new();
    match answer.values("content-length").first() {
        Some(length) => reader.take(length.parse().unwrap()).read_to_end(&mut body)?,
        None => reader.read_to_end(&mut body)?,
    };
    Ok(body)
}

/// Accepts any certificate: the cases do not test it.
#[derive(Debug)]
struct AnyCertificate;

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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}
