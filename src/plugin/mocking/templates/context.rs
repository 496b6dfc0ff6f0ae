//! Variables of a template: the request, a new UUID, the time.

use std::time::SystemTime;

use minijinja::Value as TemplateValue;

use super::super::request_rng::RequestRng;
use crate::{calendar::format_rfc_3339, document::Value, plugin::EditedRequest};

/// Variables of the templates of one answer.
pub(in super::super) struct TemplateContext<'a, 'r> {
    request: TemplateValue,
    now: String,
    rng: &'a mut RequestRng<'r>,
}

impl<'a, 'r> TemplateContext<'a, 'r> {
    /// The variables of a request: head, path parameters, body.
    pub(in super::super) fn new(
        request: EditedRequest<'_>,
        path: Vec<(&str, String)>,
        body: &[u8],
        now: SystemTime,
        rng: &'a mut RequestRng<'r>,
    ) -> Self {
        let query = form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
        // The first of several parameters is used.
        let query: Vec<_> =
            query.map(|(name, value)| (name.into_owned(), TemplateValue::from(&*value))).collect();
        let headers = request.fields.keys().filter_map(|name| {
            let value = request.fields.get(name)?;
            Some((name.to_string(), TemplateValue::from(&*String::from_utf8_lossy(value.as_bytes()))))
        });
        let request = TemplateValue::from_pairs([
            ("method", TemplateValue::from(request.method.as_str())),
            (
                "path",
                TemplateValue::from_pairs(
                    path.into_iter().map(|(name, value)| (name.to_owned(), TemplateValue::from(value))),
                ),
            ),
            ("query", TemplateValue::from_pairs(query.into_iter().rev())),
            ("headers", TemplateValue::from_pairs(headers)),
            ("body", body_value(body)),
        ]);
        Self { request, now: format_rfc_3339(now), rng }
    }

    /// The variables of the next text; each text has a UUID of its own.
    pub(super) fn next_variables(&mut self) -> TemplateValue {
        let (high, low) = (self.rng.bits(), self.rng.bits());
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        TemplateValue::from_pairs([
            ("request", self.request.clone()),
            ("uuid", TemplateValue::from(uuid.to_string())),
            ("now", TemplateValue::from(self.now.as_str())),
        ])
    }
}

/// The value of a JSON body, or the text of another body.
fn body_value(body: &[u8]) -> TemplateValue {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => template_value(&Value::from(&value)),
        Err(_) => TemplateValue::from(&*String::from_utf8_lossy(body)),
    }
}

/// Converts a value. The recursion is as deep as the JSON, which the parser bounds.
fn template_value(value: &Value) -> TemplateValue {
    match value {
        Value::Null => TemplateValue::from(()),
        Value::Bool(bool) => TemplateValue::from(*bool),
        Value::String(text) => TemplateValue::from(&**text),
        Value::Number(number) => number
            .as_str()
            .parse::<i64>()
            .map_or_else(|_| TemplateValue::from(number.as_f64()), TemplateValue::from),
        Value::Sequence(items) => items.iter().map(template_value).collect::<Vec<_>>().into(),
        Value::Mapping(members) => TemplateValue::from_pairs(
            members.iter().map(|(key, value)| (key.to_owned(), template_value(value))),
        ),
    }
}
