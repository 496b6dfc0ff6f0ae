//! Kong's error objects: codes, names and messages. (Kong: Admin API, "Errors".)

use http::{Response, StatusCode};
use serde_json::json;

use crate::{
    body::Body,
    diag::{DiagnosticReport, ENTITY},
    document::{Mapping, Value},
    reply,
};

/// Why a request is refused, and the answer to it.
#[derive(Debug)]
pub(super) enum AdminRefusal {
    /// Code 2: messages for each invalid field.
    Schema(Mapping),
    /// Code 3: an entity with this id exists.
    PrimaryKey(String),
    /// Code 4: the collection has no entity with this id.
    Foreign { field: String, collection: &'static str, id: String },
    /// Code 4: entities of the first collection refer to the entity of the second.
    Referenced(&'static str, &'static str),
    /// Code 5: another entity has these values.
    Unique(Mapping),
    /// Code 6: no entity has this value.
    EntityNotFound { field: &'static str, value: String },
    /// Code 10: the name is invalid.
    InvalidName(String),
    /// Code 11: an invalid query option, and the message for it.
    InvalidOption(&'static str, &'static str),
    /// Code 12: writes are not possible, as in Kong without a database; and the reason, if there is one to add.
    WritesUnsupported { message: String, why: Option<String> },
    /// Code 13: no entity of this collection has these values.
    Unresolved { field: String, collection: &'static str, by: Mapping },
    /// Another code.
    Coded { code: i64, name: &'static str, message: String },
    /// A file is being written; the text says why that matters and what to do.
    FileUnfinished(String),
    /// A whole text that cannot be used.
    InvalidText(Box<DiagnosticReport>),
    /// A plain message.
    Plain(StatusCode, String),
}

impl AdminRefusal {
    pub(super) fn not_found() -> Self {
        Self::status(StatusCode::NOT_FOUND)
    }

    /// A plain message.
    pub(super) fn plain(status: StatusCode, message: &str) -> Self {
        Self::Plain(status, message.to_owned())
    }

    /// The default message of a status.
    pub(super) fn status(status: StatusCode) -> Self {
        Self::Plain(status, reply::default_message(status).into_owned())
    }

    /// A message for one field.
    pub(super) fn field(name: &str, message: impl Into<Value>) -> Self {
        let fields: Mapping = [(name, message.into())].into_iter().collect();
        Self::Schema(fields)
    }

    /// The answer: Kong's error object, or a plain message.
    pub(super) fn answer(self) -> Response<Body> {
        let fields = |fields: Mapping| Some(("fields", Value::from(fields)));
        let bad_request = StatusCode::BAD_REQUEST;
        let (status, code, name, message, extra) = match self {
            Self::Schema(all) => {
                (bad_request, 2, "schema violation", summarize_violations(&all), fields(all))
            }
            Self::PrimaryKey(id) => {
                let keys = single("id", id);
                let message = format!("primary key violation on key '{}'", lua_notation(&keys));
                (bad_request, 3, "primary key violation", message, fields(keys))
            }
            Self::Foreign { field, collection, id } => {
                let keys = single("id", id);
                let message = format!(
                    "the foreign key '{}' does not reference an existing '{collection}' entity.",
                    lua_notation(&keys)
                );
                let by_field = single(&field, Value::from(keys));
                (bad_request, 4, "foreign key violation", message, fields(by_field))
            }
            Self::Referenced(by, this) => {
                let message = format!("an existing '{by}' entity references this '{this}' entity");
                (bad_request, 4, "foreign key violation", message, fields(single("@referenced_by", by)))
            }
            Self::Unique(keys) => {
                let message = format!("UNIQUE violation detected on '{}'", lua_notation(&keys));
                (StatusCode::CONFLICT, 5, "unique constraint violation", message, fields(keys))
            }
            Self::EntityNotFound { field, value } => {
                let keys = single(field, value);
                let by = if field == "id" { "primary key " } else { "" };
                let message = format!("could not find the entity with {by}'{}'", lua_notation(&keys));
                (StatusCode::NOT_FOUND, 6, "not found", message, fields(keys))
            }
            Self::InvalidName(message) => (bad_request, 10, "invalid unique name", message, None),
            Self::InvalidOption(option, why) => {
                let message = format!("invalid option ({option}: {why})");
                let options = Some(("options", Value::from(single(option, why))));
                (bad_request, 11, "invalid options", message, options)
            }
            Self::WritesUnsupported { message, why } => {
                let why = why.map(|why| ("why", Value::from(why)));
                (StatusCode::METHOD_NOT_ALLOWED, 12, "operation unsupported", message, why)
            }
            Self::Unresolved { field, collection, by } => {
                let why = format!(
                    "the foreign key cannot be resolved with '{}' for an existing '{collection}' entity",
                    lua_notation(&by)
                );
                let key = by.keys().next().unwrap_or_default().to_owned();
                let message = format!("foreign key unresolved ({field}.{key}: {why})");
                let by_field = single(&field, Value::from(single(&key, why)));
                (bad_request, 13, "foreign keys unresolved", message, fields(by_field))
            }
            Self::Coded { code, name, message } => (bad_request, code, name, message, None),
            Self::FileUnfinished(why) => return reply::message(StatusCode::CONFLICT, &why),
            Self::InvalidText(report) => {
                let answer = json!({ "message": report.summary(), "diagnostics": report.to_json() });
                return reply::json(bad_request, answer.to_string());
            }
            Self::Plain(status, message) => return reply::message(status, &message),
        };
        let mut object: Mapping =
            [("code", Value::from(code)), ("name", Value::from(name)), ("message", Value::from(message))]
                .into_iter()
                .collect();
        if let Some((key, value)) = extra {
            object.insert(key, value);
        }
        reply::json(status, Value::from(object).to_json())
    }
}

fn single(key: &str, value: impl Into<Value>) -> Mapping {
    [(key, value.into())].into_iter().collect()
}

/// Keys in Kong's notation, `{id="..."}`.
fn lua_notation(value: &Mapping) -> String {
    let entry = |(key, value): (&str, &Value)| match value {
        Value::Mapping(inner) => format!("{key}={}", lua_notation(inner)),
        other => format!("{key}={}", other.to_json()),
    };
    let mut entries: Vec<String> = value.iter().map(entry).collect();
    entries.sort();
    format!("{{{}}}", entries.join(","))
}

/// All messages in one line, counted and ordered as Kong does.
fn summarize_violations(fields: &Mapping) -> String {
    let mut all: Vec<String> = Vec::new();
    if let Some(entity) = fields.get(ENTITY) {
        all.extend(entity.items().iter().filter_map(Value::as_str).map(str::to_owned));
    }
    let mut named: Vec<(&str, &Value)> = fields.iter().filter(|(key, _)| *key != ENTITY).collect();
    named.sort_by_key(|(key, _)| *key);
    for (key, value) in named {
        push_messages(key, value, &mut all);
    }
    let count = if all.len() == 1 {
        "schema violation".to_owned()
    } else {
        format!("{} schema violations", all.len())
    };
    format!("{count} ({})", all.join("; "))
}

fn push_messages(key: &str, value: &Value, all: &mut Vec<String>) {
    let text_of = |value: &Value| value.as_str().map_or_else(|| lua_dump(value, 0), str::to_owned);
    match value {
        Value::Mapping(inner) => {
            let mut inner: Vec<(&str, &Value)> = inner.iter().collect();
            inner.sort_by_key(|(key, _)| *key);
            all.extend(inner.into_iter().map(|(name, value)| format!("{key}.{name}: {}", text_of(value))));
        }
        Value::Sequence(items) => {
            let invalid = items.iter().enumerate().filter(|(_, item)| !item.is_null());
            all.extend(invalid.map(|(n, value)| format!("{key}.{}: {}", n + 1, text_of(value))));
        }
        other => all.push(format!("{key}: {}", text_of(other))),
    }
}

/// A value over several lines, in Lua notation.
fn lua_dump(value: &Value, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    let lines: Vec<String> = match value {
        Value::Mapping(entries) => {
            let mut entries: Vec<(&str, &Value)> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries
                .iter()
                .map(|(key, value)| format!("{inner}{key} = {}", lua_dump(value, depth + 1)))
                .collect()
        }
        Value::Sequence(items) => {
            let is_dense = items.iter().all(|item| !item.is_null());
            let invalid = items.iter().enumerate().filter(|(_, item)| !item.is_null());
            let line = |(n, value): (usize, &Value)| {
                let index = if is_dense { String::new() } else { format!("[{}] = ", n + 1) };
                format!("{inner}{index}{}", lua_dump(value, depth + 1))
            };
            invalid.map(line).collect()
        }
        other => return other.to_json(),
    };
    format!("{{\n{}\n{outer}}}", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    #[track_caller]
    fn check(fields: &str, expected: &str) {
        let fields = read(fields, Dialect::Kong).unwrap().value.into_mapping().unwrap();
        assert_eq!(summarize_violations(&fields), expected);
    }

    #[test]
    fn violations_are_counted_and_ordered_as_in_kong() {
        check(r#"{"host":"required field missing"}"#, "schema violation (host: required field missing)");
        check(
            r#"{"path":"value must be null","@entity":["failed"]}"#,
            "2 schema violations (failed; path: value must be null)",
        );
        check(
            r#"{"tags":["bad"],"config":{"max_age":"a number","methods":["no"],"redis":{"host":"missing"}}}"#,
            "4 schema violations (config.max_age: a number; config.methods: {\n  \"no\"\n}; \
             config.redis: {\n  host = \"missing\"\n}; tags.1: bad)",
        );
        check(r#"{"paths":[null,"bad"]}"#, "schema violation (paths.2: bad)");
    }

    #[test]
    fn keys_are_written_as_in_kong() {
        let keys = read("{service: null, name: cors, route: {id: x}}", Dialect::Kong).unwrap().value;
        assert_eq!(lua_notation(keys.as_mapping().unwrap()), "{name=\"cors\",route={id=\"x\"},service=null}");
    }
}
