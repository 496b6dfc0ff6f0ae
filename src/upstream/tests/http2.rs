//! Tests of upstreams in HTTP/2.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Response, Version};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Notify;

use super::*;

/// An upstream whose answers contain the number of their connection; `/held` waits for a release.
struct CountingUpstream {
    origin: UpstreamOrigin,
    connections: Arc<AtomicUsize>,
    release: Arc<Notify>,
    /// Shuts all connections down gracefully: GOAWAY.
    end: Arc<Notify>,
}

impl CountingUpstream {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = UpstreamOrigin::http("127.0.0.1", listener.local_addr().unwrap().port()).over_http2();
        let (release, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let shared = Self { origin, connections, release, end };
        let (connections, release, end) =
            (shared.connections.clone(), shared.release.clone(), shared.end.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(connection(stream, number, release.clone(), end.clone()));
            }
        });
        shared
    }
}

async fn connection(stream: TcpStream, number: usize, release: Arc<Notify>, end: Arc<Notify>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let release = release.clone();
        async move {
            assert_eq!(request.version(), Version::HTTP_2);
            if request.uri().path() == "/held" {
                release.notified().await;
            }
            let authority = request.uri().authority().unwrap().to_string();
            Ok::<_, Infallible>(Response::new(format!("{number} {authority}")))
        }
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let mut serving = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = serving.as_mut() => drop(ended),
        () = end.notified() => {
            serving.as_mut().graceful_shutdown();
            // The gateway may have closed the connection first.
            drop(serving.await);
        }
    }
}

fn get_path(path: &str) -> Request<Body> {
    Request::builder().uri(path).header("host", "api.example").body(Body::Empty).unwrap()
}

#[tokio::test]
async fn requests_share_a_connection() {
    let upstream = CountingUpstream::start().await;
    let pool = ConnectionPool::default();
    let send = |path| pool.send(&upstream.origin, &LIMITS, get_path(path));
    let first = send("/x").await.unwrap();
    assert_eq!((first.attempts, first.response.version()), (1, Version::HTTP_2));
    assert_eq!(text(first).await.unwrap(), "0 api.example");
    let held = async {
        let held = send("/held").await.unwrap();
        text(held).await.unwrap()
    };
    let meanwhile = async {
        let other = send("/x").await.unwrap();
        assert_eq!((other.attempts, text(other).await.unwrap()), (0, "0 api.example".to_owned()));
        // A request that is cancelled does not affect the others.
        drop(send("/x").await.unwrap());
        upstream.release.notify_one();
    };
    let (held, ()) = tokio::join!(held, meanwhile);
    assert_eq!(held, "0 api.example");
    assert_eq!((upstream.connections.load(Ordering::Relaxed), pool.idle()), (1, 1));
}

#[tokio::test]
async fn a_closed_connection_is_replaced() {
    let upstream = CountingUpstream::start().await;
    let pool = ConnectionPool::default();
    let send = |path| pool.send(&upstream.origin, &LIMITS, get_path(path));
    assert_eq!(text(send("/x").await.unwrap()).await.unwrap(), "0 api.example");
    upstream.end.notify_waiters();
    wait_until_empty(&pool).await;
    assert_eq!(text(send("/x").await.unwrap()).await.unwrap(), "1 api.example");
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let upstream = CountingUpstream::start().await;
    let pool = ConnectionPool::new(PoolSettings { max_requests: 2, ..PoolSettings::default() });
    for expected in ["0 api.example", "0 api.example", "1 api.example"] {
        let answer = pool.send(&upstream.origin, &LIMITS, get_path("/x")).await.unwrap();
        assert_eq!(text(answer).await.unwrap(), expected);
    }
    let later = Instant::now() + Duration::from_mins(2);
    pool.shared.sweep(later);
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn the_number_of_idle_connections_is_limited() {
    for (kept, idle, after_sweep) in [(0, 0, 0), (1, 2, 1), (5, 2, 2)] {
        let upstream = CountingUpstream::start().await;
        let pool = ConnectionPool::new(PoolSettings { idle_per_origin: kept, ..PoolSettings::default() });
        let send =
            || async { text(pool.send(&upstream.origin, &LIMITS, get_path("/x")).await.unwrap()).await };
        // Neither can use the connection of the other yet.
        let (one, other) = tokio::join!(send(), send());
        assert!(one.is_ok() && other.is_ok());
        assert_eq!((upstream.connections.load(Ordering::Relaxed), pool.idle()), (2, idle));
        pool.shared.sweep(Instant::now());
        assert_eq!(pool.idle(), after_sweep);
        send().await.unwrap();
        let expected = if kept == 0 { 3 } else { 2 };
        assert_eq!(upstream.connections.load(Ordering::Relaxed), expected, "{kept}");
    }
}

#[tokio::test]
async fn an_answer_in_http_1_is_an_invalid_response() {
    let upstream = TestUpstream::start(&[&[UpstreamAction::Close("HTTP/1.1 400 Bad Request\r\n\r\n")]]).await;
    let origin = upstream.origin().over_http2();
    let failure = ConnectionPool::default().send(&origin, &LIMITS, get_path("/x")).await.unwrap_err();
    assert_eq!(failure.cause.status(), http::StatusCode::BAD_GATEWAY, "{failure}");
}

const LIMITS: UpstreamTimeouts = UpstreamTimeouts {
    connect: Duration::from_mins(1),
    write: Duration::from_mins(1),
    read: Duration::from_mins(1),
    retries: 0,
};
