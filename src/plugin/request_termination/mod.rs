//! `request-termination`: a fixed response in place of the upstream. (Kong: Request Termination plugin.)

mod echo;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use uuid::Uuid;

use super::{
    Exchange, ExpectedAnswer, Flow, Plugin, PluginDef, PluginResult, PluginSetup, setting_checks,
    setting_values, transform_rules::INVALID_HEADER_VALUE, whole_body,
};
use crate::{
    body::BodyBuffers,
    diag::Diagnostic,
    document::Value,
    reply::{self, ExitBody},
    schema::{EntityFault, Field, FieldKind},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("request-termination", 2, FIELDS, compile)
    .checks(&[message_excludes_body, content_type_needs_body, echo_excludes_body])
    .per_consumer();

const FIELDS: &[Field] = &[
    Field::new("status_code", FieldKind::Integer)
        .describe("the status of the answer")
        .required()
        .default("503")
        .rules(&[setting_checks::STATUS_CODE]),
    Field::new("message", FieldKind::String).describe("the message of the answer, in JSON"),
    Field::new("content_type", FieldKind::String).describe("the media type of the body"),
    Field::new("body", FieldKind::String).describe("the body of the answer"),
    Field::new("echo", FieldKind::Boolean)
        .describe("whether the answer shows the request")
        .required()
        .default("false"),
    Field::new("trigger", FieldKind::String)
        .describe("a header or query parameter that a request needs to be answered"),
];

fn is_given(config: &Value, field: &str) -> bool {
    config.get(field).is_some_and(|value| !value.is_null())
}

fn message_excludes_body(config: &Value) -> Option<EntityFault> {
    let both = is_given(config, "message") && (is_given(config, "content_type") || is_given(config, "body"));
    both.then(|| EntityFault::record("message cannot be used with content_type or body"))
}

fn content_type_needs_body(config: &Value) -> Option<EntityFault> {
    let alone = is_given(config, "content_type") && !is_given(config, "body");
    alone.then(|| EntityFault::record("content_type requires a body"))
}

fn echo_excludes_body(config: &Value) -> Option<EntityFault> {
    let both = setting_values::boolean(config, "echo")
        && (is_given(config, "content_type") || is_given(config, "body"));
    both.then(|| EntityFault::record("echo cannot be used with content_type and body"))
}

struct RequestTermination {
    status: StatusCode,
    trigger: Option<Trigger>,
    answer: TerminationResponse,
    node_id: Uuid,
    buffers: BodyBuffers,
}

/// The name of a header or query parameter without which the plugin does nothing.
struct Trigger {
    header: Option<HeaderName>,
    parameter: String,
}

enum TerminationResponse {
    /// This body with this media type.
    Body(Bytes, Option<HeaderValue>),
    /// `{"message":"..."}`.
    Message(String),
    /// The default response for the status.
    Default,
    /// A description of the request, with this message.
    Echo(Option<String>),
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let text = |field| setting_values::string(setup.config, field);
    let code =
        setting_values::integer(setup.config, "status_code").and_then(|number| u16::try_from(number).ok());
    let status =
        code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let answer = match (text("body"), text("message")) {
        _ if setting_values::boolean(setup.config, "echo") => {
            TerminationResponse::Echo(text("message").or_else(|| status::message(status).map(str::to_owned)))
        }
        (Some(body), _) => TerminationResponse::Body(body.into(), media_type(text("content_type"), setup)?),
        (None, Some(message)) => TerminationResponse::Message(message),
        (None, None) => TerminationResponse::Default,
    };
    let trigger =
        text("trigger").map(|name| Trigger { header: HeaderName::try_from(&name).ok(), parameter: name });
    let (node_id, buffers) = (setup.resources.node_id, setup.resources.buffers.clone());
    Ok(Arc::new(RequestTermination { status, trigger, answer, node_id, buffers }))
}

fn media_type(text: Option<String>, setup: &PluginSetup<'_>) -> Result<Option<HeaderValue>, Vec<Diagnostic>> {
    let Some(mut text) = text else { return Ok(None) };
    // What `charset UTF-8` of Kong's nginx does. (nginx: charset_types.)
    if ["text/html", "text/xml", "text/plain", "application/javascript", "application/rss+xml"]
        .contains(&text.as_str())
    {
        text.push_str("; charset=UTF-8");
    }
    let diagnostic = |_| vec![Diagnostic::error(setup.at.key("content_type"), INVALID_HEADER_VALUE)];
    HeaderValue::try_from(text).map(Some).map_err(diagnostic)
}

impl Plugin for RequestTermination {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if !self.answers(exchange) {
            return Flow::Continue;
        }
        let exit = match &self.answer {
            TerminationResponse::Body(body, media_type) => ExitBody::Raw(media_type.clone(), body.clone()),
            TerminationResponse::Message(message) => ExitBody::Message(message),
            TerminationResponse::Default => return Flow::Respond(status::answer(self.status, exchange)),
            TerminationResponse::Echo(message) => {
                return Flow::Later(Box::pin(async move {
                    let echoed = echo::echo(exchange, message.as_deref(), self.node_id, &self.buffers).await;
                    Flow::Respond(match echoed {
                        Ok(text) => reply::json(self.status, text),
                        Err(error) => whole_body::refusal(exchange, &error),
                    })
                }));
            }
        };
        Flow::Respond(reply::exit(&exchange.error_request(), self.status, exit))
    }

    fn expected_answer(&self, exchange: &mut Exchange) -> Option<ExpectedAnswer> {
        let origin = "request-termination".to_owned();
        self.answers(exchange).then_some(ExpectedAnswer { status: self.status.as_u16(), origin })
    }
}

impl RequestTermination {
    fn answers(&self, exchange: &Exchange) -> bool {
        self.trigger.as_ref().is_none_or(|trigger| trigger.is_in(exchange))
    }
}

impl Trigger {
    fn is_in(&self, exchange: &Exchange) -> bool {
        let header = self.header.as_ref().is_some_and(|name| exchange.upstream_field(name).is_some());
        let query = exchange.upstream_query().unwrap_or_default();
        header || form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == self.parameter)
    }
}
