//! `request-size-limiting`: a limit for the size of request bodies. (Kong: Request Size Limiting plugin.)

use std::sync::Arc;

use http::{StatusCode, header};
use http_body::Body as _;

use super::{
    Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup, setting_values, whole_body,
};
use crate::{
    body::{Body, BodyBuffers, BodyError},
    schema::{Field, FieldKind, FieldRule},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("request-size-limiting", 951, FIELDS, compile).per_consumer();

/// Bytes of a body that are read before it goes upstream.
const READ_AHEAD_BYTES: usize = 64 << 10;

const FIELDS: &[Field] = &[
    Field::new("allowed_payload_size", FieldKind::Integer)
        .describe("the size of the largest body")
        .default("128"),
    Field::new("size_unit", FieldKind::String)
        .describe("the unit of that size")
        .required()
        .default("\"megabytes\"")
        .rules(&[FieldRule::OneOf(&["megabytes", "kilobytes", "bytes"])]),
    Field::new("require_content_length", FieldKind::Boolean)
        .describe("whether a body needs `Content-Length`")
        .required()
        .default("false"),
];

struct RequestSizeLimiting {
    /// In bytes.
    limit: u64,
    require_content_length: bool,
    buffers: BodyBuffers,
}

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let size = setting_values::integer(setup.config, "allowed_payload_size").unwrap_or(128);
    let unit: u64 = match setting_values::string(setup.config, "size_unit").as_deref() {
        Some("bytes") => 1,
        Some("kilobytes") => 1 << 10,
        _ => 1 << 20,
    };
    Ok(Arc::new(RequestSizeLimiting {
        limit: u64::try_from(size).unwrap_or_default().saturating_mul(unit),
        require_content_length: setting_values::boolean(setup.config, "require_content_length"),
        buffers: setup.resources.buffers.clone(),
    }))
}

impl Plugin for RequestSizeLimiting {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let length = exchange.head().field(header::CONTENT_LENGTH);
        if let Some(length) = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok()) {
            return if length > self.limit { Flow::Respond(too_large(exchange)) } else { Flow::Continue };
        }
        // Different from Kong: a request that has no body needs no length.
        if exchange.body.is_end_stream() {
            return Flow::Continue;
        }
        if self.require_content_length {
            let message = "A valid Content-Length header is required";
            return Flow::Respond(exchange.error(StatusCode::LENGTH_REQUIRED, message));
        }
        if exchange.body.size_hint().lower() > self.limit {
            return Flow::Respond(too_large(exchange));
        }
        if matches!(exchange.body, Body::Full(_)) {
            return Flow::Continue;
        }
        exchange.body = std::mem::take(&mut exchange.body).limited(self.limit);
        if is_streaming(exchange) {
            return Flow::Continue;
        }
        Flow::Later(Box::pin(self.read_ahead(exchange)))
    }
}

impl RequestSizeLimiting {
    /// Rejects a body of unknown length before any of it goes upstream, if its first bytes exceed the limit. The limit
    /// applies to the rest while it is sent.
    async fn read_ahead<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let body = std::mem::take(&mut exchange.body);
        match self.buffers.read_ahead(body, READ_AHEAD_BYTES).await {
            Ok(body) => {
                exchange.body = body;
                Flow::Continue
            }
            // Reading the body has sent `100 Continue`, if the client expects it, so 417 would contradict it.
            Err(BodyError::OverLimit) => {
                Flow::Respond(exchange.error(StatusCode::PAYLOAD_TOO_LARGE, MESSAGE))
            }
            Err(error) => Flow::Respond(whole_body::refusal(exchange, &error)),
        }
    }
}

const MESSAGE: &str = "Request size limit exceeded";

/// Whether a client may wait for the response before it ends the body: in gRPC, and without `request_buffering`. (Kong:
/// Route object.)
fn is_streaming(exchange: &Exchange) -> bool {
    let content_type = exchange.head().field(header::CONTENT_TYPE);
    let grpc = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let route = exchange.matched.as_deref().map(|route| &route.route_record);
    let buffered = route.and_then(|route| route.get("request_buffering")?.as_bool());
    grpc || buffered == Some(false)
}

/// The refusal: 417 for a client that sent `Expect: 100-continue`, else 413.
fn too_large(exchange: &Exchange) -> HttpResponse {
    let expect = exchange.head().field(header::EXPECT);
    let expects_continue = expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let status =
        if expects_continue { StatusCode::EXPECTATION_FAILED } else { StatusCode::PAYLOAD_TOO_LARGE };
    exchange.error(status, MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::test_support;

    /// The status of the refusal, or the body that goes upstream.
    #[track_caller]
    fn check(config: &str, request: &str, expected: Result<&str, u16>) {
        let plugin = test_support::plugin(&DEF, config);
        let mut exchange = test_support::request(request);
        let answer = match test_support::access(&*plugin, &mut exchange) {
            Some(response) => Err(response.status().as_u16()),
            None => Ok(test_support::text(exchange.body)),
        };
        assert_eq!(answer, expected.map(str::to_owned), "{config} {request}");
    }

    #[test]
    fn bodies_are_measured_by_their_header_or_their_bytes() {
        let five = "{allowed_payload_size: 5, size_unit: bytes}";
        check(five, "POST /\nContent-Length: 5\n\n12345", Ok("12345"));
        check(five, "POST /\nContent-Length: 6\n\n123456", Err(413));
        check(five, "POST /\nContent-Length: 6\nExpect: 100-Continue\n\n123456", Err(417));
        check(five, "POST /\n\n12345", Ok("12345"));
        check(five, "POST /\n\n123456", Err(413));
        check("{allowed_payload_size: 1, size_unit: kilobytes}", "POST /\nContent-Length: 1025", Err(413));
        check("{}", "POST /\nContent-Length: 134217728", Ok(""));
        check("{}", "POST /\nContent-Length: 134217729", Err(413));
    }

    #[test]
    fn a_length_may_be_required() {
        let required = "{require_content_length: true}";
        check(required, "POST /\n\n1", Err(411));
        check(required, "GET /", Ok(""));
        let plugin = test_support::plugin(&DEF, "{allowed_payload_size: 5, size_unit: bytes}");
        let mut exchange = test_support::request("POST /");
        exchange.body = test_support::pieces("123456");
        let refusal = test_support::access(&*plugin, &mut exchange).unwrap();
        assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
        check(required, "POST /\nContent-Length: 1\n\n1", Ok("1"));
    }

    #[test]
    fn settings_are_checked() {
        let message = "config.size_unit: expected one of: megabytes, kilobytes, bytes";
        assert_eq!(test_support::diagnostics(&DEF, "{size_unit: miles}"), [message]);
    }
}
