//! Which connections are used again, and which are not.

use tokio::time::Instant;

use super::*;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
const CLOSING: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const PART: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok";
const SURPLUS: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n";

/// Sends two requests after another, and checks over how many connections.
async fn check(
    settings: PoolSettings,
    method: &str,
    first: &'static [&'static [UpstreamAct]],
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
async fn a_connection_serves_again_after_a_complete_response() {
    let settings = PoolSettings::default();
    check(settings, "GET", &[&[UpstreamAct::Answer(OK), UpstreamAct::Answer(OK)]], 1).await;
    check(settings, "POST", &[&[UpstreamAct::Answer(OK), UpstreamAct::Answer(OK)]], 1).await;
    check(settings, "GET", &[&[UpstreamAct::Answer(CHUNKED), UpstreamAct::Answer(OK)]], 1).await;
    check(settings, "GET", &[&[UpstreamAct::Answer(EMPTY), UpstreamAct::Answer(OK)]], 1).await;
    check(settings, "HEAD", &[&[UpstreamAct::Answer(HEAD), UpstreamAct::Answer(HEAD)]], 1).await;
}

#[tokio::test]
async fn a_connection_serves_once_if_it_must() {
    let settings = PoolSettings::default();
    check(settings, "GET", &[&[UpstreamAct::Close(CLOSING)]], 2).await;
    check(PoolSettings { max_requests: 1, ..settings }, "GET", &[&[UpstreamAct::Answer(OK)]], 2).await;
    check(PoolSettings { idle_per_origin: 0, ..settings }, "GET", &[&[UpstreamAct::Answer(OK)]], 2).await;
}

#[tokio::test]
async fn bytes_after_a_response_answer_no_other_request() {
    check(PoolSettings::default(), "GET", &[&[UpstreamAct::Answer(SURPLUS)], &[UpstreamAct::Answer(OK)]], 2)
        .await;
}

#[tokio::test]
async fn dropping_a_body_closes_its_connection() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAct::Hang(PART)]]).await;
    let pool = ConnectionPool::default();
    let mut answer = pool.send(&upstream.origin(), &patient(), get()).await.unwrap();
    let frame = answer.response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "ok");
    drop(answer);
    upstream.saw(PeerEvent::Gone).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn dropping_a_request_closes_its_connection() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAct::Hang("")]]).await;
    let (pool, origin) = (ConnectionPool::default(), upstream.origin());
    let limits = patient();
    let mut sending = Box::pin(pool.send(&origin, &limits, get()));
    tokio::select! {
        _ = &mut sending => panic!("there is no answer"),
        () = upstream.saw(PeerEvent::Request("GET /x HTTP/1.1\r\nhost: up\r\n\r\n".to_owned())) => {}
    }
    drop(sending);
    upstream.saw(PeerEvent::Gone).await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_closes_the_connection() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAct::Hang(OK)]]).await;
    let pool = ConnectionPool::default();
    let answer = pool
        .send(&upstream.origin(), &patient(), request("POST", Body::boxed(FaultyBody::Endless)))
        .await
        .unwrap();
    assert_eq!(text(answer).await.unwrap(), "ok");
    upstream.saw(PeerEvent::Gone).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn only_so_many_connections_stay_idle() {
    // A body that has come whole would let its connection go at once.
    let upstream = TestUpstream::start(&[&[UpstreamAct::Answer(CHUNKED)]]).await;
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
async fn idle_connections_are_closed_in_the_end() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAct::Answer(OK)]]).await;
    let settings = PoolSettings::default();
    let pool = ConnectionPool::new(settings);
    text(pool.send(&upstream.origin(), &patient(), get()).await.unwrap()).await.unwrap();
    pool.shared.sweep(Instant::now());
    assert_eq!(pool.idle(), 1);
    pool.shared.sweep(Instant::now() + settings.idle_timeout);
    assert_eq!(pool.idle(), 0);
    upstream.saw(PeerEvent::Gone).await;
}

#[tokio::test]
async fn origins_do_not_share_connections() {
    let upstream = TestUpstream::start(&[&[UpstreamAct::Answer(OK)]]).await;
    let other = TestUpstream::start(&[&[UpstreamAct::Answer(OK)]]).await;
    let pool = ConnectionPool::default();
    for origin in [upstream.origin(), other.origin()] {
        let answer = pool.send(&origin, &patient(), get()).await.unwrap();
        assert_eq!(answer.tries, 1);
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
                let mut asking = get();
                *asking.uri_mut() = target.parse().unwrap();
                let answer = pool.send(&origin, &patient(), asking).await.unwrap();
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
