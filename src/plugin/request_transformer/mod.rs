//! `request-transformer`: changes of method, path, headers, body and query of requests.
//! (Kong: Request Transformer plugin.)
//!
//! Values are templates with expressions, parsed at load.

mod expression;
mod multipart;
mod parameters;
mod parse;
mod template;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, HOST},
};

use super::{
    Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup,
    setting_checks::STRINGS,
    setting_values,
    transform_rules::{self, RENAMED, RuleEntry, RulesReader, TransformRules},
    whole_body,
};
use crate::{
    body::{Body, BodyBuffers, BodyError},
    diag::Diagnostic,
    document::{NodePath, Value},
    schema::{Field, FieldKind, FieldRule, PLUGIN_PROTOCOLS},
    uri::Authority,
};
use multipart::MultipartFault;
use template::ValueTemplate;

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("request-transformer", 801, FIELDS, compile).per_consumer().protocols(&PLUGIN_PROTOCOLS);

const PARTS: FieldKind = FieldKind::Record(&[
    Field::new("body", STRINGS).describe("members of the body"),
    Field::new("headers", STRINGS).describe("header fields"),
    Field::new("querystring", STRINGS).describe("query parameters"),
]);

const FIELDS: &[Field] = &[
    Field::new("http_method", FieldKind::String)
        .describe("another method for the upstream")
        .rules(&[FieldRule::Holds(is_method)]),
    Field::new("remove", PARTS).describe("what is removed"),
    Field::new("rename", PARTS).describe(RENAMED),
    Field::new(
        "replace",
        FieldKind::Record(&[
            Field::new("body", STRINGS).describe("members of the body"),
            Field::new("headers", STRINGS).describe("header fields"),
            Field::new("querystring", STRINGS).describe("query parameters"),
            Field::new("uri", FieldKind::String).describe("the path for the upstream"),
        ]),
    )
    .describe("what gets another value if it is there, as `name:value`"),
    Field::new("add", PARTS).describe("what is added if it is not there, as `name:value`"),
    Field::new("append", PARTS).describe("values that are added to those that are there"),
    Field::new("dots_in_keys", FieldKind::Boolean)
        .describe("whether a dot is part of a name; otherwise it leads into an object")
        .default("true"),
];

fn is_method(value: &Value) -> Result<(), String> {
    let method = value.as_str().unwrap_or_default();
    let is_valid = method.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_valid { Ok(()) } else { Err(format!("invalid value: {method}")) }
}

/// The size limit of a body that is changed, in bytes.
const MAX_BODY_BYTES: u64 = 64 << 20;

struct RequestTransformer {
    method: Option<Method>,
    path: Option<ValueTemplate>,
    headers: TransformRules<HeaderName, HeaderTemplate>,
    body: TransformRules<String, ValueTemplate>,
    query: TransformRules<String, ValueTemplate>,
    buffers: BodyBuffers,
}

/// The value of a header.
enum HeaderTemplate {
    Fixed(HeaderValue),
    Template(ValueTemplate),
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let template = |entry: &RuleEntry<'_>| ValueTemplate::new(entry.value, entry);
    let mut reader = RulesReader::new(setup);
    let headers = reader.rules("headers", transform_rules::header_name, header_template);
    let body = reader.rules("body", transform_rules::any_name, template);
    let query = reader.rules("querystring", transform_rules::any_name, template);
    let mut diagnostics = reader.diagnostics;
    diagnostics.extend(invalid_hosts(&headers, &setup.at));
    let path = setup.config.get("replace").and_then(|rules| rules.get("uri")?.as_str()).and_then(|text| {
        let at = setup.at.key("replace").key("uri");
        let entry = RuleEntry { rule: "replace", index: 0, value: text, at };
        template(&entry).map_err(|diagnostic| diagnostics.push(diagnostic)).ok()
    });
    if !body.is_empty() && !setting_values::boolean(setup.config, "dots_in_keys") {
        let message = "nested members of a body are not supported by this version of mynah";
        diagnostics.push(Diagnostic::error(setup.at.key("dots_in_keys"), message));
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let method = setting_values::string(setup.config, "http_method").and_then(|method| method.parse().ok());
    let buffers = setup.resources.buffers.clone();
    Ok(Arc::new(RequestTransformer { method, path, headers, body, query, buffers }))
}

/// Diagnostics about values of `Host` that are not hosts. Values that depend on a request are checked for each request.
fn invalid_hosts<'a>(
    rules: &'a TransformRules<HeaderName, HeaderTemplate>,
    at: &'a NodePath,
) -> impl Iterator<Item = Diagnostic> + 'a {
    let lists = [("replace", &rules.replace), ("add", &rules.add), ("append", &rules.append)];
    lists.into_iter().flat_map(move |(rule, list)| {
        list.iter().filter_map(move |(name, value)| match value {
            HeaderTemplate::Fixed(value) if *name == HOST && Authority::parse(value.as_bytes()).is_none() => {
                let message = format!("{value:?} is not a host with or without a port");
                Some(Diagnostic::error(at.key(rule).key("headers"), message))
            }
            _ => None,
        })
    })
}

