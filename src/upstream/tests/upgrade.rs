//! Tests of upgraded connections (status 101).

use super::*;

const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello";

#[tokio::test]
async fn an_upgrade_that_was_asked_for_opens_a_tunnel() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Hang(SWITCH)]]).await;
    let pool = ConnectionPool::default();
    let mut request = get();
    request.headers_mut().insert("connection", "upgrade".parse().unwrap());
    request.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    let answer = pool.send(&upstream.origin(), &patient(), request).await.unwrap();
    assert_eq!(answer.response.status(), 101);
    assert_eq!(answer.response.headers()["upgrade"], "websocket");
    let mut tunnel = answer.upgraded.unwrap();
    let mut greeting = [0; 5];
    tunnel.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello");
    drop(tunnel);
    upstream.wait_for(UpstreamEvent::Disconnected).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn an_upgrade_that_was_not_asked_for_is_an_error() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAction::Hang(SWITCH)]]).await;
    let failure = ConnectionPool::default().send(&upstream.origin(), &patient(), get()).await.unwrap_err();
    assert!(matches!(failure.cause, FailureCause::UnexpectedUpgrade));
    assert_eq!(failure.cause.status(), http::StatusCode::BAD_GATEWAY);
    upstream.wait_for(UpstreamEvent::Disconnected).await;
}
