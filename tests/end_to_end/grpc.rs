//! gRPC through the gateway, between the client and the server of tonic.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes};
use hyper::{Request, Response, body::Incoming, client::conn::http2::SendRequest, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{
    Code, Status, Streaming,
    body::Body,
    client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server,
};
use tower_service::Service;

use crate::{
    gateway::{Gateway, Setup},
    pem::Signed,
    secure::{Hello, config},
};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Words = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Codec whose messages are plain bytes.
#[derive(Clone, Copy, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Unary method of an echo service.
#[derive(Clone, Copy)]
struct Echo;

impl Service<tonic::Request<Bytes>> for Echo {
    type Response = tonic::Response<Bytes>;
    type Error = Status;
    type Future = Boxed<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        Box::pin(async move {
            if request.get_ref() == "fail" {
                return Err(Status::failed_precondition("precondition: 100 %"));
            }
            let value = request.metadata().get("x-echo").cloned();
            let mut response = tonic::Response::new(request.into_inner());
            if let Some(value) = value {
                response.metadata_mut().insert("x-echo", value);
            }
            Ok(response)
        })
    }
}

/// Bidirectional method: each message is echoed at once.
#[derive(Clone, Copy)]
struct EchoEach;

impl Service<tonic::Request<Streaming<Bytes>>> for EchoEach {
    type Response = tonic::Response<Words>;
    type Error = Status;
    type Future = Boxed<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let words = request.into_inner().map(|word| match word {
            Ok(word) if word == "fail" => Err(Status::data_loss("in the middle")),
            word => word,
        });
        Box::pin(async { Ok(tonic::Response::new(Box::pin(words) as Words)) })
    }
}

/// Server-streaming method: each letter of a word is a message.
#[derive(Clone, Copy)]
struct Letters;

impl Service<tonic::Request<Bytes>> for Letters {
    type Response = tonic::Response<Words>;
    type Error = Status;
    type Future = Boxed<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let word = request.into_inner();
        let letters = (0..word.len()).map(move |n| Ok(word.slice(n..=n)));
        Box::pin(async { Ok(tonic::Response::new(Box::pin(tokio_stream::iter(letters)) as Words)) })
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut grpc = server::Grpc::new(Plain);
    Ok(match request.uri().path() {
        "/test.Echo/Say" => grpc.unary(Echo, request).await,
        "/test.Echo/Spell" => grpc.server_streaming(Letters, request).await,
        "/test.Echo/Talk" => grpc.streaming(EchoEach, request).await,
        _ => Status::unimplemented("not supported").into_http(),
    })
}

/// Starts the service, in plain text or over TLS.
async fn start(tls: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.then(acceptor);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                match acceptor {
                    None => serve(stream).await,
                    Some(acceptor) => {
                        let stream = acceptor.accept(stream).await.unwrap();
                        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                        serve(stream).await;
                    }
                }
            });
        }
    });
    address
}

pub(crate) fn acceptor() -> TlsAcceptor {
    let own = Signed::self_signed("localhost");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.key_der));
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der.into()], key)
            .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // The gateway may have closed the connection.
    drop(server.serve_connection(TokioIo::new(stream), service_fn(answer)).await);
}

/// A connection of a client, in the form of tonic.
#[derive(Clone)]
struct Channel(SendRequest<Body>);

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Boxed<hyper::Result<Response<Incoming>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

type Client = client::Grpc<Channel>;

async fn handshake(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, origin: &str) -> Client {
    let http2 = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = http2.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client::Grpc::with_origin(Channel(sender), origin.parse().unwrap())
}

/// A service, a gateway in front of it, and a client, all with the protocol.
async fn through(protocol: &str) -> (Gateway, Client) {
    let upstream = start(protocol == "grpcs").await;
    let text = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, protocol: {protocol}, host: localhost, port: {}, retries: 1, \
         routes: [{{name: r, protocols: [{protocol}], hosts: [api.example]}}]}}\n",
        upstream.port()
    );
    let listen = "127.0.0.1:0, 127.0.0.1:0 http2 ssl";
    let gateway = Setup::with(&text).start(&["run", "--proxy-listen", listen, "--admin-listen", "off"]);
    let client = if protocol == "grpc" {
        let stream = TcpStream::connect(gateway.address("proxy")).await.unwrap();
        handshake(stream, "http://api.example").await
    } else {
        let hello = Hello { server_name: Some("api.example"), protocols: &["h2"], ..Hello::default() };
        let stream = TcpStream::connect(gateway.tls_address("proxy")).await.unwrap();
        let name = ServerName::try_from("api.example").unwrap();
        let stream = TlsConnector::from(Arc::new(config(hello))).connect(name, stream).await.unwrap();
        handshake(stream, "https://api.example").await
    };
    (gateway, client)
}

