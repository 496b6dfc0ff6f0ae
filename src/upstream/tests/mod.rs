//! Tests of the pool with real connections to a scripted upstream.

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

/// Action of the upstream after a request on one connection.
#[derive(Clone, Copy)]
enum UpstreamAction {
    /// Sends the text and waits for the next request.
    Answer(&'static str),
    /// Sends the text and closes the connection.
    Close(&'static str),
    /// Sends the text and waits until the gateway closes the connection.
    Hang(&'static str),
}

/// Event of the upstream.
#[derive(Debug, PartialEq, Eq)]
enum UpstreamEvent {
    /// A connection was accepted.
    Connection,
    /// A request was read: its head, and its body if it has a length.
    Request(String),
    /// The gateway has closed the connection.
    Disconnected,
}

/// A scripted upstream on the loopback interface.
struct TestUpstream {
    address: SocketAddr,
    events: UnboundedReceiver<UpstreamEvent>,
}

impl TestUpstream {
    /// Starts one; the n-th connection actions by the n-th list, and later ones by the last.
    async fn start(script: &'static [&'static [UpstreamAction]]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let actions = script.get(number).or(script.last()).unwrap();
                tokio::spawn(serve(stream, actions, sender.clone()));
            }
        });
        Self { address, events }
    }

    fn origin(&self) -> UpstreamOrigin {
        UpstreamOrigin::http(self.address.ip().to_string(), self.address.port())
    }

    /// Waits for an event.
    async fn wait_for(&mut self, expected: UpstreamEvent) {
        while let Some(event) = self.events.recv().await {
            if event == expected {
                return;
            }
        }
        panic!("the upstream ended");
    }

    /// Counts the matching events that have not been waited for.
    fn count(&mut self, wanted: impl Fn(&UpstreamEvent) -> bool) -> usize {
        std::iter::from_fn(|| self.events.try_recv().ok()).filter(wanted).count()
    }

    fn connections(&mut self) -> usize {
        self.count(|event| *event == UpstreamEvent::Connection)
    }

    fn requests(&mut self) -> usize {
        self.count(|event| matches!(event, UpstreamEvent::Request(_)))
    }
}

async fn serve(mut stream: TcpStream, actions: &[UpstreamAction], events: UnboundedSender<UpstreamEvent>) {
    // The test may have ended already.
    let report = |event| drop(events.send(event));
    report(UpstreamEvent::Connection);
    for action in actions {
        let Some(request) = read_request(&mut stream).await else {
            return report(UpstreamEvent::Disconnected);
        };
        report(UpstreamEvent::Request(request));
        let (UpstreamAction::Answer(text) | UpstreamAction::Close(text) | UpstreamAction::Hang(text)) =
            action;
        stream.write_all(text.as_bytes()).await.unwrap();
        match action {
            UpstreamAction::Answer(_) => {}
            UpstreamAction::Close(_) => return,
            UpstreamAction::Hang(_) => break,
        }
    }
    while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
    report(UpstreamEvent::Disconnected);
}

/// Reads a request with a declared length; `None` if the connection has ended.
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

/// Timeouts that no test reaches, and no retries.
fn patient() -> UpstreamTimeouts {
    UpstreamTimeouts { retries: 0, ..UpstreamTimeouts::default() }
}

async fn text(answer: UpstreamAnswer) -> Result<String, BodyError> {
    let bytes = answer.response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// Waits until a pool has removed the connections that the upstream closed.
async fn wait_until_empty(pool: &ConnectionPool) {
    while pool.idle() > 0 {
        tokio::task::yield_now().await;
        pool.shared.sweep(Instant::now());
    }
}

/// A request body that does not end.
enum FaultyBody {
    /// It never yields a frame.
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

#[test]
fn the_future_of_a_request_is_small() {
    let (pool, origin) =
        (ConnectionPool::new(PoolSettings::default()), UpstreamOrigin::http("127.0.0.1", 80));
    let limits = UpstreamTimeouts::default();
    let size = size_of_val(&pool.send(&origin, &limits, Request::new(Body::Empty)));
    assert!(size <= 4096, "{size} bytes");
}
