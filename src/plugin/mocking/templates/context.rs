//! What a template can see: the request, a new UUID, and the time.

use std::time::SystemTime;

use minijinja::Value as Seen;

use super::super::request_rng::RequestRng;
use crate::{
    calendar::format_rfc_3339,
    {document::Value, plugin::EditedRequest},
};

/// What the templates of one answer can see.
pub(in super::super) struct TemplateContext<'a, 'd> {
    request: Seen,
    now: String,
    dice: &'a mut RequestRng<'d>,
}

impl<'a, 'd> TemplateContext<'a, 'd> {
    /// Of a request: its head, the values of its path, and its body.
    pub(in super::super) fn new(
        request: EditedRequest<'_>,
        path: Vec<(&str, String)>,
        body: &[u8],
        now: SystemTime,
        dice: &'a mut RequestRng<'d>,
    ) -> Self {
        let query = form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
        // The first of several counts.
        let query: Vec<_> = query.map(|(name, value)| (name.into_owned(), Seen::from(&*value))).collect();
        let headers = request.fields.keys().filter_map(|name| {
            let value = request.fields.get(name)?;
            Some((name.to_string(), Seen::from(&*String::from_utf8_lossy(value.as_bytes()))))
        });
        let request = Seen::from_pairs([
            ("method", Seen::from(request.method.as_str())),
            ("path", Seen::from_pairs(path.into_iter().map(|(name, it)| (name.to_owned(), Seen::from(it))))),
            ("query", Seen::from_pairs(query.into_iter().rev())),
            ("headers", Seen::from_pairs(headers)),
            ("body", body_of(body)),
        ]);
        Self { request, now: format_rfc_3339(now), dice }
    }

    /// What the next text sees: each has a UUID of its own.
    pub(super) fn next(&mut self) -> Seen {
        let (high, low) = (self.dice.bits(), self.dice.bits());
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Seen::from_pairs([
            ("request", self.request.clone()),
            ("uuid", Seen::from(uuid.to_string())),
            ("now", Seen::from(self.now.as_str())),
        ])
    }
}

/// A body that is JSON is what it says; any other one is its text.
fn body_of(body: &[u8]) -> Seen {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => seen(&Value::from(&value)),
        Err(_) => Seen::from(&*String::from_utf8_lossy(body)),
    }
}

/// As deep as JSON is read, which its reader bounds.
fn seen(value: &Value) -> Seen {
    match value {
        Value::Null => Seen::from(()),
        Value::Bool(it) => Seen::from(*it),
        Value::String(text) => Seen::from(&**text),
        Value::Number(number) => {
            number.as_str().parse::<i64>().map_or_else(|_| Seen::from(number.as_f64()), Seen::from)
        }
        Value::Sequence(items) => items.iter().map(seen).collect::<Vec<_>>().into(),
        Value::Mapping(members) => {
            Seen::from_pairs(members.iter().map(|(key, value)| (key.to_owned(), seen(value))))
        }
    }
}
