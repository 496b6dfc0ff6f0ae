//! gRPC's own question whether a server works: `grpc.health.v1.Health/Check`, without the name of a service, so that
//! it is about the server as a whole. (gRPC Health Checking Protocol; gRPC over HTTP/2)

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};

use super::health::HealthEvent;
use crate::body::Body;

/// A message of no bytes: not compressed, and its length.
const EMPTY: [u8; 5] = [0; 5];

/// The most bytes of an answer that are read.
const MOST: usize = 4 << 10;

/// The status of a call that went well, and of one that nobody implements.
const OK: &str = "0";
const UNIMPLEMENTED: &str = "12";

/// `HealthCheckResponse.ServingStatus.SERVING`
const SERVING: u64 = 1;

/// Makes the question of a request that has its fields already.
pub(super) fn ask(request: &mut Request<Body>) {
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static("/grpc.health.v1.Health/Check");
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    *request.body_mut() = Body::full(Bytes::from_static(&EMPTY));
}

/// What an answer says. A server that does not implement the question speaks gRPC, at least: Kong, which only
/// connects, takes it for one that works.
pub(super) async fn judge(response: Response<Body>) -> HealthEvent {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return HealthEvent::HttpFailure;
    }
    let Ok(body) = Limited::new(body, MOST).collect().await else { return HealthEvent::TcpFailure };
    let trailers = body.trailers().cloned().unwrap_or_default();
    match status(&trailers).or_else(|| status(&head.headers)) {
        Some(UNIMPLEMENTED) => HealthEvent::Success,
        Some(OK) if serving(&body.to_bytes()) == Some(SERVING) => HealthEvent::Success,
        _ => HealthEvent::HttpFailure,
    }
}

fn status(fields: &HeaderMap) -> Option<&str> {
    fields.get("grpc-status")?.to_str().ok()
}

/// The first field of the message in an answer, which is a number and 0 if it is left out. (Protocol Buffers,
/// "Encoding".)
fn serving(answer: &[u8]) -> Option<u64> {
    let [0, length @ ..] = answer.first_chunk::<5>()? else { return None };
    let message = answer.get(5..)?;
    if message.len() != usize::try_from(u32::from_be_bytes(*length)).ok()? {
        return None;
    }
    match message {
        [] => Some(0),
        // Field 1, of wire type 0; nothing else is in there as of version 1.
        [0x08, number @ ..] => varint(number),
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * place);
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
        assert_eq!(serving(answer), expected, "{answer:x?}");
    }

    #[test]
    fn an_answer_says_whether_the_server_serves() {
        check(&[0, 0, 0, 0, 2, 0x08, 1], Some(SERVING));
        check(&[0, 0, 0, 0, 2, 0x08, 2], Some(2));
        check(&[0, 0, 0, 0, 3, 0x08, 0x81, 1], Some(129));
        check(&EMPTY, Some(0));
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
    fn a_status_counts_wherever_it_stands() {
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
            assert_eq!(runtime.block_on(judge(response)), expected, "{code} {status} {body:x?}");
        }
    }
}
