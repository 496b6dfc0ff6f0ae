//! WebSocket over HTTP/2 (RFC 8441): an extended CONNECT becomes the handshake of HTTP/1.1, which Routes, plugins and
//! upstreams understand, and the response to the handshake becomes one to CONNECT.

use http::{
    Extensions, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper::ext::Protocol;
use rand::RngExt;

use crate::{
    base64_codec,
    {body::Body, request_head::ClientHead},
};

/// Text that is hashed after the key for Sec-WebSocket-Accept. (RFC 6455, section 1.3)
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Extension of a request that was an extended CONNECT.
#[derive(Clone, Copy)]
struct ExtendedConnect;

/// Extension of a response that opens a tunnel.
#[derive(Clone, Copy)]
struct TunnelAccepted;

/// Converts an extended CONNECT for WebSocket to the handshake of HTTP/1.1.
pub(super) fn to_http1_handshake(request: &mut Request<Body>) {
    let is_websocket = request.version() == Version::HTTP_2
        && *request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket");
    if !is_websocket {
        return;
    }
    *request.method_mut() = Method::GET;
    request.extensions_mut().insert(ExtendedConnect);
    let key = base64_codec::encode(rand::rng().random::<[u8; 16]>());
    let fields = request.headers_mut();
    fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.entry(SEC_WEBSOCKET_VERSION).or_insert(HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::try_from(key) {
        fields.insert(SEC_WEBSOCKET_KEY, key);
    }
}

/// Whether the upstream has accepted the handshake of [`to_http1_handshake`]. Always true for a client's own handshake,
/// which the client checks itself.
pub(super) fn is_accepted(head: &ClientHead, extensions: &Extensions, response: &Response<Body>) -> bool {
    if extensions.get::<ExtendedConnect>().is_none() {
        return true;
    }
    let key = head.field(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut digest = sha1_smol::Sha1::from(key);
    digest.update(ACCEPT_GUID.as_bytes());
    let expected = base64_codec::encode(digest.digest().bytes());
    response
        .headers()
        .get(SEC_WEBSOCKET_ACCEPT)
        .is_some_and(|accept| accept.as_bytes() == expected.as_bytes())
}

/// Converts the response to the handshake to one to CONNECT: 200, the tunnel is open.
pub(super) fn accept_connect(extensions: &Extensions, response: &mut Response<Body>) {
    if extensions.get::<ExtendedConnect>().is_none() {
        return;
    }
    *response.status_mut() = StatusCode::OK;
    response.extensions_mut().insert(TunnelAccepted);
    for name in [SEC_WEBSOCKET_ACCEPT, CONNECTION, UPGRADE] {
        response.headers_mut().remove(name);
    }
}

/// Whether a response to CONNECT is successful although there is no tunnel.
pub(super) fn falsely_accepts(extensions: &Extensions, response: &Response<Body>) -> bool {
    let status = response.status();
    extensions.get::<ExtendedConnect>().is_some()
        && (status.is_success() || status.is_informational())
        && response.extensions().get::<TunnelAccepted>().is_none()
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
    fn only_an_extended_connect_for_websocket_becomes_a_handshake() {
        for (method, version, protocol, expected) in [
            (Method::CONNECT, Version::HTTP_2, Some("websocket"), true),
            (Method::CONNECT, Version::HTTP_2, Some("connect-udp"), false),
            (Method::CONNECT, Version::HTTP_2, None, false),
            (Method::CONNECT, Version::HTTP_11, Some("websocket"), false),
            (Method::GET, Version::HTTP_2, Some("websocket"), false),
        ] {
            let mut request = request(method.clone(), version, protocol);
            to_http1_handshake(&mut request);
            let method = if expected { Method::GET } else { method };
            assert_eq!(*request.method(), method);
            assert_eq!(request.headers().contains_key(UPGRADE), expected);
        }
    }

    #[test]
    fn the_key_of_a_handshake_decides_about_its_answer() {
        let mut request = request(Method::CONNECT, Version::HTTP_2, Some("websocket"));
        to_http1_handshake(&mut request);
        // The key and its accept value of RFC 6455, section 1.3.
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        let (head, extensions) = ClientHead::new(request.into_parts().0, false);
        for (accept, expected) in [("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", true), ("else", false)] {
            let builder = Response::builder().status(101).header(SEC_WEBSOCKET_ACCEPT, accept);
            let mut response = builder.header(UPGRADE, "websocket").body(Body::Empty).unwrap();
            assert_eq!(is_accepted(&head, &extensions, &response), expected);
            assert!(falsely_accepts(&extensions, &response));
            accept_connect(&extensions, &mut response);
            assert_eq!((response.status().as_u16(), response.headers().len()), (200, 0));
            assert!(!falsely_accepts(&extensions, &response));
        }
        let refused = Response::builder().status(403).body(Body::Empty).unwrap();
        assert!(
            falsely_accepts(&extensions, &Response::new(Body::Empty))
                && !falsely_accepts(&extensions, &refused)
        );
    }
}
