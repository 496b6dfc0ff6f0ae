//! Tests of connection reuse.

use tokio::time::Instant;

use super::*;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
const CLOSING: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const PART: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok";
const SURPLUS: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n";

/// Sends two requests one after the other, and checks the number of connections.
async fn check(
    settings: PoolSettings,
    method: &str,
    first: &'static [&'static [UpstreamAction]],
    connections: usize,
) {
    let mut upstream = TestUpstream::start(first).await;
    let pool = ConnectionPool::new(settings);
    for _ in 0..2 {
        let answer = pool.send(&upstream.origin(), &patient(), request(method, Body::Empty)).await.unwrap();
        assert!(answer.response.status().is_success());
        text(answer).await.unwrap();
        while pool.idle() == 0 && connections == 1 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(upstream.connections(), connections);
}

#[tokio::test]
async fn a_connection_is_reused_after_a_complete_response() {
    let settings = PoolSettings::default();
    check(settings, "GET", &[&[UpstreamAction::Answer(OK), UpstreamAction::Answer(OK)]], 1).await;
    check(settings, "POST", &[&[UpstreamAction::Answer(OK), UpstreamAction::Answer(OK)]], 1).await;
    check(settings, "GET", &[&[UpstreamAction::Answer(CHUNKED), UpstreamAction::Answer(OK)]], 1).await;
    check(settings, "GET", &[&[UpstreamAction::Answer(EMPTY), UpstreamAction::Answer(OK)]], 1).await;
    check(settings, "HEAD", &[&[UpstreamAction::Answer(HEAD), UpstreamAction::Answer(HEAD)]], 1).await;
}

#[tokio::test]
async fn a_connection_is_not_reused_where_the_response_or_the_settings_forbid_it() {
    let settings = PoolSettings::default();
    check(settings, "GET", &[&[UpstreamAction::Close(CLOSING)]], 2).await;
    check(PoolSettings { max_requests: 1, ..settings }, "GET", &[&[UpstreamAction::Answer(OK)]], 2).await;
    check(PoolSettings { idle_per_origin: 0, ..settings }, "GET", &[&[UpstreamAction::Answer(OK)]], 2).await;
}

#[tokio::test]
async fn bytes_after_a_response_do_not_answer_another_request() {
    check(
        PoolSettings::default(),
        "GET",
        &[&[UpstreamAction::Answer(SURPLUS)], &[UpstreamAction::Answer(OK)]],
        2,
    )
    .await;
}

#[tokio::test]
async fn dropping_a_body_closes_its_connection() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Hang(PART)]]).await;
    let pool = ConnectionPool::default();
    let mut answer = pool.send(&upstream.origin(), &patient(), get()).await.unwrap();
    let frame = answer.response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "ok");
    drop(answer);
    upstream.wait_for(UpstreamEvent::Disconnected).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn dropping_a_request_closes_its_connection() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Hang("")]]).await;
    let (pool, origin) = (ConnectionPool::default(), upstream.origin());
    let limits = patient();
    let mut sending = Box::pin(pool.send(&origin, &limits, get()));
    tokio::select! {
        _ = &mut sending => panic!("the upstream sends no answer"),
        () = upstream.wait_for(UpstreamEvent::Request("GET /x HTTP/1.1\r\nhost: up\r\n\r\n".to_owned())) => {}
    }
    drop(sending);
    upstream.wait_for(UpstreamEvent::Disconnected).await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_closes_the_connection() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Hang(OK)]]).await;
    let pool = ConnectionPool::default();
    let answer = pool
        .send(&upstream.origin(), &patient(), request("POST", Body::boxed(FaultyBody::Endless)))
        .await
        .unwrap();
    assert_eq!(text(answer).await.unwrap(), "ok");
    upstream.wait_for(UpstreamEvent::Disconnected).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn the_number_of_idle_connections_is_limited() {
    // A body with a length would release its connection at once.
    let upstream = TestUpstream::start(&[&[UpstreamAction::Answer(CHUNKED)]]).await;
    let pool = ConnectionPool::new(PoolSettings { idle_per_origin: 2, ..PoolSettings::default() });
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(pool.send(&upstream.origin(), &patient(), get()).await.unwrap());
    }
    for answer in answers {
        text(answer).await.unwrap();
    }
    assert_eq!(pool.idle(), 2);
}

#[tokio::test]
async fn idle_connections_are_closed_after_the_idle_timeout() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Answer(OK)]]).await;
    let settings = PoolSettings::default();
    let pool = ConnectionPool::new(settings);
    text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
    pool.shared.sweep(Instant::now());
    assert_eq!(pool.idle(), 1);
    pool.shared.sweep(Instant::now() + settings.idle_timeout);
    assert_eq!(pool.idle(), 0);
    upstream.wait_for(UpstreamEvent::Disconnected).await;
}

#[tokio::test]
async fn origins_do_not_share_connections() {
    let upstream = TestUpstream::start(&[&[UpstreamAction::Answer(OK)]]).await;
    let other = TestUpstream::start(&[&[UpstreamAction::Answer(OK)]]).await;
    let pool = ConnectionPool::default();
    for origin in [upstream.origin(), other.origin()] {
        let answer = pool.send(&origin, &patient(), get()).await.unwrap();
        assert_eq!(answer.attempts, 1);
        text(answer).await.unwrap();
    }
    assert_eq!(pool.idle(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_gets_its_own_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = UpstreamOrigin::http("127.0.0.1", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                while let Some(request) = read_request(&mut stream).await {
                    let target = request.split(' ').nth(1).unwrap();
                    let length = target.len();
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{target}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let pool = ConnectionPool::default();
    let clients = (0..16).map(|client| {
        let (pool, origin) = (pool.clone(), origin.clone());
        tokio::spawn(async move {
            for number in 0..100 {
                let target = format!("/{client}/{number}");
                let mut request = get();
                *request.uri_mut() = target.parse().unwrap();
                let answer = pool.send(&origin, &patient(), request).await.unwrap();
                if number % 10 > 0 {
                    assert_eq!(text(answer).await.unwrap(), target);
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}
