//! WebSocket client and echo server of the tests, frame by frame, with and without TLS. (RFC 6455)

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use base64::prelude::{BASE64_STANDARD, Engine};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::{
    PATIENCE, eventually,
    pem::Signed,
    secure::{Hello, Secure},
};

/// First bytes of frames that are whole messages.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;

/// First bytes of the first, a middle and the last frame of a message.
pub(crate) const BEGINS: u8 = 0x02;
pub(crate) const GOES_ON: u8 = 0x00;
pub(crate) const ENDS: u8 = 0x80;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The masking key of clients.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// One end of a WebSocket connection.
pub(crate) struct WebSocket {
    stream: Box<dyn Stream>,
    is_client: bool,
}

/// A frame: its first byte and its content.
pub(crate) type Frame = (u8, Vec<u8>);

impl WebSocket {
    /// Sends the handshake request; also returns the head of the response.
    pub(crate) fn open(address: &str, tls: bool, path: &str, fields: &str) -> Result<(Self, String), String> {
        let stream: Box<dyn Stream> = if tls {
            let hello = Hello { server_name: Some("socket.example"), ..Hello::default() };
            Box::new(Secure::connect(address, hello).unwrap())
        } else {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            Box::new(stream)
        };
        let mut end = Self { stream, is_client: true };
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: socket.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{fields}\r\n"
        );
        end.stream.write_all(head.as_bytes()).unwrap();
        let head = end.head().unwrap();
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(head);
        }
        let accept = format!("sec-websocket-accept: {}\r\n", accept(KEY));
        assert!(head.to_ascii_lowercase().contains(&accept.to_ascii_lowercase()), "{head}");
        Ok((end, head))
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, first: u8, content: &[u8]) {
        self.try_send(first, content).unwrap();
    }

    pub(crate) fn try_send(&mut self, first: u8, content: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&frame(first, content, self.is_client))?;
        self.stream.flush()
    }

    /// The next frame; none at the end of the connection.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.try_next().ok()
    }

    fn try_next(&mut self) -> std::io::Result<Frame> {
        let [first, second] = self.bytes()?;
        assert_eq!(second & 0x80 != 0, !self.is_client, "clients mask, servers do not");
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?),
            length => u64::from(length),
        };
        let mask: [u8; 4] = if self.is_client { [0; 4] } else { self.bytes()? };
        let mut content = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut content)?;
        content.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((first, content))
    }

    /// Sends a frame, and checks that it is echoed unchanged.
    #[track_caller]
    pub(crate) fn assert_echo(&mut self, first: u8, content: &[u8]) {
        self.send(first, content);
        let (found, came) = self.next().expect("the connection is open");
        assert!(found == first && came == content, "{first:x}, {} bytes: {found:x}", content.len());
    }

    fn bytes<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads a head, and not a byte more.
    fn head(&mut self) -> std::io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let [byte] = self.bytes()?;
            head.push(byte);
        }
        Ok(String::from_utf8(head).unwrap())
    }
}

/// A frame in bytes.
pub(crate) fn frame(first: u8, content: &[u8], masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match content.len() {
        length @ ..=125 => bytes.push(mask | u8::try_from(length).unwrap()),
        length @ ..=0xffff => {
            bytes.push(mask | 0x7e);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(mask | 0x7f);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend(MASK);
        bytes.extend(content.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        bytes.extend(content);
    }
    bytes
}

/// The value of Sec-WebSocket-Accept for a client's key. (RFC 6455, section 4.2.2)
fn accept(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(sha1_smol::Sha1::from(text).digest().bytes())
}

/// A server that echoes messages. The message `bye` makes it send a close frame, `drop` makes it close the connection.
/// It refuses the path `/refused`.
pub(crate) struct Echo {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub(crate) fn start(tls: bool) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), tls)
    }

    /// Starts without TLS at this address.
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        Self::listen(TcpListener::bind(address).unwrap(), false)
    }

    fn listen(listener: TcpListener, tls: bool) -> Self {
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let config = tls.then(config);
        let all = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let stream: Box<dyn Stream> = match &config {
                    None => Box::new(stream),
                    Some(config) => {
                        let session = ServerConnection::new(config.clone()).unwrap();
                        Box::new(StreamOwned::new(session, stream))
                    }
                };
                let seen = all.clone();
                std::thread::spawn(move || converse(WebSocket { stream, is_client: false }, &seen));
            }
        });
        Self { port, seen }
    }

    /// Waits for an event: the head of a request, the code of a close frame, or `end`.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str) -> String {
        eventually(&format!("the server sees {what:?}"), || {
            self.seen.lock().unwrap().iter().find(|request| request.contains(what)).cloned()
        })
    }
}

fn converse(mut end: WebSocket, seen: &Mutex<Vec<String>>) {
    let note = |what: String| seen.lock().unwrap().push(what);
    // Errors after the end of a connection do not matter.
    let Ok(head) = end.head() else { return };
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(field_name, _)| field_name.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    if head.starts_with("GET /refused ") {
        let _ = end.stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n");
        return note(head);
    }
    let key = field("sec-websocket-key").expect("a handshake has a key");
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        accept(&key)
    );
    end.stream.write_all(answer.as_bytes()).unwrap();
    end.stream.flush().unwrap();
    note(head);
    while let Ok((first, content)) = end.try_next() {
        let sent = match (first, &*content) {
            (TEXT, b"drop") => return,
            (TEXT, b"bye") => end.try_send(CLOSE, &1000_u16.to_be_bytes()),
            (CLOSE, code) => {
                note(format!("closed with {}", u16::from_be_bytes(code[..2].try_into().unwrap())));
                end.try_send(CLOSE, code)
            }
            _ => end.try_send(first, &content),
        };
        if sent.is_err() {
            break;
        }
    }
    note("end".to_owned());
}

fn config() -> Arc<ServerConfig> {
    let own = Signed::self_signed("localhost");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.key_der));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der.into()], key)
        .unwrap();
    Arc::new(config)
}
