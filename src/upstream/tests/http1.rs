//! Tests of HTTP/1.1: responses of upstreams, and how they are read.

use super::*;

const KEPT: &str = "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok";
const EARLY: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
     HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const TRAILERS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
     2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n";

/// Checks the status and the body of a response, and the number of connections that are kept.
async fn check(
    method: &str,
    script: &'static [&'static [UpstreamAction]],
    status: u16,
    body: &str,
    idle: usize,
) {
    let upstream = TestUpstream::start(script).await;
    let pool = ConnectionPool::default();
    let answer = pool.send(&upstream.origin(), &patient(), request(method, Body::Empty)).await.unwrap();
    assert_eq!(answer.response.status(), status);
    assert_eq!(text(answer).await.unwrap(), body);
    assert_eq!(pool.idle(), idle);
}

#[tokio::test]
async fn interim_responses_are_skipped() {
    check("GET", &[&[UpstreamAction::Answer(EARLY)]], 200, "ok", 1).await;
}

#[tokio::test]
async fn a_body_ends_where_its_framing_says() {
    check(
        "GET",
        &[&[UpstreamAction::Close("HTTP/1.1 200 OK\r\n\r\nuntil the end")]],
        200,
        "until the end",
        0,
    )
    .await;
    check(
        "GET",
        &[&[UpstreamAction::Close("HTTP/1.0 200 OK\r\n\r\nuntil the end")]],
        200,
        "until the end",
        0,
    )
    .await;
    check("HEAD", &[&[UpstreamAction::Answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")]], 200, "", 1)
        .await;
    check(
        "GET",
        &[&[UpstreamAction::Answer("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n")]],
        304,
        "",
        1,
    )
    .await;
    check("GET", &[&[UpstreamAction::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]], 200, "", 1)
        .await;
    check(
        "GET",
        &[&[UpstreamAction::Answer("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok")]],
        200,
        "ok",
        0,
    )
    .await;
    check("GET", &[&[UpstreamAction::Answer(KEPT)]], 200, "ok", 1).await;
}

#[tokio::test]
async fn trailers_follow_the_body() {
    let upstream = TestUpstream::start(&[&[UpstreamAction::Answer(TRAILERS)]]).await;
    let pool = ConnectionPool::default();
    let answer = pool.send(&upstream.origin(), &patient(), get()).await.unwrap();
    let collected = answer.response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "1");
    assert_eq!(collected.to_bytes(), "ok");
    assert_eq!(pool.idle(), 1);
}

#[tokio::test]
async fn a_large_body_is_read_completely() {
    let body = "0123456789abcdef".repeat(1 << 16);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let script: &'static [UpstreamAction] =
        vec![UpstreamAction::Answer(Box::leak(head.into_boxed_str()))].leak();
    check("GET", vec![script].leak(), 200, &body, 1).await;
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = UpstreamOrigin::http("127.0.0.1", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        read_request(&mut stream).await.unwrap();
        let heads = "\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\nHTTP/1.1 201 Created\ncontent-length: 2\n\n";
        for byte in heads.bytes() {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.write_all(b"ok").await.unwrap();
    });
    let answer =
        ConnectionPool::default().send(&origin, &patient(), request("GET", Body::Empty)).await.unwrap();
    assert_eq!(answer.response.status(), 201);
    assert_eq!(text(answer).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_response_that_is_sent_before_the_connection_closes_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = UpstreamOrigin::http("127.0.0.1", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 1024]).await.unwrap();
        let refusal = b"HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
        stream.write_all(refusal).await.unwrap();
        stream.shutdown().await.unwrap();
        // It reads the bytes that were sent already, and no more.
        let _ = tokio::io::copy(&mut stream.take(1 << 20), &mut tokio::io::sink()).await;
    });
    let large = Body::full(vec![b'x'; 64 << 20]);
    let answer = ConnectionPool::default().send(&origin, &patient(), request("POST", large)).await.unwrap();
    assert_eq!(answer.response.status(), 413);
    assert_eq!(text(answer).await.unwrap(), "no");
}

#[tokio::test]
async fn both_bodies_may_be_sent_at_the_same_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = UpstreamOrigin::http("127.0.0.1", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await.unwrap();
        assert!(request.ends_with("transfer-encoding: chunked\r\n\r\n"), "{request}");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n").await.unwrap();
        // It echoes the bytes that it reads.
        let mut echo = [0; 19];
        stream.read_exact(&mut echo).await.unwrap();
        stream.write_all(&echo).await.unwrap();
    });
    let (sender, pieces) = unbounded_channel();
    let sent = request("POST", Body::boxed(ChannelBody(pieces)));
    let answer = ConnectionPool::default().send(&origin, &patient(), sent).await.unwrap();
    for piece in ["abcd", "efgh"] {
        sender.send(Bytes::from_static(piece.as_bytes())).unwrap();
    }
    drop(sender);
    assert_eq!(text(answer).await.unwrap(), "4\r\nabcd\r\n4\r\nefgh\r\n0");
}

/// A request body of the pieces of a channel.
struct ChannelBody(UnboundedReceiver<Bytes>);

impl hyper::body::Body for ChannelBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
