//! Any response of an upstream of HTTP/1.1, in pieces of any size: what is read of it does not depend on the pieces, and
//! no more comes out than went in.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use http::{HeaderMap, Method, Request, header::HOST};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use mynah::{
    body::Body,
    upstream::{FailureCause, UpstreamTimeouts, UpstreamOrigin, ConnectionPool, PoolSettings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::yield_now,
};

/// One thread: a piece is read before the next one is written, mostly.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime can be made"));

static LISTENER: LazyLock<TcpListener> =
    LazyLock::new(|| RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).expect("there is a free port"));

/// What is read: a status (with the fields, the body and the trailers as far as they came, and whether all did), or the
/// status that a client is told instead and whether the response was invalid (then it is not asked for again).
#[derive(Debug, PartialEq)]
enum Read {
    Response { status: u16, fields: HeaderMap, body: Vec<u8>, trailers: Option<HeaderMap>, whole: bool },
    Failure { status: u16, invalid: bool },
}

// A byte for the method, one for how many pieces there are, the size of each, and what the upstream says.
fuzz_target!(|bytes: &[u8]| {
    let [kind, count, rest @ ..] = bytes else { return };
    let (sizes, said) = rest.split_at(rest.len().min(usize::from(count % 32)));
    let method = if kind % 8 == 0 { Method::HEAD } else { Method::GET };
    let at_once = RUNTIME.block_on(read(&method, said, &[]));
    if let Read::Response { body, .. } = &at_once {
        assert!(body.len() <= said.len(), "more came out than went in");
        assert!(method != Method::HEAD || body.is_empty(), "an answer to HEAD has no body");
    }
    if !sizes.is_empty() {
        assert_eq!(RUNTIME.block_on(read(&method, said, sizes)), at_once, "in pieces, and at once");
    }
});

/// Asks an upstream that says this, in pieces of these sizes (and the rest in one), and then closes the connection.
async fn read(method: &Method, said: &[u8], sizes: &[u8]) -> Read {
    let port = LISTENER.local_addr().expect("it is bound").port();
    let serve = async {
        let (mut stream, _) = LISTENER.accept().await.expect("a connection comes");
        stream.set_nodelay(true).expect("it is open");
        // The request has no body: its end is that of its head.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await.unwrap_or_default() == 0 {
                return;
            }
        }
        write(&mut stream, said, sizes).await;
    };
    let ask = async {
        let origin = UpstreamOrigin::http("127.0.0.1", port);
        let long = Duration::from_secs(20);
        let limits = UpstreamTimeouts { connect: long, write: long, read: long, retries: 0 };
        let mut request = Request::new(Body::Empty);
        *request.method_mut() = method.clone();
        request.headers_mut().insert(HOST, "a".parse().expect("it is a host"));
        let pool = ConnectionPool::new(PoolSettings { idle_per_origin: 0, ..PoolSettings::default() });
        match pool.send(&origin, &limits, request).await {
            Ok(answer) => finish(answer.response).await,
            Err(failure) => {
                let status = failure.cause.status().as_u16();
                assert_ne!(status, 504, "it waits for nothing that comes: {failure:?}");
                Read::Failure { status, invalid: matches!(failure.cause, FailureCause::Invalid(_)) }
            }
        }
    };
    // Who has read enough does not wait for the rest to be written.
    let (read, ()) = tokio::join!(ask, serve);
    read
}

async fn write(stream: &mut TcpStream, said: &[u8], sizes: &[u8]) {
    let mut left = said;
    for size in sizes {
        let (piece, rest) = left.split_at(left.len().min(usize::from(*size)));
        left = rest;
        // The other end may have had enough.
        if stream.write_all(piece).await.is_err() {
            return;
        }
        for _ in 0..3 {
            yield_now().await;
        }
    }
    let _ = stream.write_all(left).await;
}

async fn finish(response: http::Response<Body>) -> Read {
    let (head, mut rest) = response.into_parts();
    let (mut body, mut trailers, mut whole) = (Vec::new(), None, true);
    while let Some(frame) = rest.frame().await {
        match frame.map(|it| it.into_data().map_err(|it| it.into_trailers())) {
            Ok(Ok(data)) => body.extend_from_slice(&data),
            Ok(Err(fields)) => trailers = fields.ok(),
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    Read::Response { status: head.status.as_u16(), fields: head.headers, body, trailers, whole }
}