fn header_template(entry: &RuleEntry<'_>) -> Result<HeaderTemplate, Diagnostic> {
    if entry.value.contains("$(") {
        return ValueTemplate::new(entry.value.trim(), entry).map(HeaderTemplate::Template);
    }
    transform_rules::header_value(entry).map(HeaderTemplate::Fixed)
}

impl Plugin for RequestTransformer {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if let Some(path) = &self.path {
            let path = path.render(exchange).into_owned();
            exchange.upstream.set_path(&path);
        }
        if let Some(method) = &self.method {
            exchange.upstream.set_method(method.clone());
        }
        self.transform_headers(exchange);
        let format = if self.body.is_empty() { None } else { BodyFormat::of(exchange) };
        let Some(format) = format else {
            self.transform_query(exchange);
            return Flow::Continue;
        };
        Flow::Later(Box::pin(self.transform_body(exchange, format)))
    }
}

impl RequestTransformer {
    fn transform_headers(&self, exchange: &mut Exchange) {
        self.headers.apply(exchange, |value, exchange| match value {
            HeaderTemplate::Fixed(value) => Some(value.clone()),
            HeaderTemplate::Template(template) => {
                HeaderValue::from_str(template.render(exchange).trim()).ok()
            }
        });
    }

    async fn transform_body<'a>(&'a self, exchange: &'a mut Exchange, format: BodyFormat) -> Flow<'a> {
        let body = std::mem::replace(&mut exchange.body, Body::Empty);
        let read = self.buffers.read_whole(body, MAX_BODY_BYTES).await;
        let bytes = match read.and_then(|bytes| self.transform_bytes(bytes, &format, exchange)) {
            Ok(bytes) => bytes,
            Err(error) => return Flow::Respond(whole_body::refusal(exchange, &error)),
        };
        exchange.set_body(bytes);
        self.transform_query(exchange);
        Flow::Continue
    }

    /// A body changed by the rules.
    fn transform_bytes(
        &self,
        bytes: Bytes,
        format: &BodyFormat,
        exchange: &Exchange,
    ) -> Result<Bytes, BodyError> {
        let changed = match format {
            BodyFormat::Json => {
                let _room = whole_body::reserve_for_json(&self.buffers, &bytes)?;
                self.transform_json(&bytes, exchange)
            }
            BodyFormat::Form => std::str::from_utf8(&bytes)
                .ok()
                .map(|text| parameters::transform(text, &self.body, exchange).into_bytes()),
            BodyFormat::Multipart { boundary } => {
                multipart::transform(&bytes, boundary, &self.body, exchange)
                    .map_err(|fault| refuse_multipart(&fault))?
            }
        };
        changed.map_or(Ok(bytes), |changed| self.buffers.hold(changed))
    }

    /// A JSON object with its members changed; `None` if the body is not an object.
    fn transform_json(&self, bytes: &[u8], exchange: &Exchange) -> Option<Vec<u8>> {
        let bytes = if bytes.is_empty() { b"{}" } else { bytes };
        let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(bytes) else { return None };
        self.body.apply_json(&mut members, |value| value.render(exchange).into_owned().into());
        serde_json::to_vec(&members).ok()
    }

    fn transform_query(&self, exchange: &mut Exchange) {
        if self.query.is_empty() {
            return;
        }
        let query = exchange.upstream_query().unwrap_or_default();
        let query = parameters::transform(query, &self.query, exchange);
        exchange.upstream.set_query(&query);
    }
}

/// The formats of bodies that can be changed.
enum BodyFormat {
    Json,
    Form,
    Multipart { boundary: String },
}

impl BodyFormat {
    fn of(exchange: &Exchange) -> Option<Self> {
        // Boundaries may have any byte of a field.
        let content_type = String::from_utf8_lossy(exchange.upstream_field(&CONTENT_TYPE)?.as_bytes());
        let media_type = content_type.split(';').next()?.trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return Some(Self::Json);
        }
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Some(Self::Form);
        }
        multipart::boundary(&content_type).map(|boundary| Self::Multipart { boundary })
    }
}

/// The error for a multipart body that cannot be changed.
fn refuse_multipart(fault: &MultipartFault) -> BodyError {
    match fault {
        MultipartFault::TooManyParts => BodyError::TooLarge,
        MultipartFault::BoundaryInValue => BodyError::Source("a value contains the boundary".into()),
    }
}
