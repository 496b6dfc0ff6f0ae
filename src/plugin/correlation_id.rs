//! `correlation-id`: an id for each request, the client's if it sends one. (Kong: Correlation ID plugin.)

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::{HeaderName, HeaderValue, header::HOST};
use uuid::Uuid;

use super::{Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup, setting_values};
use crate::{
    diag::Diagnostic,
    request_head::frames_message,
    schema::{self, Field, FieldKind, FieldRule},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("correlation-id", 100_001, FIELDS, compile).per_consumer();

const FIELDS: &[Field] = &[
    Field::new("header_name", FieldKind::String)
        .describe("the header field that has the id")
        .default("\"Kong-Request-ID\"")
        .rules(&[FieldRule::Holds(schema::check_header_name)]),
    Field::new("generator", FieldKind::String)
        .describe("how ids are made")
        .required()
        .default("\"uuid#counter\"")
        .rules(&[FieldRule::OneOf(&["uuid", "uuid#counter", "tracker"])]),
    Field::new("echo_downstream", FieldKind::Boolean)
        .describe("whether the response has the id, too")
        .required()
        .default("false"),
];

struct CorrelationId {
    header: HeaderName,
    generator: IdGenerator,
    echo_downstream: bool,
}

enum IdGenerator {
    /// A new UUID for each request.
    Uuid,
    /// One UUID for the plugin, and a counter.
    Counter(Uuid, AtomicU64),
    /// Address and port of the client, process id, counter and time.
    Tracker(AtomicU64),
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let name = setting_values::string(setup.config, "header_name").unwrap_or_default();
    let header = HeaderName::try_from(name)
        .map_err(|_| vec![Diagnostic::error(setup.at.key("header_name"), "not the name of a header")])?;
    if frames_message(header.as_str()) || header == HOST {
        let message = format!("'{header}' frames messages, and cannot hold an id");
        return Err(vec![Diagnostic::error(setup.at.key("header_name"), message)]);
    }
    let generator = match setting_values::string(setup.config, "generator").as_deref() {
        Some("uuid") => IdGenerator::Uuid,
        Some("tracker") => IdGenerator::Tracker(AtomicU64::new(0)),
        _ => IdGenerator::Counter(Uuid::new_v4(), AtomicU64::new(0)),
    };
    let echo_downstream = setting_values::boolean(setup.config, "echo_downstream");
    Ok(Arc::new(CorrelationId { header, generator, echo_downstream }))
}

impl Plugin for CorrelationId {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if self.existing_id(exchange).is_none() {
            let id = self.generator.next(exchange);
            exchange.upstream.set_field(self.header.clone(), id);
        }
        Flow::Continue
    }

    fn header_filter(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        if self.echo_downstream {
            let id = self.existing_id(exchange).cloned().unwrap_or_else(|| self.generator.next(exchange));
            response.headers_mut().insert(&self.header, id);
        }
    }
}

impl CorrelationId {
    fn existing_id<'a>(&self, exchange: &'a Exchange) -> Option<&'a HeaderValue> {
        exchange.upstream_field(&self.header).filter(|id| !id.is_empty())
    }
}

impl IdGenerator {
    fn next(&self, exchange: &Exchange) -> HeaderValue {
        let number = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed) + 1;
        let id = match self {
            Self::Uuid => Uuid::new_v4().to_string(),
            Self::Counter(uuid, counter) => format!("{uuid}#{}", number(counter)),
            // Different from Kong: Kong names its own address, and counts per connection.
            Self::Tracker(counter) => {
                let (client, process) = (exchange.client, std::process::id());
                let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
                let time = format!("{}.{:03}", now.as_secs(), now.subsec_millis());
                format!("{}-{}-{process}-{}-1-{time}", client.ip(), client.port(), number(counter))
            }
        };
        HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plugin::test_support, reply};

    /// The id that goes upstream and the one that goes back; a generated UUID is written `<uuid>`.
    #[track_caller]
    fn check(config: &str, request: &str, upstream: &str, back: &str) {
        let plugin = test_support::plugin(&DEF, config);
        let mut exchange = test_support::request(request);
        assert!(test_support::access(&*plugin, &mut exchange).is_none());
        let mut response = reply::empty(http::StatusCode::OK);
        plugin.header_filter(&mut exchange, &mut response);
        let id = |headers: &http::HeaderMap| {
            let text = headers.get("kong-request-id").map_or("", |id| id.to_str().unwrap());
            if text.get(..36).is_some_and(|id| Uuid::parse_str(id).is_ok()) {
                format!("<uuid>{}", &text[36..])
            } else {
                text.to_owned()
            }
        };
        assert_eq!(
            (id(&exchange.edited_fields()).as_str(), id(response.headers()).as_str()),
            (upstream, back)
        );
    }

    #[test]
    fn a_given_id_is_kept_and_a_missing_one_is_generated() {
        check("{}", "GET /", "<uuid>#1", "");
        check("{generator: uuid}", "GET /\nKong-Request-ID:", "<uuid>", "");
        check("{echo_downstream: true}", "GET /\nKong-Request-ID: mine", "mine", "mine");
        check("{echo_downstream: true}", "GET /", "<uuid>#1", "<uuid>#1");
    }

    #[test]
    fn a_response_without_an_access_phase_has_an_id_too() {
        let plugin =
            test_support::plugin(&DEF, "{echo_downstream: true, header_name: X-Id, generator: tracker}");
        let mut response = reply::empty(http::StatusCode::OK);
        plugin.header_filter(&mut test_support::request("GET /"), &mut response);
        let id = response.headers()["x-id"].to_str().unwrap();
        assert!(id.starts_with("192.0.2.7-40000-"), "{id}");
    }

    #[test]
    fn settings_are_checked() {
        let message =
            "config.header_name: bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'";
        assert_eq!(test_support::diagnostics(&DEF, "{header_name: 'a b'}"), [message]);
        let message = "config.header_name: 'content-length' frames messages, and cannot hold an id";
        assert_eq!(test_support::diagnostics(&DEF, "{header_name: Content-Length}"), [message]);
        let message = "config.generator: expected one of: uuid, uuid#counter, tracker";
        assert_eq!(test_support::diagnostics(&DEF, "{generator: dice}"), [message]);
    }
}
