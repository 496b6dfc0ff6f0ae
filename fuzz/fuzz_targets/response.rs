//! Fuzz target: a response of an HTTP/1.1 upstream, in pieces of any size; the result does not depend on the pieces, and
//! the body is not longer than the bytes of the upstream.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use http::{HeaderMap, Method, Request, header::HOST};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use mynah::{
    body::Body,
    upstream::{ConnectionPool, FailureCause, PoolSettings, UpstreamOrigin, UpstreamTimeouts},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::yield_now,
};

/// One thread, so that a piece is mostly read before the next one is written.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime can be made"));

static LISTENER: LazyLock<TcpListener> = LazyLock::new(|| {
    // Bound without `block_on`, since the first use is inside a task of the runtime.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.set_nonblocking(true).expect("the socket is open");
    TcpListener::from_std(listener).expect("the runtime has an I/O driver")
});

/// The result: a status with the received fields, body and trailers, and whether the response was complete; or the
/// status that a client gets instead, and whether the response was invalid, which excludes a retry.
#[derive(Debug, PartialEq)]
enum ReadResult {
    Response { status: u16, fields: HeaderMap, body: Vec<u8>, trailers: Option<HeaderMap>, whole: bool },
    Failure { status: u16, invalid: bool },
}

// Input: a byte for the method, one for the number of pieces, the size of each, and the bytes of the upstream.
fuzz_target!(|bytes: &[u8]| {
    let [kind, count, rest @ ..] = bytes else { return };
    let (sizes, said) = rest.split_at(rest.len().min(usize::from(count % 32)));
    let method = if kind % 8 == 0 { Method::HEAD } else { Method::GET };
    let at_once = RUNTIME.block_on(read(&method, said, &[]));
    if let ReadResult::Response { body, .. } = &at_once {
        assert!(body.len() <= said.len(), "the body is longer than the bytes of the upstream");
        assert!(method != Method::HEAD || body.is_empty(), "an answer to HEAD has no body");
    }
    if !sizes.is_empty() {
        assert_eq!(RUNTIME.block_on(read(&method, said, sizes)), at_once, "in pieces, and at once");
    }
});

/// Sends a request to an upstream that writes these bytes, in pieces of these sizes and the rest at once, and then closes
/// the connection.
async fn read(method: &Method, said: &[u8], sizes: &[u8]) -> ReadResult {
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
    let request = async {
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
                assert_ne!(status, 504, "no timeout, since the upstream closes the connection: {failure:?}");
                ReadResult::Failure { status, invalid: matches!(failure.cause, FailureCause::Invalid(_)) }
            }
        }
    };
    // The client does not wait until the rest is written.
    let (read, ()) = tokio::join!(request, serve);
    read
}

async fn write(stream: &mut TcpStream, said: &[u8], sizes: &[u8]) {
    let mut left = said;
    for size in sizes {
        let (piece, rest) = left.split_at(left.len().min(usize::from(*size)));
        left = rest;
        // The client may have closed the connection.
        if stream.write_all(piece).await.is_err() {
            return;
        }
        for _ in 0..3 {
            yield_now().await;
        }
    }
    let _ = stream.write_all(left).await;
}

async fn finish(response: http::Response<Body>) -> ReadResult {
    let (head, mut rest) = response.into_parts();
    let (mut body, mut trailers, mut whole) = (Vec::new(), None, true);
    while let Some(frame) = rest.frame().await {
        match frame.map(|frame| frame.into_data().map_err(|frame| frame.into_trailers())) {
            Ok(Ok(data)) => body.extend_from_slice(&data),
            Ok(Err(fields)) => trailers = fields.ok(),
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    ReadResult::Response { status: head.status.as_u16(), fields: head.headers, body, trailers, whole }
}
