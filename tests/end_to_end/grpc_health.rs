//! Health checks of gRPC targets by the protocol `grpc.health.v1`.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{HeaderMap, Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use crate::{
    balancing::config,
    eventually,
    gateway::{Gateway, Setup},
    grpc::acceptor,
    health::wait_for_health,
};

/// Health that a server reports; any other number is a gRPC status that is an error.
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;
const UNIMPLEMENTED: u8 = 12;
const UNAVAILABLE: u8 = 14;

/// The heads and bodies of the checks that it received.
type Questions = Mutex<Vec<(String, HeaderMap, Bytes)>>;

struct Server {
    address: SocketAddr,
    says: AtomicU8,
    asked: Questions,
}

impl Server {
    async fn start(tls: bool) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(Self { address, says: AtomicU8::new(SERVING), asked: Questions::default() });
        let (serving, acceptor) = (server.clone(), tls.then(acceptor));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, acceptor) = (serving.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => server.serve(stream).await,
                        // An aborted handshake shows in the health of the target.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                server.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let service = service_fn(|request| self.clone().answer(request));
        drop(http2.serve_connection(TokioIo::new(stream), service).await);
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.asked.lock().unwrap().push((format!("{} {}", head.method, head.uri.path()), head.headers, body));
        let response = Response::builder().header("content-type", "application/grpc");
        let says = self.says.load(Ordering::SeqCst);
        Ok(if says < UNIMPLEMENTED {
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            let message = Full::new(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, says]));
            response.body(message.with_trailers(async { Some(Ok(trailers)) }).boxed()).unwrap()
        } else {
            response.header("grpc-status", says.to_string()).body(Empty::new().boxed()).unwrap()
        })
    }
}

async fn start(kind: &str) -> (Arc<Server>, Gateway) {
    let server = Server::start(kind == "grpcs").await;
    let checks = format!(
        "healthchecks: {{active: {{type: {kind}, timeout: 20, headers: {{x-probe: ['1']}}, \
         healthy: {{interval: 0.02, successes: 1}}, unhealthy: {{interval: 0.02, http_failures: 1, tcp_failures: 1}}}}}}"
    );
    let text =
        config(&checks, &[]).replace("targets: []", &format!("targets: [{{target: '{}'}}]", server.address));
    (server, Setup::with(&text).run())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_reports_its_serving_status() {
    for kind in ["grpc", "grpcs"] {
        let (server, gateway) = start(kind).await;
        for (says, health) in [
            (NOT_SERVING, "UNHEALTHY"),
            (SERVING, "HEALTHY"),
            (UNAVAILABLE, "UNHEALTHY"),
            (UNIMPLEMENTED, "HEALTHY"),
            (0, "UNHEALTHY"),
        ] {
            server.says.store(says, Ordering::SeqCst);
            wait_for_health(&gateway, &[health]);
        }
        let asked = server.asked.lock().unwrap();
        let (line, fields, body) = asked.first().unwrap();
        assert_eq!(line, "POST /grpc.health.v1.Health/Check");
        assert_eq!(
            (&fields["content-type"], &fields["te"], &fields["x-probe"]),
            (&"application/grpc".parse().unwrap(), &"trailers".parse().unwrap(), &"1".parse().unwrap())
        );
        assert_eq!(body, &[0; 5][..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_closed_is_no_server() {
    let (server, gateway) = start("grpc").await;
    wait_for_health(&gateway, &["HEALTHY"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = std::fs::read_to_string(gateway.folder.path().join("kong.yaml")).unwrap();
    let text = text.replace(&server.address.to_string(), &silent.to_string());
    gateway.folder.write("kong.yaml", text);
    eventually("the new target is asked", || {
        gateway.log().contains("is unhealthy: no connection").then_some(())
    });
    wait_for_health(&gateway, &["UNHEALTHY"]);
}