async fn echo(client: &mut Client, word: &'static str) -> Result<tonic::Response<Bytes>, Status> {
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(Bytes::from_static(word.as_bytes()));
    request.metadata_mut().insert("x-echo", "once".parse().unwrap());
    client.unary(request, "/test.Echo/Say".parse().unwrap(), Plain).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unary_call_is_answered() {
    for protocol in ["grpc", "grpcs"] {
        let (_gateway, mut client) = through(protocol).await;
        let answer = echo(&mut client, "hello").await.unwrap();
        assert_eq!(answer.get_ref(), "hello");
        assert_eq!(answer.metadata().get("x-echo").unwrap(), "once");
        let via = answer.metadata().get("via").unwrap().to_str().unwrap().to_owned();
        assert!(via.starts_with("2 mynah/"), "{via}");
        let (one, two) = (&mut client.clone(), &mut client);
        let (one, two) = tokio::join!(echo(one, "one"), echo(two, "two"));
        assert_eq!(
            (one.unwrap().get_ref(), two.unwrap().get_ref()),
            (&Bytes::from("one"), &Bytes::from("two"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_in_trailers() {
    let (_gateway, mut client) = through("grpc").await;
    let error = echo(&mut client, "fail").await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::FailedPrecondition, "precondition: 100 %"));
    client.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::new());
    let missing = client.unary(request, "/test.Echo/Nothing".parse().unwrap(), Plain).await;
    let error = missing.map(|_: tonic::Response<Bytes>| ()).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Unimplemented, "not supported"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_gateway_are_grpc_statuses() {
    let text = "_format_version: \"3.0\"\nservices:\n- {name: s, protocol: grpc, host: 127.0.0.1, port: 1, retries: 0, \
                routes: [{name: r, protocols: [grpc], hosts: [api.example]}]}\n";
    let gateway = Setup::with(text).run();
    for (origin, code) in [("http://api.example", Code::Internal), ("http://other.example", Code::NotFound)] {
        let stream = TcpStream::connect(gateway.address("proxy")).await.unwrap();
        let mut client = handshake(stream, origin).await;
        let error = echo(&mut client, "x").await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpcs_route_refuses_plain_text() {
    let text = "_format_version: \"3.0\"\nservices:\n- {name: s, protocol: grpc, host: 127.0.0.1, port: 1, retries: 0, \
                routes: [{name: r, protocols: [grpcs], hosts: [api.example]}]}\n";
    let gateway = Setup::with(text).run();
    let stream = TcpStream::connect(gateway.address("proxy")).await.unwrap();
    let error = echo(&mut handshake(stream, "http://api.example").await, "x").await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Cancelled, "gRPC request matched gRPCs route"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stream_is_forwarded() {
    for protocol in ["grpc", "grpcs"] {
        let (_gateway, mut client) = through(protocol).await;
        client.ready().await.unwrap();
        let request = tonic::Request::new(Bytes::from("abc"));
        let response = client.server_streaming(request, "/test.Echo/Spell".parse().unwrap(), Plain).await;
        let mut letters: Streaming<Bytes> = response.unwrap().into_inner();
        let mut word = Vec::new();
        while let Some(letter) = letters.message().await.unwrap() {
            word.extend_from_slice(&letter);
        }
        assert_eq!(word, b"abc");
        assert!(letters.trailers().await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bidirectional_stream_is_forwarded_message_by_message() {
    for protocol in ["grpc", "grpcs"] {
        let (_gateway, mut client) = through(protocol).await;
        client.ready().await.unwrap();
        let (words, spoken) = mpsc::channel(1);
        words.send(Bytes::from("first")).await.unwrap();
        let request = tonic::Request::new(ReceiverStream::new(spoken));
        let response = client.streaming(request, "/test.Echo/Talk".parse().unwrap(), Plain).await;
        let mut heard: Streaming<Bytes> = response.unwrap().into_inner();
        assert_eq!(heard.message().await.unwrap().unwrap(), "first");
        for word in ["second", "third"] {
            words.send(Bytes::from(word)).await.unwrap();
            assert_eq!(heard.message().await.unwrap().unwrap(), word);
        }
        words.send(Bytes::from("fail")).await.unwrap();
        let error = heard.message().await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::DataLoss, "in the middle"));
    }
}
