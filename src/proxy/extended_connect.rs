//! WebSocket over HTTP/2: a request of CONNECT becomes the handshake of HTTP/1.1, which routes, plugins and upstreams
//! know, and its answer one to CONNECT. (RFC 8441)

use base64::prelude::{BASE64_STANDARD, Engine};
use http::{
    Extensions, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper::ext::Protocol;
use rand::RngExt;

use crate::{body::Body, request_head::ClientHead};

/// What is sent of a key in the answer to it, after the key. (RFC 6455, section 1.3)
const ACCEPTING: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Says of a request that it was one of CONNECT.
#[derive(Clone, Copy)]
struct ExtendedConnect;

/// Says of an answer that it opens a tunnel.
#[derive(Clone, Copy)]
struct TunnelAccepted;

/// Makes a handshake of a request that asks for WebSocket by CONNECT.
pub(super) fn shake_hands(request: &mut Request<Body>) {
    let asks = request.version() == Version::HTTP_2
        && *request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>().is_some_and(|it| it.as_str() == "websocket");
    if !asks {
        return;
    }
    *request.method_mut() = Method::GET;
    request.extensions_mut().insert(ExtendedConnect);
    let key = BASE64_STANDARD.encode(rand::rng().random::<[u8; 16]>());
    let fields = request.headers_mut();
    fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.entry(SEC_WEBSOCKET_VERSION).or_insert(HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::try_from(key) {
        fields.insert(SEC_WEBSOCKET_KEY, key);
    }
}

/// Whether the upstream has understood the handshake that was made here; a client that made its own sees to that
/// itself.
pub(super) fn is_understood(asked: &ClientHead, extensions: &Extensions, answer: &Response<Body>) -> bool {
    if extensions.get::<ExtendedConnect>().is_none() {
        return true;
    }
    let key = asked.field(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut digest = sha1_smol::Sha1::from(key);
    digest.update(ACCEPTING.as_bytes());
    let expected = BASE64_STANDARD.encode(digest.digest().bytes());
    answer.headers().get(SEC_WEBSOCKET_ACCEPT).is_some_and(|it| it.as_bytes() == expected.as_bytes())
}

/// Answers CONNECT with what was an answer to the handshake: the tunnel is open.
pub(super) fn open(asked: &Extensions, answer: &mut Response<Body>) {
    if asked.get::<ExtendedConnect>().is_none() {
        return;
    }
    *answer.status_mut() = StatusCode::OK;
    answer.extensions_mut().insert(TunnelAccepted);
    for name in [SEC_WEBSOCKET_ACCEPT, CONNECTION, UPGRADE] {
        answer.headers_mut().remove(name);
    }
}

/// Whether an answer to CONNECT would say that a tunnel is open where there is none.
pub(super) fn misleads(asked: &Extensions, answer: &Response<Body>) -> bool {
    let status = answer.status();
    asked.get::<ExtendedConnect>().is_some()
        && (status.is_success() || status.is_informational())
        && answer.extensions().get::<TunnelAccepted>().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, version: Version, protocol: Option<&'static str>) -> Request<Body> {
        let mut request = Request::new(Body::Empty);
        *request.method_mut() = method;
        *request.version_mut() = version;
        *request.uri_mut() = http::Uri::from_static("https://a.example/chat");
        if let Some(protocol) = protocol {
            request.extensions_mut().insert(Protocol::from_static(protocol));
        }
        request
    }

    #[test]
    fn only_who_asks_for_web_socket_gets_it() {
        for (method, version, protocol, expected) in [
            (Method::CONNECT, Version::HTTP_2, Some("websocket"), true),
            (Method::CONNECT, Version::HTTP_2, Some("connect-udp"), false),
            (Method::CONNECT, Version::HTTP_2, None, false),
            (Method::CONNECT, Version::HTTP_11, Some("websocket"), false),
            (Method::GET, Version::HTTP_2, Some("websocket"), false),
        ] {
            let mut request = request(method.clone(), version, protocol);
            shake_hands(&mut request);
            let became = if expected { Method::GET } else { method };
            assert_eq!(*request.method(), became);
            assert_eq!(request.headers().contains_key(UPGRADE), expected);
        }
    }

    #[test]
    fn a_handshake_is_answered_by_its_key() {
        let mut asked = request(Method::CONNECT, Version::HTTP_2, Some("websocket"));
        shake_hands(&mut asked);
        // The key and its answer of RFC 6455, section 1.3.
        asked.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        let (head, asked) = ClientHead::new(asked.into_parts().0, false);
        for (accept, expected) in [("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", true), ("else", false)] {
            let answer = Response::builder().status(101).header(SEC_WEBSOCKET_ACCEPT, accept);
            let mut answer = answer.header(UPGRADE, "websocket").body(Body::Empty).unwrap();
            assert_eq!(is_understood(&head, &asked, &answer), expected);
            assert!(misleads(&asked, &answer));
            open(&asked, &mut answer);
            assert_eq!((answer.status().as_u16(), answer.headers().len()), (200, 0));
            assert!(!misleads(&asked, &answer));
        }
        let refused = Response::builder().status(403).body(Body::Empty).unwrap();
        assert!(misleads(&asked, &Response::new(Body::Empty)) && !misleads(&asked, &refused));
    }
}
