//! Tests of failures: cause, status, and which requests are repeated.

use http::StatusCode;

use super::*;

const SHORT_TIMEOUT: Duration = Duration::from_millis(50);

/// Checks the start of the cause's text, the status, and the number of attempts.
#[track_caller]
fn check(failure: &SendFailure, cause: &str, status: StatusCode, attempts: u32) {
    assert!(failure.cause.to_string().starts_with(cause), "{failure}");
    assert_eq!((failure.cause.status(), failure.attempts), (status, attempts), "{failure}");
}

#[tokio::test]
async fn a_closed_idle_connection_is_replaced_if_the_request_may_be_repeated() {
    let closing: &[&[UpstreamAction]] =
        &[&[UpstreamAction::Answer(OK), UpstreamAction::Close("")], &[UpstreamAction::Answer(OK)]];
    for (method, body) in [("GET", Body::Empty), ("PUT", Body::full("abc")), ("DELETE", Body::Empty)] {
        let mut upstream = TestUpstream::start(closing).await;
        let pool = ConnectionPool::default();
        text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
        let answer = pool.send(&upstream.origin(), &patient(), request(method, body)).await.unwrap();
        assert_eq!(answer.attempts, 1);
        assert_eq!(text(answer).await.unwrap(), "ok");
        assert_eq!(upstream.requests(), 3, "{method}");
    }
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let scripts: [(usize, &'static [&'static [UpstreamAction]]); 2] = [
        (1, &[&[UpstreamAction::Answer(OK), UpstreamAction::Close("")], &[UpstreamAction::Answer(OK)]]),
        (0, &[&[UpstreamAction::Close("")], &[UpstreamAction::Answer(OK)]]),
    ];
    for (before, script) in scripts {
        let mut upstream = TestUpstream::start(script).await;
        let pool = ConnectionPool::default();
        for _ in 0..before {
            text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
        }
        let post = request("POST", Body::full("abc"));
        let failure = pool.send(&upstream.origin(), &UpstreamTimeouts::default(), post).await.unwrap_err();
        assert!(matches!(failure.cause, FailureCause::Closed(_)), "{failure}");
        assert_eq!(failure.cause.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(upstream.requests(), before + 1);
    }
}

#[tokio::test]
async fn a_post_is_not_sent_on_a_connection_that_was_closed_while_idle() {
    let upstream = TestUpstream::start(&[&[UpstreamAction::Close(OK)]]).await;
    let pool = ConnectionPool::default();
    text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
    wait_until_empty(&pool).await;
    let answer = pool.send(&upstream.origin(), &patient(), request("POST", Body::full("abc"))).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_new_connection_that_closes_is_replaced_up_to_the_number_of_retries() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Close("")]]).await;
    let limits = UpstreamTimeouts { retries: 2, ..UpstreamTimeouts::default() };
    let failure = ConnectionPool::default().send(&upstream.origin(), &limits, get()).await.unwrap_err();
    check(&failure, "the upstream closed the connection", StatusCode::BAD_GATEWAY, 3);
    assert_eq!(upstream.requests(), 3);
}

#[tokio::test]
async fn a_refused_connection_is_retried() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = UpstreamOrigin::http("127.0.0.1", free.port());
    let limits = UpstreamTimeouts { retries: 2, ..UpstreamTimeouts::default() };
    let failure = ConnectionPool::default()
        .send(&origin, &limits, request("POST", Body::full("abc")))
        .await
        .unwrap_err();
    check(&failure, "connect failed", StatusCode::BAD_GATEWAY, 3);
}

#[tokio::test]
async fn a_host_without_address_is_unavailable() {
    let origin = UpstreamOrigin::http("x".repeat(64) + ".invalid", 80);
    let failure =
        ConnectionPool::default().send(&origin, &UpstreamTimeouts::default(), get()).await.unwrap_err();
    check(&failure, "name resolution failed", StatusCode::SERVICE_UNAVAILABLE, 0);
    assert_eq!(failure.cause.message(), Some("name resolution failed"));
}

