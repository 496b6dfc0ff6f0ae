//! `response-transformer`: changes of headers and top-level JSON members of responses.
//! (Kong: Response Transformer plugin.)

mod content_coding;
mod json_body;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{
    Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup,
    setting_checks::STRINGS,
    transform_rules::{self, RENAMED, RuleEntry, RulesReader, TransformRules},
};
use crate::{
    body::{Body, BodyBuffers},
    diag::Diagnostic,
    document::Value,
    schema::{Field, FieldKind, FieldRule},
};
use content_coding::ContentCodings;

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("response-transformer", 800, FIELDS, compile).per_consumer();

const TYPES: FieldKind = FieldKind::Array(
    &Field::item(FieldKind::String).rules(&[FieldRule::OneOf(&["boolean", "number", "string"])]),
);
const NAMES: FieldKind = FieldKind::Record(&[
    Field::new("json", STRINGS).describe("members of a JSON body"),
    Field::new("headers", STRINGS).describe("header fields"),
]);
const VALUES: FieldKind = FieldKind::Record(&[
    Field::new("json", STRINGS).describe("members of a JSON body"),
    Field::new("json_types", TYPES).describe("the types of these values"),
    Field::new("headers", STRINGS).describe("header fields"),
]);

const FIELDS: &[Field] = &[
    Field::new("remove", NAMES).describe("what is removed"),
    Field::new("rename", NAMES).describe(RENAMED),
    Field::new("replace", VALUES).describe("what gets another value if it is there"),
    Field::new("add", VALUES).describe("what is added if it is not there"),
    Field::new("append", VALUES).describe("what is added in any case"),
];

struct ResponseTransformer {
    headers: TransformRules<HeaderName, HeaderValue>,
    json: Arc<TransformRules<String, serde_json::Value>>,
    buffers: BodyBuffers,
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let mut reader = RulesReader::new(setup);
    let headers = reader.rules("headers", transform_rules::header_name, transform_rules::header_value);
    let json = reader.rules("json", transform_rules::any_name, |entry| json_value(setup.config, entry));
    if !reader.diagnostics.is_empty() {
        return Err(reader.diagnostics);
    }
    let buffers = setup.resources.buffers.clone();
    Ok(Arc::new(ResponseTransformer { headers, json: Arc::new(json), buffers }))
}

/// The value of an entry, of the type at the same index of `json_types`.
fn json_value(config: &Value, entry: &RuleEntry<'_>) -> Result<serde_json::Value, Diagnostic> {
    let types = config.get(entry.rule).and_then(|rule| rule.get("json_types")).map(Value::items);
    let kind = types.and_then(|types| types.get(entry.index)?.as_str()).unwrap_or("string");
    let mismatch = || Diagnostic::error(entry.at.clone(), format!("'{}' is not a {kind}", entry.value));
    match kind {
        "number" => entry.value.trim().parse().map(serde_json::Value::Number).map_err(|_| mismatch()),
        "boolean" => entry.value.trim().parse().map(serde_json::Value::Bool).map_err(|_| mismatch()),
        _ => Ok(entry.value.into()),
    }
}

impl Plugin for ResponseTransformer {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if !self.json.is_empty()
            && let Some(accepted) = exchange.upstream_field(&ACCEPT_ENCODING)
        {
            let decodable = content_coding::decodable(accepted);
            if decodable != *accepted {
                exchange.upstream.set_field(ACCEPT_ENCODING, decodable);
            }
        }
        Flow::Continue
    }

    fn header_filter(&self, _exchange: &mut Exchange, response: &mut HttpResponse) {
        self.headers.apply(response, |value, _| Some(value.clone()));
        if self.json.is_empty() || !is_json(response.headers()) {
            return;
        }
        let Some(codings) = ContentCodings::of(response.headers()) else {
            tracing::warn!(
                "response-transformer leaves a body as it is: its content coding cannot be decoded"
            );
            return;
        };
        if !codings.is_empty() {
            ContentCodings::remove_fields(response.headers_mut());
        }
        response.headers_mut().remove(CONTENT_LENGTH);
        let body = std::mem::replace(response.body_mut(), Body::Empty);
        *response.body_mut() = json_body::transform(body, codings, self.json.clone(), &self.buffers);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    media_type.to_ascii_lowercase().starts_with(b"application/json")
}
