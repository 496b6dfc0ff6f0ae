//! Kong's error objects: what is wrong, under its code and its name. (Kong: Admin API, "Errors".)

use http::{Response, StatusCode};

use crate::{
    body::Body,
    document::{Mapping, Value},
    reply,
};

/// A request that is refused.
#[derive(Debug)]
pub(super) enum AdminRefusal {
    /// Code 2: what is wrong with each field.
    Schema(Mapping),
    /// Code 3: an entity with this id is there.
    PrimaryKey(String),
    /// Code 4: this id is none of this collection.
    Foreign { field: String, collection: &'static str, id: String },
    /// Code 4: entities of the first collection refer to this one of the second.
    Referenced(&'static str, &'static str),
    /// Code 5: another entity has these values.
    Unique(Mapping),
    /// Code 6: nobody has this value.
    Absent { field: &'static str, value: String },
    /// Code 10: no name can be like this.
    InvalidName(String),
    /// Code 11: an option of the query, and what is wrong with it.
    Options(&'static str, &'static str),
    /// Code 12: no write is possible, as at Kong without a database; and why not.
    Unsupported { message: String, why: Option<String> },
    /// Code 13: nobody in this collection has these values.
    Unresolved { field: String, collection: &'static str, by: Mapping },
    /// Another code.
    Coded { code: i64, name: &'static str, message: String },
    /// A file is being written; why that matters, and what to do.
    Unfinished(String),
    /// Just a message.
    Plain(StatusCode, String),
}

impl AdminRefusal {
    pub(super) fn not_found() -> Self {
        Self::Plain(StatusCode::NOT_FOUND, "Not found".to_owned())
    }

    pub(super) fn field(name: &str, complaint: impl Into<Value>) -> Self {
        let fields: Mapping = [(name, complaint.into())].into_iter().collect();
        Self::Schema(fields)
    }

    pub(super) fn answer(self) -> Response<Body> {
        let object = |code: i64, name: &str, message: String, more: Option<(&str, Value)>| {
            let mut all: Mapping =
                [("code", Value::from(code)), ("name", Value::from(name)), ("message", Value::from(message))]
                    .into_iter()
                    .collect();
            if let Some((key, value)) = more {
                all.insert(key, value);
            }
            Value::from(all).to_json()
        };
        let fields = |it: Mapping| Some(("fields", Value::from(it)));
        let bad = StatusCode::BAD_REQUEST;
        let (status, text) = match self {
            Self::Schema(all) => (bad, object(2, "schema violation", violations(&all), fields(all))),
            Self::PrimaryKey(id) => {
                let keys = one("id", id);
                let message = format!("primary key violation on key '{}'", lua(&keys));
                (bad, object(3, "primary key violation", message, fields(keys)))
            }
            Self::Foreign { field, collection, id } => {
                let keys = one("id", id);
                let message = format!(
                    "the foreign key '{}' does not reference an existing '{collection}' entity.",
                    lua(&keys)
                );
                (bad, object(4, "foreign key violation", message, fields(one(&field, Value::from(keys)))))
            }
            Self::Referenced(by, this) => {
                let message = format!("an existing '{by}' entity references this '{this}' entity");
                (bad, object(4, "foreign key violation", message, fields(one("@referenced_by", by))))
            }
            Self::Unique(keys) => {
                let message = format!("UNIQUE violation detected on '{}'", lua(&keys));
                (StatusCode::CONFLICT, object(5, "unique constraint violation", message, fields(keys)))
            }
            Self::Absent { field, value } => {
                let keys = one(field, value);
                let by = if field == "id" { "primary key " } else { "" };
                let message = format!("could not find the entity with {by}'{}'", lua(&keys));
                (StatusCode::NOT_FOUND, object(6, "not found", message, fields(keys)))
            }
            Self::InvalidName(message) => (bad, object(10, "invalid unique name", message, None)),
            Self::Options(option, complaint) => {
                let message = format!("invalid option ({option}: {complaint})");
                let options = Some(("options", Value::from(one(option, complaint))));
                (bad, object(11, "invalid options", message, options))
            }
            Self::Unsupported { message, why } => {
                let why = why.map(|it| ("why", Value::from(it)));
                (StatusCode::METHOD_NOT_ALLOWED, object(12, "operation unsupported", message, why))
            }
            Self::Unresolved { field, collection, by } => {
                let complaint = format!(
                    "the foreign key cannot be resolved with '{}' for an existing '{collection}' entity",
                    lua(&by)
                );
                let key = by.keys().next().unwrap_or_default().to_owned();
                let message = format!("foreign key unresolved ({field}.{key}: {complaint})");
                let inner = one(&key, complaint);
                (bad, object(13, "foreign keys unresolved", message, fields(one(&field, Value::from(inner)))))
            }
            Self::Coded { code, name, message } => (bad, object(code, name, message, None)),
            Self::Unfinished(why) => return reply::message(StatusCode::CONFLICT, &why),
            Self::Plain(status, message) => return reply::message(status, &message),
        };
        reply::json(status, text)
    }
}

fn one(key: &str, value: impl Into<Value>) -> Mapping {
    [(key, value.into())].into_iter().collect()
}

/// `{id="..."}`, as Kong writes keys in messages.
fn lua(value: &Mapping) -> String {
    let one = |(key, value): (&str, &Value)| match value {
        Value::Mapping(inner) => format!("{key}={}", lua(inner)),
        other => format!("{key}={}", other.to_json()),
    };
    let mut entries: Vec<String> = value.iter().map(one).collect();
    entries.sort();
    format!("{{{}}}", entries.join(","))
}

/// All complaints in one line, as Kong counts and orders them.
fn violations(fields: &Mapping) -> String {
    let mut all: Vec<String> = Vec::new();
    if let Some(entity) = fields.get("@entity") {
        all.extend(entity.items().iter().filter_map(Value::as_str).map(str::to_owned));
    }
    let mut named: Vec<(&str, &Value)> = fields.iter().filter(|(key, _)| *key != "@entity").collect();
    named.sort_by_key(|(key, _)| *key);
    for (key, value) in named {
        below(key, value, &mut all);
    }
    let count = if all.len() == 1 {
        "schema violation".to_owned()
    } else {
        format!("{} schema violations", all.len())
    };
    format!("{count} ({})", all.join("; "))
}

fn below(key: &str, value: &Value, all: &mut Vec<String>) {
    let said = |value: &Value| value.as_str().map_or_else(|| dump(value, 0), str::to_owned);
    match value {
        Value::Mapping(inner) => {
            let mut inner: Vec<(&str, &Value)> = inner.iter().collect();
            inner.sort_by_key(|(key, _)| *key);
            all.extend(inner.into_iter().map(|(name, value)| format!("{key}.{name}: {}", said(value))));
        }
        Value::Sequence(items) => {
            let wrong = items.iter().enumerate().filter(|(_, it)| !it.is_null());
            all.extend(wrong.map(|(n, value)| format!("{key}.{}: {}", n + 1, said(value))));
        }
        other => all.push(format!("{key}: {}", said(other))),
    }
}

/// A value over several lines, in the way of Lua.
fn dump(value: &Value, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    let lines: Vec<String> = match value {
        Value::Mapping(entries) => {
            let mut entries: Vec<(&str, &Value)> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.iter().map(|(key, value)| format!("{inner}{key} = {}", dump(value, depth + 1))).collect()
        }
        Value::Sequence(items) => {
            let whole = items.iter().all(|it| !it.is_null());
            let wrong = items.iter().enumerate().filter(|(_, it)| !it.is_null());
            let line = |(n, value): (usize, &Value)| {
                let index = if whole { String::new() } else { format!("[{}] = ", n + 1) };
                format!("{inner}{index}{}", dump(value, depth + 1))
            };
            wrong.map(line).collect()
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
        assert_eq!(violations(&fields), expected);
    }

    #[test]
    fn violations_are_counted_and_ordered_as_kongs() {
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
    fn keys_are_written_as_kongs() {
        let keys = read("{service: null, name: cors, route: {id: x}}", Dialect::Kong).unwrap().value;
        assert_eq!(lua(keys.as_mapping().unwrap()), "{name=\"cors\",route={id=\"x\"},service=null}");
    }
}
