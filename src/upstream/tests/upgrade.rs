//! What becomes of a 101.

use super::*;

const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello";

#[tokio::test]
async fn a_switch_that_was_asked_for_leaves_a_tunnel() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAct::Hang(SWITCH)]]).await;
    let pool = ConnectionPool::default();
    let mut asking = get();
    asking.headers_mut().insert("connection", "upgrade".parse().unwrap());
    asking.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    let answer = pool.send(&upstream.origin(), &patient(), asking).await.unwrap();
    assert_eq!(answer.response.status(), 101);
    assert_eq!(answer.response.headers()["upgrade"], "websocket");
    let mut tunnel = answer.switched.unwrap();
    let mut greeting = [0; 5];
    tunnel.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello");
    drop(tunnel);
    upstream.saw(PeerEvent::Gone).await;
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_an_error() {
    let mut upstream = TestUpstream::start(&[&[UpstreamAct::Hang(SWITCH)]]).await;
    let failure = ConnectionPool::default().send(&upstream.origin(), &patient(), get()).await.unwrap_err();
    assert!(matches!(failure.cause, FailureCause::UnaskedUpgrade));
    assert_eq!(failure.cause.status(), http::StatusCode::BAD_GATEWAY);
    upstream.saw(PeerEvent::Gone).await;
}
