//! What fails, how it is told, and what is tried again.

use http::StatusCode;

use super::*;

const MOMENT: Duration = Duration::from_millis(50);

/// Checks the cause by the start of its text, its status, and the tries.
#[track_caller]
fn check(failure: &Failure, cause: &str, status: StatusCode, tries: u32) {
    assert!(failure.cause.to_string().starts_with(cause), "{failure}");
    assert_eq!((failure.cause.status(), failure.tries), (status, tries), "{failure}");
}

#[tokio::test]
async fn an_idle_connection_that_dies_is_replaced_if_the_request_may_be_repeated() {
    let dying: &[&[Act]] = &[&[Act::Answer(OK), Act::Close("")], &[Act::Answer(OK)]];
    for (method, body) in [("GET", Body::Empty), ("PUT", Body::full("abc")), ("DELETE", Body::Empty)] {
        let mut upstream = Upstream::start(dying).await;
        let pool = Pool::default();
        text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
        let answer = pool.send(&upstream.origin(), &patient(), request(method, body)).await.unwrap();
        assert_eq!(answer.tries, 1);
        assert_eq!(text(answer).await.unwrap(), "ok");
        assert_eq!(upstream.requests(), 3, "{method}");
    }
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let scripts: [(usize, &'static [&'static [Act]]); 2] = [
        (1, &[&[Act::Answer(OK), Act::Close("")], &[Act::Answer(OK)]]),
        (0, &[&[Act::Close("")], &[Act::Answer(OK)]]),
    ];
    for (before, script) in scripts {
        let mut upstream = Upstream::start(script).await;
        let pool = Pool::default();
        for _ in 0..before {
            text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
        }
        let post = request("POST", Body::full("abc"));
        let failure = pool.send(&upstream.origin(), &Limits::default(), post).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Closed(_)), "{failure}");
        assert_eq!(failure.cause.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(upstream.requests(), before + 1);
    }
}

#[tokio::test]
async fn a_post_does_not_meet_a_connection_that_was_closed_while_idle() {
    let upstream = Upstream::start(&[&[Act::Close(OK)]]).await;
    let pool = Pool::default();
    text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
    emptied(&pool).await;
    let answer = pool.send(&upstream.origin(), &patient(), request("POST", Body::full("abc"))).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_new_connection_that_dies_is_replaced_as_often_as_retries_say() {
    let mut upstream = Upstream::start(&[&[Act::Close("")]]).await;
    let limits = Limits { retries: 2, ..Limits::default() };
    let failure = Pool::default().send(&upstream.origin(), &limits, get()).await.unwrap_err();
    check(&failure, "the upstream closed the connection", StatusCode::BAD_GATEWAY, 3);
    assert_eq!(upstream.requests(), 3);
}

#[tokio::test]
async fn a_refused_connection_is_retried() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = Origin::http("127.0.0.1", free.port());
    let limits = Limits { retries: 2, ..Limits::default() };
    let failure =
        Pool::default().send(&origin, &limits, request("POST", Body::full("abc"))).await.unwrap_err();
    check(&failure, "connect failed", StatusCode::BAD_GATEWAY, 3);
}

#[tokio::test]
async fn a_host_without_address_is_unavailable() {
    let origin = Origin::http("x".repeat(64) + ".invalid", 80);
    let failure = Pool::default().send(&origin, &Limits::default(), get()).await.unwrap_err();
    check(&failure, "name resolution failed", StatusCode::SERVICE_UNAVAILABLE, 0);
    assert_eq!(failure.cause.message(), Some("name resolution failed"));
}

/// A listener whose queue is full: Linux lets further connections wait.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_has_to_come_in_time() {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let filler = std::net::TcpStream::connect(address).unwrap();
    let limits = Limits { connect: MOMENT, ..patient() };
    let origin = Origin::http("127.0.0.1", address.port());
    let failure = Pool::default().send(&origin, &limits, get()).await.unwrap_err();
    check(&failure, "no connection within connect_timeout", StatusCode::GATEWAY_TIMEOUT, 1);
    drop(filler);
}

#[tokio::test]
async fn a_response_has_to_begin_in_time_and_is_asked_for_once() {
    for (method, body) in [("GET", Body::Empty), ("POST", Body::full("abc"))] {
        let mut upstream = Upstream::start(&[&[Act::Hang("HTTP/1.1 200 OK\r\n")]]).await;
        let limits = Limits { read: MOMENT, ..Limits::default() };
        let failure =
            Pool::default().send(&upstream.origin(), &limits, request(method, body)).await.unwrap_err();
        check(&failure, "no response within read_timeout", StatusCode::GATEWAY_TIMEOUT, 1);
        assert_eq!(upstream.requests(), 1);
    }
}

#[tokio::test]
async fn an_upstream_has_to_take_the_request_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::http("127.0.0.1", listener.local_addr().unwrap().port());
    let limits = Limits { write: MOMENT, ..Limits::default() };
    let large = Body::full(vec![b'x'; 64 << 20]);
    let failure = Pool::default().send(&origin, &limits, request("POST", large)).await.unwrap_err();
    check(&failure, "the upstream took no data", StatusCode::GATEWAY_TIMEOUT, 1);
}

#[tokio::test]
async fn a_response_that_is_not_http_is_invalid_and_not_asked_for_again() {
    let large: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(80 << 10)).into());
    let scripts: [&'static [&'static [Act]]; 3] = [
        &[&[Act::Hang("SSH-2.0-OpenSSH_9.9\r\n\r\n")]],
        &[&[Act::Hang("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n")]],
        vec![&*vec![Act::Hang(large)].leak()].leak(),
    ];
    for script in scripts {
        let mut upstream = Upstream::start(script).await;
        let failure = Pool::default().send(&upstream.origin(), &Limits::default(), get()).await.unwrap_err();
        check(&failure, "the upstream sent an invalid response", StatusCode::BAD_GATEWAY, 1);
        assert_eq!(upstream.requests(), 1);
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_cut() {
    let mut upstream =
        Upstream::start(&[&[Act::Hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")]]).await;
    let pool = Pool::default();
    let limits = Limits { read: MOMENT, ..Limits::default() };
    let answer = pool.send(&upstream.origin(), &limits, get()).await.unwrap();
    assert!(matches!(text(answer).await, Err(BodyError::ReadTimeout)));
    upstream.saw(Seen::Gone).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let scripts: [&'static [&'static [Act]]; 3] = [
        &[&[Act::Close("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")]],
        &[&[Act::Close("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")]],
        &[&[Act::Hang("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")]],
    ];
    for script in scripts {
        let upstream = Upstream::start(script).await;
        let pool = Pool::default();
        let answer = pool.send(&upstream.origin(), &patient(), get()).await.unwrap();
        assert!(matches!(text(answer).await, Err(BodyError::Connection(_))));
        assert_eq!(pool.idle(), 0);
    }
}

#[tokio::test]
async fn a_request_body_that_breaks_off_is_the_client_s_fault() {
    let mut upstream = Upstream::start(&[&[Act::Hang("")]]).await;
    let sent = request("PUT", Body::boxed(Odd::Broken));
    let failure = Pool::default().send(&upstream.origin(), &Limits::default(), sent).await.unwrap_err();
    check(&failure, "the request body broke off", StatusCode::BAD_REQUEST, 1);
    upstream.saw(Seen::Connection).await;
}
