//! Upstream that records the requests it gets. The last segment of the path chooses its behaviour:
//!
//! | segment | behaviour |
//! |---|---|
//! | `stream` | sends `first`, then waits for a release, then sends `second` |
//! | `events` | sends an event each time it is released, as `text/event-stream` |
//! | `hold` | waits for a release before it answers |
//! | `reset` | closes the connection instead of answering |
//! | `large` | answers ten million bytes |
//! | `broken` | declares more bytes than it sends, and waits for a release before it ends |
//! | any other | answers at once with the request as JSON |

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Request, Response,
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::{
        Semaphore,
        mpsc::{Receiver, Sender, channel},
    },
};

use crate::eventually;

/// Length of the answer to `large`.
pub(crate) const LARGE: usize = 10_000_000;

/// An upstream that runs until it is dropped.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// Counts of everything received so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Requests whose head was received, and those of them whose body was complete.
    pub(crate) requests: usize,
    pub(crate) whole: usize,
    /// Bytes of bodies.
    pub(crate) bytes: usize,
    /// All connections, and those of them that are open.
    pub(crate) connections: usize,
    pub(crate) open: usize,
}

struct Shared {
    seen: Mutex<Seen>,
    released: Semaphore,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts at this address; port 0 takes a free port.
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { seen: Mutex::default(), released: Semaphore::new(0) });
        let serving = shared.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, serving.clone()));
            }
        });
        Self { address, shared, runtime: Some(runtime) }
    }

    /// Releases one waiting request.
    pub(crate) fn release(&self) {
        self.shared.released.add_permits(1);
    }

    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits until this condition is true.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, happened: impl Fn(&Seen) -> bool) {
        eventually(what, || happened(&self.seen()).then_some(()));
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    shared.note(|seen| {
        seen.connections += 1;
        seen.open += 1;
    });
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, shared.clone()));
    // The end of a connection is checked at the other side.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    shared.note(|seen| seen.open -= 1);
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Content>, Broken> {
    shared.note(|seen| seen.requests += 1);
    let (head, mut body) = request.into_parts();
    let mut received = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| Broken)?.into_data().unwrap_or_default();
        shared.note(|seen| seen.bytes += data.len());
        received.extend_from_slice(&data);
    }
    shared.note(|seen| seen.whole += 1);
    let (sender, frames) = channel(1);
    let mut response = Response::new(Content::Frames(frames));
    match head.uri.path().rsplit('/').next().unwrap() {
        "reset" => return Err(Broken),
        "stream" => drop(tokio::spawn(stream_two(sender, shared))),
        "events" => {
            let _ = response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            drop(tokio::spawn(stream_events(sender, shared)));
        }
        "large" => drop(tokio::spawn(stream_many(sender))),
        "broken" => {
            let _ = response.headers_mut().insert("content-length", "100".parse().unwrap());
            drop(tokio::spawn(async move {
                let _ = sender.send(Bytes::from_static(b"half")).await;
                shared.released.acquire().await.unwrap().forget();
            }));
        }
        segment => {
            if segment == "hold" {
                shared.released.acquire().await.unwrap().forget();
            }
            let got = json!({
                "method": head.method.as_str(),
                "target": head.uri.to_string(),
                "headers": fields(&head.headers),
                "body": String::from_utf8_lossy(&received[..received.len().min(1000)]),
                "bytes": received.len(),
                "sum": sum(&received),
            });
            *response.body_mut() = Content::Full(Some(got.to_string().into()));
            response.headers_mut().insert("content-type", "application/json".parse().unwrap());
            response.headers_mut().insert("x-upstream", "here".parse().unwrap());
        }
    }
    Ok(response)
}

async fn stream_two(sender: Sender<Bytes>, shared: Arc<Shared>) {
    // After a disconnect there is no receiver.
    let _ = sender.send(Bytes::from_static(b"first\n")).await;
    shared.released.acquire().await.unwrap().forget();
    let _ = sender.send(Bytes::from_static(b"second\n")).await;
}

async fn stream_events(sender: Sender<Bytes>, shared: Arc<Shared>) {
    for number in 1.. {
        shared.released.acquire().await.unwrap().forget();
        if sender.send(format!("id: {number}\ndata: event {number}\n\n").into()).await.is_err() {
            return;
        }
    }
}

async fn stream_many(sender: Sender<Bytes>) {
    let block: Bytes = (0..10_000).map(|n| u8::try_from(n % 251).unwrap()).collect();
    for _ in 0..LARGE / block.len() {
        if sender.send(block.clone()).await.is_err() {
            return;
        }
    }
}

/// A checksum of the content.
pub(crate) fn sum(content: &[u8]) -> u64 {
    content.iter().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)) >> 1)
}

fn fields(headers: &HeaderMap) -> Value {
    let one = |name: &hyper::header::HeaderName| {
        let all: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (name.to_string(), Value::from(all.join(" | ")))
    };
    Value::Object(headers.keys().map(one).collect())
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
    }
}

/// Error that ends the connection.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection ends here")
    }
}

impl std::error::Error for Broken {}

enum Content {
    Full(Option<Bytes>),
    Frames(Receiver<Bytes>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Self::Full(bytes) => Poll::Ready(bytes.take()),
            Self::Frames(frames) => frames.poll_recv(context),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
