//! `cors`: CORS headers. (Kong: CORS plugin; Fetch Standard, "CORS protocol".)
//!
//! The plugin responds to preflights and adds headers to all other responses. Header values are prepared at load.

mod origins;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use super::{Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup};
use crate::{
    diag::Diagnostic,
    document::{Number, Value},
    reply,
    schema::{Field, FieldKind, FieldRule},
};
use origins::{AllowedOrigin, OriginRules};

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("cors", 2000, FIELDS, compile);

const METHODS: &[&str] = &["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

const FIELDS: &[Field] = &[
    Field::new(
        "origins",
        FieldKind::Array(
            &Field::item(FieldKind::String).rules(&[FieldRule::Holds(origins::is_origin_or_pattern)]),
        ),
    )
    .describe("* or the origins whose pages may read answers; regular expressions, too"),
    Field::new("headers", FieldKind::Array(&Field::item(FieldKind::String)))
        .describe("the request headers that pages may send; none means those they ask for"),
    Field::new("exposed_headers", FieldKind::Array(&Field::item(FieldKind::String)))
        .describe("the response headers that pages may read"),
    Field::new(
        "methods",
        FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(METHODS)])),
    )
    .describe("the methods that pages may use")
    .default("[\"GET\",\"HEAD\",\"PUT\",\"PATCH\",\"POST\",\"DELETE\",\"OPTIONS\",\"TRACE\",\"CONNECT\"]"),
    Field::new("max_age", FieldKind::Number)
        .describe("seconds for which a browser remembers the answer to its preflight"),
    Field::new("credentials", FieldKind::Boolean)
        .describe("whether pages may send cookies")
        .required()
        .default("false"),
    Field::new("private_network", FieldKind::Boolean)
        .describe("whether pages of public sites may reach this private one")
        .required()
        .default("false"),
    Field::new("preflight_continue", FieldKind::Boolean)
        .describe("whether preflights go to the upstream")
        .required()
        .default("false"),
    Field::new("allow_origin_absent", FieldKind::Boolean)
        .describe("whether requests without Origin get CORS headers, too")
        .required()
        .default("true"),
];

static REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
static ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
static TRUE: HeaderValue = HeaderValue::from_static("true");
static VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// The settings, as header values.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
struct CorsPlugin {
    origins: OriginRules,
    headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    methods: HeaderValue,
    max_age: Option<HeaderValue>,
    credentials: bool,
    private_network: bool,
    preflight_continue: bool,
    allow_origin_absent: bool,
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let mut diagnostics = Vec::new();
    let setting = |name: &str| setup.config.get(name).unwrap_or(&Value::Null);
    let mut joined = |name: &str| {
        let names: Vec<&str> = setting(name).items().iter().filter_map(Value::as_str).collect();
        HeaderValue::try_from(names.join(",")).unwrap_or_else(|_| {
            let message = "cannot be the value of a header; use visible ASCII characters";
            diagnostics.push(Diagnostic::error(setup.at.key(name), message));
            HeaderValue::from_static("")
        })
    };
    let [headers, exposed_headers, methods] = ["headers", "exposed_headers", "methods"].map(&mut joined);
    let origins = OriginRules::new(setting("origins").items(), &setup.at.key("origins"), &mut diagnostics);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let truth = |name: &str| setting(name).as_bool().unwrap_or_default();
    let some = |value: HeaderValue| (!value.is_empty()).then_some(value);
    Ok(Arc::new(CorsPlugin {
        origins,
        headers: some(headers),
        exposed_headers: some(exposed_headers),
        methods,
        max_age: seconds(setting("max_age")),
        credentials: truth("credentials"),
        private_network: truth("private_network"),
        preflight_continue: truth("preflight_continue"),
        allow_origin_absent: truth("allow_origin_absent"),
    }))
}

/// A number of seconds, written without a fraction if it has none.
fn seconds(value: &Value) -> Option<HeaderValue> {
    let Value::Number(number) = value else { return None };
    let text = number.as_i64().map_or_else(|| Number::as_str(number).to_owned(), |whole| whole.to_string());
    HeaderValue::try_from(text).ok()
}

impl Plugin for CorsPlugin {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if self.preflight_continue || !is_preflight(exchange) {
            return Flow::Continue;
        }
        Flow::Respond(self.answer_preflight(exchange.head().fields()))
    }

    fn header_filter(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        // A preflight has its headers from the access phase, or from the upstream with `preflight_continue`.
        if is_preflight(exchange) {
            return;
        }
        let origin = origin(exchange.head().fields());
        if origin.is_none() && !self.allow_origin_absent {
            return;
        }
        let headers = response.headers_mut();
        self.set_origin_headers(origin, headers);
        if let Some(names) = &self.exposed_headers {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
    }
}

impl CorsPlugin {
    fn answer_preflight(&self, request: &HeaderMap) -> HttpResponse {
        let mut response = reply::empty(StatusCode::OK);
        let headers = response.headers_mut();
        self.set_origin_headers(origin(request), headers);
        if let Some(names) = self.headers.as_ref().or_else(|| request.get(ACCESS_CONTROL_REQUEST_HEADERS)) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if let Some(seconds) = &self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.clone());
        }
        if self.private_network && request.get(&REQUEST_PRIVATE_NETWORK).is_some_and(|value| value == TRUE) {
            headers.insert(&ALLOW_PRIVATE_NETWORK, TRUE.clone());
        }
        response
    }

    /// Sets the headers that preflights and other responses share.
    fn set_origin_headers(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let answer = self.origins.allowed_for(origin);
        let listed = answer != AllowedOrigin::Any;
        // Browsers reject `*` for requests with credentials. (Fetch Standard, "CORS protocol and credentials".)
        let named = if listed { None } else { origin.filter(|_| self.credentials) };
        match answer {
            AllowedOrigin::Any => {
                let value = named.cloned().unwrap_or(HeaderValue::from_static("*"));
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
            }
            AllowedOrigin::Only(value) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
            }
            AllowedOrigin::None => {
                headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
            }
        }
        if named.is_some() || self.origins.depends_on_request() {
            headers.append(VARY, VARY_ORIGIN.clone());
        }
        if named.is_some() || (listed && self.credentials) {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE.clone());
        }
    }
}

/// The value of `Origin`.
fn origin(request: &HeaderMap) -> Option<&HeaderValue> {
    request.get(ORIGIN).filter(|origin| !origin.is_empty())
}

fn is_preflight(exchange: &Exchange) -> bool {
    let headers = exchange.head().fields();
    *exchange.head().method() == Method::OPTIONS
        && origin(headers).is_some()
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