/// The queue of the listener is full, so that Linux leaves further connections pending.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_has_to_open_within_the_connect_timeout() {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let filler = std::net::TcpStream::connect(address).unwrap();
    let limits = UpstreamTimeouts { connect: SHORT_TIMEOUT, ..patient() };
    let origin = UpstreamOrigin::http("127.0.0.1", address.port());
    let failure = ConnectionPool::default().send(&origin, &limits, get()).await.unwrap_err();
    check(&failure, "no connection within connect_timeout", StatusCode::GATEWAY_TIMEOUT, 1);
    drop(filler);
}

#[tokio::test]
async fn a_response_has_to_begin_within_the_read_timeout_and_the_request_is_not_repeated() {
    for (method, body) in [("GET", Body::Empty), ("POST", Body::full("abc"))] {
        let mut upstream = TestUpstream::start(&[&[UpstreamAction::Hang("HTTP/1.1 200 OK\r\n")]]).await;
        let limits = UpstreamTimeouts { read: SHORT_TIMEOUT, ..UpstreamTimeouts::default() };
        let failure = ConnectionPool::default()
            .send(&upstream.origin(), &limits, request(method, body))
            .await
            .unwrap_err();
        check(&failure, "no response within read_timeout", StatusCode::GATEWAY_TIMEOUT, 1);
        assert_eq!(upstream.requests(), 1);
    }
}

#[tokio::test]
async fn an_upstream_has_to_accept_the_request_within_the_write_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = UpstreamOrigin::http("127.0.0.1", listener.local_addr().unwrap().port());
    let limits = UpstreamTimeouts { write: SHORT_TIMEOUT, ..UpstreamTimeouts::default() };
    let large = Body::full(vec![b'x'; 64 << 20]);
    let failure = ConnectionPool::default().send(&origin, &limits, request("POST", large)).await.unwrap_err();
    check(&failure, "the upstream accepted no data", StatusCode::GATEWAY_TIMEOUT, 1);
}

#[tokio::test]
async fn a_response_that_is_not_http_is_invalid_and_the_request_is_not_repeated() {
    let large: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(80 << 10)).into());
    let scripts: [&'static [&'static [UpstreamAction]]; 3] = [
        &[&[UpstreamAction::Hang("SSH-2.0-OpenSSH_9.9\r\n\r\n")]],
        &[&[UpstreamAction::Hang("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n")]],
        vec![&*vec![UpstreamAction::Hang(large)].leak()].leak(),
    ];
    for script in scripts {
        let mut upstream = TestUpstream::start(script).await;
        let failure = ConnectionPool::default()
            .send(&upstream.origin(), &UpstreamTimeouts::default(), get())
            .await
            .unwrap_err();
        check(&failure, "the upstream sent an invalid response", StatusCode::BAD_GATEWAY, 1);
        assert_eq!(upstream.requests(), 1);
    }
}

#[tokio::test]
async fn a_body_that_stalls_fails() {
    let mut upstream =
        TestUpstream::start(&[&[UpstreamAction::Hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")]])
            .await;
    let pool = ConnectionPool::default();
    let limits = UpstreamTimeouts { read: SHORT_TIMEOUT, ..UpstreamTimeouts::default() };
    let answer = pool.send(&upstream.origin(), &limits, get()).await.unwrap();
    assert!(matches!(text(answer).await, Err(BodyError::ReadTimeout)));
    upstream.wait_for(UpstreamEvent::Disconnected).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn an_incomplete_body_is_an_error() {
    let scripts: [&'static [&'static [UpstreamAction]]; 3] = [
        &[&[UpstreamAction::Close("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")]],
        &[&[UpstreamAction::Close("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")]],
        &[&[UpstreamAction::Hang("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")]],
    ];
    for script in scripts {
        let upstream = TestUpstream::start(script).await;
        let pool = ConnectionPool::default();
        let answer = pool.send(&upstream.origin(), &patient(), get()).await.unwrap();
        assert!(matches!(text(answer).await, Err(BodyError::Connection(_))));
        assert_eq!(pool.idle(), 0);
    }
}

#[tokio::test]
async fn an_incomplete_request_body_is_an_error_of_the_client() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Hang("")]]).await;
    let sent = request("PUT", Body::boxed(FaultyBody::Broken));
    let failure = ConnectionPool::default()
        .send(&upstream.origin(), &UpstreamTimeouts::default(), sent)
        .await
        .unwrap_err();
    check(&failure, "the request body broke off", StatusCode::BAD_REQUEST, 1);
    upstream.wait_for(UpstreamEvent::Connection).await;
}
