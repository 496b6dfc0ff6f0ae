//! Tests of panics during a request: the client gets an error, and its connection goes on.

use std::sync::Arc;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use super::{
    BoundListener, ListenerRole,
    connection::{ListenerContext, accept},
};
use crate::{
    control::{ConfigSource, Control},
    metrics::ConnectionCounters,
    proxy::Proxy,
    settings::Settings,
    snapshot::SnapshotCompiler,
};

/// Connects to a proxy in which each path names the phase in which its plugin panics; `/fine` has no panic.
#[expect(clippy::default_trait_access, reason = "the server may not use the router")]
async fn start() -> TcpStream {
    let phases = ["access", "later", "header_filter", "body", "log", "fine"];
    let route = |phase| {
        format!(
            "- {{name: {phase}, paths: [/{phase}], plugins: [{{name: panics, config: {{phase: {phase}}}}}, \
             {{name: request-termination, config: {{status_code: 200}}}}]}}\n"
        )
    };
    let routes: String = phases.map(route).concat();
    let source = ConfigSource::Text(format!("_format_version: '3.0'\nroutes:\n{routes}"));
    let control =
        Control::new(SnapshotCompiler::new("specs".into(), Default::default())).with_source(&source);
    control.start().unwrap();
    let settings = Settings::default();
    let proxy = Arc::new(Proxy::new(control.live().clone(), &settings));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let context =
        ListenerContext::new(&settings, 10, None, &Arc::default(), &ConnectionCounters::default().proxy);
    let bound = BoundListener {
        listener,
        role: ListenerRole::Proxy(proxy),
        access_log: None,
        tls: None,
        max_streams: 10,
        proxy_protocol: false,
        shares_port: false,
    };
    tokio::spawn(accept(bound, Arc::new(context)));
    stream
}

fn request(phase: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://a.example/{phase}")).header("host", "a.example").body(Empty::new()).unwrap()
}

#[tokio::test]
async fn a_request_that_panics_gets_500_and_its_connection_goes_on() {
    let (mut sender, connection) = conn::http1::handshake(TokioIo::new(start().await)).await.unwrap();
    tokio::spawn(connection);
    for (phase, status) in
        [("access", 500), ("fine", 200), ("later", 500), ("header_filter", 500), ("log", 200), ("fine", 200)]
    {
        let answer = sender.send_request(request(phase)).await.unwrap();
        assert_eq!(answer.status(), status, "{phase}");
        if status == 500 {
            assert!(answer.headers().contains_key("x-kong-request-id"));
        }
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status == 500, text.starts_with(b"An unexpected error occurred"), "{phase}: {text:?}");
    }
}

#[tokio::test]
async fn other_streams_go_on_after_a_panic() {
    let stream = TokioIo::new(start().await);
    let (sender, connection) = conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for phase in ["access", "later", "header_filter", "body", "log", "fine"] {
        let (mut one, mut other) = (sender.clone(), sender.clone());
        let (one, other) =
            tokio::join!(one.send_request(request(phase)), other.send_request(request("fine")));
        assert_eq!(other.unwrap().status(), StatusCode::OK, "next to {phase}");
        match (phase, one) {
            // Its stream is reset, before or after the head.
            ("body", Err(error)) => assert!(!error.is_closed(), "{error}"),
            ("body", Ok(answer)) => assert!(answer.into_body().collect().await.is_err()),
            ("log" | "fine", answer) => assert_eq!(answer.unwrap().status(), StatusCode::OK, "{phase}"),
            (_, answer) => {
                assert_eq!(answer.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR, "{phase}");
            }
        }
    }
}
