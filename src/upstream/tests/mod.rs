//! What the pool does with real connections to a scripted upstream.

mod failure;
mod http1;
mod http2;
mod reuse;
mod tls;
mod upgrade;

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::*;
use crate::body::BodyError;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What one connection of the upstream does with a request: what it sends, and what then.
#[derive(Clone, Copy)]
enum UpstreamAct {
    /// Sends, and waits for the next request.
    Answer(&'static str),
    /// Sends, and closes the connection.
    Close(&'static str),
    /// Sends, and waits until the gateway closes the connection.
    Hang(&'static str),
}

/// What an upstream has seen.
#[derive(Debug, PartialEq, Eq)]
enum PeerEvent {
    /// A connection.
    Connection,
    /// The head of a request and its body, as far as its length was declared.
    Request(String),
    /// The gateway's end of a connection.
    Gone,
}

/// An upstream on this machine.
struct TestUpstream {
    address: SocketAddr,
    seen: UnboundedReceiver<PeerEvent>,
}

impl TestUpstream {
    /// Starts one; the n-th connection acts by the n-th list, and later ones by the last.
    async fn start(script: &'static [&'static [UpstreamAct]]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, seen) = unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let acts = script.get(number).or(script.last()).unwrap();
                tokio::spawn(serve(stream, acts, told.clone()));
            }
        });
        Self { address, seen }
    }

    fn origin(&self) -> UpstreamOrigin {
        UpstreamOrigin::http(self.address.ip().to_string(), self.address.port())
    }

    /// Waits until something was seen.
    async fn saw(&mut self, expected: PeerEvent) {
        while let Some(seen) = self.seen.recv().await {
            if seen == expected {
                return;
            }
        }
        panic!("the upstream ended");
    }

    /// How often something was seen so far and not waited for.
    fn count(&mut self, wanted: impl Fn(&PeerEvent) -> bool) -> usize {
        std::iter::from_fn(|| self.seen.try_recv().ok()).filter(wanted).count()
    }

    fn connections(&mut self) -> usize {
        self.count(|seen| *seen == PeerEvent::Connection)
    }

    fn requests(&mut self) -> usize {
        self.count(|seen| matches!(seen, PeerEvent::Request(_)))
    }
}

async fn serve(mut stream: TcpStream, acts: &[UpstreamAct], told: UnboundedSender<PeerEvent>) {
    // The test may have ended already.
    let tell = |seen| drop(told.send(seen));
    tell(PeerEvent::Connection);
    for act in acts {
        let Some(request) = read_request(&mut stream).await else { return tell(PeerEvent::Gone) };
        tell(PeerEvent::Request(request));
        let (UpstreamAct::Answer(text) | UpstreamAct::Close(text) | UpstreamAct::Hang(text)) = act;
        stream.write_all(text.as_bytes()).await.unwrap();
        match act {
            UpstreamAct::Answer(_) => {}
            UpstreamAct::Close(_) => return,
            UpstreamAct::Hang(_) => break,
        }
    }
    while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
    tell(PeerEvent::Gone);
}

/// Reads a request with a declared length; none if the connection ended.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(read).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

fn request(method: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri("/x").header("host", "up").body(body.into()).unwrap()
}

fn get() -> Request<Body> {
    request("GET", Body::Empty)
}

/// Patience that no test runs out of, and no retries.
fn patient() -> UpstreamTimeouts {
    UpstreamTimeouts { retries: 0, ..UpstreamTimeouts::default() }
}

async fn text(answer: UpstreamAnswer) -> Result<String, BodyError> {
    let bytes = answer.response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// Waits until a pool has let go of the connections that the upstream closed.
async fn emptied(pool: &ConnectionPool) {
    while pool.idle() > 0 {
        tokio::task::yield_now().await;
        pool.shared.sweep(Instant::now());
    }
}

/// A request body that does not do as it should.
enum FaultyBody {
    /// Nothing comes, and no end.
    Endless,
    /// It fails at once.
    Broken,
}

impl hyper::body::Body for FaultyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match *self {
            Self::Endless => Poll::Pending,
            Self::Broken => Poll::Ready(Some(Err(BodyError::Source("gone".into())))),
        }
    }
}

/// What is kept for a request while an upstream is at work on it.
#[test]
fn a_request_on_its_way_needs_little_room() {
    let (pool, origin) =
        (ConnectionPool::new(PoolSettings::default()), UpstreamOrigin::http("127.0.0.1", 80));
    let limits = UpstreamTimeouts::default();
    let room = size_of_val(&pool.send(&origin, &limits, Request::new(Body::Empty)));
    assert!(room <= 4096, "{room} bytes");
}
