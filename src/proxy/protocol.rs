//! Check of the protocol of a request against those of its Route: https, gRPC.

use http::{HeaderValue, Response, StatusCode, Version, header};

use crate::{body::Body, entity::Route, plugin::Exchange, reply, snapshot::RouteStep};

/// gRPC status of a cancelled call.
const CANCELLED: u16 = 1;

/// The response to a request in a protocol that its Route does not accept, and the reason.
pub(super) fn refuse(
    exchange: &Exchange,
    route: &Route,
    step: &RouteStep,
) -> Option<(Response<Body>, &'static str)> {
    let is_insecure = step.https_only && !arrived_over_tls(exchange);
    if step.grpc {
        return refuse_grpc(exchange, is_insecure).map(|response| (response, "the route is for gRPC only"));
    }
    is_insecure.then(|| (redirect(exchange, route), "the route is for https only"))
}

/// Whether the client used TLS towards the gateway or a trusted proxy.
fn arrived_over_tls(exchange: &Exchange) -> bool {
    let head = exchange.head();
    let forwarded = || head.field("x-forwarded-proto").filter(|_| head.is_trusted());
    exchange.tls || forwarded().is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Refuses a request that is not gRPC, and gRPC over HTTP/1.1 or an insecure connection. (Kong: "Proxying", gRPC.)
fn refuse_grpc(exchange: &Exchange, is_insecure: bool) -> Option<Response<Body>> {
    let head = exchange.head();
    let content_type = head.field(header::CONTENT_TYPE);
    if !content_type.is_some_and(|media_type| media_type.as_bytes().starts_with(b"application/grpc")) {
        let message = "Non-gRPC request matched gRPC route";
        return Some(exchange.error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if head.version() == Version::HTTP_2 {
        let message = "gRPC request matched gRPCs route";
        return is_insecure.then(|| reply::grpc(StatusCode::OK, CANCELLED, message));
    }
    let mut response = exchange.error(StatusCode::UPGRADE_REQUIRED, "Please use HTTP2 protocol");
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/2"));
    Some(response)
}

/// Redirects a client from http to https. (Kong: Route object, `https_redirect_status_code`.)
fn redirect(exchange: &Exchange, route: &Route) -> Response<Body> {
    let status =
        StatusCode::from_u16(route.https_redirect_status_code).unwrap_or(StatusCode::UPGRADE_REQUIRED);
    if status == StatusCode::UPGRADE_REQUIRED {
        let mut response = exchange.error(status, "Please use HTTPS protocol");
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
        return response;
    }
    let host = exchange.head().authority().host();
    let target = exchange.head().target().path_and_query().map_or("/", |target| target.as_str());
    let mut response = reply::page(&exchange.error_request(), status);
    if let Ok(location) = HeaderValue::from_str(&format!("https://{host}{target}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
