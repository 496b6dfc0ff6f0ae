//! Health check over gRPC: `grpc.health.v1.Health/Check` without the name of a service, which means the server as a
//! whole. (gRPC Health Checking Protocol; gRPC over HTTP/2)

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};

use super::health::HealthEvent;
use crate::body::Body;

/// Empty message: the flag "not compressed", and the length 0.
const EMPTY_MESSAGE: [u8; 5] = [0; 5];

/// Most bytes of a response that are read.
const MAX_BYTES: usize = 4 << 10;

/// gRPC statuses of a successful call, and of a method that the server does not implement.
const OK: &str = "0";
const UNIMPLEMENTED: &str = "12";

/// `HealthCheckResponse.ServingStatus.SERVING`
const SERVING: u64 = 1;

/// Completes a request that has its header fields already.
pub(super) fn fill_request(request: &mut Request<Body>) {
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static("/grpc.health.v1.Health/Check");
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    *request.body_mut() = Body::full(Bytes::from_static(&EMPTY_MESSAGE));
}

/// The event for a response. A server that does not implement the check counts as healthy, because it speaks gRPC: Kong,
/// which only connects, treats it as healthy, too.
pub(super) async fn evaluate(response: Response<Body>) -> HealthEvent {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return HealthEvent::HttpFailure;
    }
    let Ok(body) = Limited::new(body, MAX_BYTES).collect().await else { return HealthEvent::TcpFailure };
    let trailers = body.trailers().cloned().unwrap_or_default();
    match grpc_status(&trailers).or_else(|| grpc_status(&head.headers)) {
        Some(UNIMPLEMENTED) => HealthEvent::Success,
        Some(OK) if serving_status(&body.to_bytes()) == Some(SERVING) => HealthEvent::Success,
        _ => HealthEvent::HttpFailure,
    }
}

fn grpc_status(fields: &HeaderMap) -> Option<&str> {
    fields.get("grpc-status")?.to_str().ok()
}

/// The serving status in a response: the first field of the message, which is a number, or 0 if it is left out.
/// (Protocol Buffers, "Encoding".)
fn serving_status(answer: &[u8]) -> Option<u64> {
    let [0, length @ ..] = answer.first_chunk::<5>()? else { return None };
    let message = answer.get(5..)?;
    if message.len() != usize::try_from(u32::from_be_bytes(*length)).ok()? {
        return None;
    }
    match message {
        [] => Some(0),
        // Field 1 with wire type 0; version 1 of the protocol has no other field.
        [0x08, number @ ..] => varint(number),
        _ => None,
    }
}

/// Decodes a varint.
fn varint(bytes: &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &[u8], expected: Option<u64>) {
        assert_eq!(serving_status(answer), expected, "{answer:x?}");
    }

    #[test]
    fn the_message_has_the_serving_status() {
        check(&[0, 0, 0, 0, 2, 0x08, 1], Some(SERVING));
        check(&[0, 0, 0, 0, 2, 0x08, 2], Some(2));
        check(&[0, 0, 0, 0, 3, 0x08, 0x81, 1], Some(129));
        check(&EMPTY_MESSAGE, Some(0));
        for broken in [
            &[][..],
            &[0, 0, 0, 0],
            &[1, 0, 0, 0, 2, 0x08, 1],
            &[0, 0, 0, 0, 3, 0x08, 1],
            &[0, 0, 0, 0, 1, 0x08],
            &[0, 0, 0, 0, 2, 0x10, 1],
            &[0, 0, 0, 0, 11, 0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            check(broken, None);
        }
    }

    #[test]
    fn the_grpc_status_may_be_in_trailers_or_the_head() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let table = [
            (200, "0", &[0, 0, 0, 0, 2, 0x08, 1][..], HealthEvent::Success),
            (200, "0", &[0, 0, 0, 0, 2, 0x08, 2], HealthEvent::HttpFailure),
            (200, "0", &[], HealthEvent::HttpFailure),
            (200, "12", &[], HealthEvent::Success),
            (200, "14", &[], HealthEvent::HttpFailure),
            (200, "", &[0, 0, 0, 0, 2, 0x08, 1], HealthEvent::HttpFailure),
            (503, "0", &[0, 0, 0, 0, 2, 0x08, 1], HealthEvent::HttpFailure),
        ];
        for (code, status, body, expected) in table {
            let response = Response::builder().status(code).header("grpc-status", status);
            let response = response.body(Body::full(Bytes::copy_from_slice(body))).unwrap();
            assert_eq!(runtime.block_on(evaluate(response)), expected, "{code} {status} {body:x?}");
        }
    }
}
