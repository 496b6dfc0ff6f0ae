//! Lists of entities, and one of them by id or name; all read-only in this version.

use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::{Admin, not_found};
use crate::{
    body::Body,
    document::{Mapping, Value},
    entity::{Consumer, Entities},
    reply,
};

const COLLECTIONS: &[&str] =
    &["services", "routes", "plugins", "consumers", "key-auths", "basic-auths", "acls"];

/// The collections, and whether one can stand below another.
pub(super) fn knows(segments: &[&str]) -> bool {
    match segments {
        [collection] | [collection, _] => COLLECTIONS.contains(collection),
        ["services", _, child] => matches!(*child, "routes" | "plugins"),
        ["routes", _, child] => matches!(*child, "plugins" | "service"),
        ["consumers", _, child] => matches!(*child, "plugins" | "key-auth" | "basic-auth" | "acls"),
        _ => false,
    }
}

/// Kong's answer to a write without a database.
pub(super) fn refuse_write(segments: &[&str], method: &Method, allowed: &[Method]) -> Response<Body> {
    let writes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if allowed.contains(&Method::POST) || !writes.contains(method) || !knows(segments) {
        return reply::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
    }
    let collection = match segments {
        [_, _, "service"] => "services",
        [_, _, "key-auth"] | ["key-auths", ..] => "keyauth_credentials",
        [_, _, "basic-auth"] | ["basic-auths", ..] => "basicauth_credentials",
        [_, _, child] => child,
        [collection, ..] => collection,
        [] => "",
    };
    let by_name = match segments {
        [_, key] if uuid::Uuid::parse_str(key).is_ok() => String::new(),
        [collection, _] => format!(" by '{}'", name_field(collection)),
        _ => String::new(),
    };
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "create or update",
        Method::PATCH => "update",
        _ => "remove",
    };
    let message = format!("cannot {verb} '{collection}' entities{by_name} when not using a database");
    let text = serde_json::json!({ "code": 12, "name": "operation unsupported", "message": message });
    reply::json(StatusCode::METHOD_NOT_ALLOWED, text.to_string())
}

impl Admin {
    pub(super) fn entities(&self, segments: &[&str], query: &str) -> Response<Body> {
        let snapshot = self.control.live().current();
        let entities = &snapshot.entities;
        match segments {
            [collection] => list(records(entities, collection), query),
            [collection, key] => found(one(entities, collection, key)),
            ["routes", key, "service"] => {
                let service = one(entities, "routes", key).and_then(|route| id_of(route.get("service")?));
                found(service.and_then(|id| one(entities, "services", &id)))
            }
            [collection, key, children] => {
                let Some(id) = one(entities, collection, key).and_then(|it| id_of(&it)) else {
                    return not_found();
                };
                let back = collection.trim_end_matches('s');
                let all = records(entities, children).into_iter();
                let of = |it: &Value| it.get(back).and_then(id_of).as_deref() == Some(&id);
                list(all.filter(of).collect(), query)
            }
            _ => not_found(),
        }
    }
}

fn records(entities: &Entities, collection: &str) -> Vec<Value> {
    let mut all: Vec<Value> = match collection {
        "services" => entities.services.iter().map(|it| it.record.clone()).collect(),
        "routes" => entities.routes.iter().map(|it| it.record.clone()).collect(),
        "plugins" => entities.plugins.iter().map(|it| it.record.clone()).collect(),
        "consumers" => entities.consumers.iter().map(|it| it.record.clone()).collect(),
        "key-auth" | "key-auths" => of_consumers(entities, |it| records_of(&it.keys, |it| &it.record)),
        "basic-auth" | "basic-auths" => of_consumers(entities, |it| {
            let all = records_of(&it.passwords, |it| &it.record).into_iter();
            all.map(without_password).collect()
        }),
        _ => of_consumers(entities, |it| records_of(&it.groups, |it| &it.record)),
    };
    all.sort_by_key(id_of);
    all
}

fn of_consumers(entities: &Entities, records: fn(&Consumer) -> Vec<Value>) -> Vec<Value> {
    entities.consumers.iter().flat_map(records).collect()
}

fn records_of<T>(all: &[T], record: fn(&T) -> &Value) -> Vec<Value> {
    all.iter().map(|it| record(it).clone()).collect()
}

/// Kong shows a hash here, which is a secret too.
fn without_password(record: Value) -> Value {
    let mut record = record.into_mapping().unwrap_or_default();
    record.insert("password", "[REDACTED]");
    record.into()
}

fn id_of(record: &Value) -> Option<String> {
    record.get("id").and_then(Value::as_str).map(str::to_owned)
}

/// The entity with this id, or this name (for plugins: this instance name, for consumers: this username).
fn one(entities: &Entities, collection: &str, key: &str) -> Option<Value> {
    let key = percent_decode_str(key).decode_utf8().ok()?;
    let name = name_field(collection);
    let is = |record: &Value| {
        [("id"), name].iter().any(|field| record.get(field).and_then(Value::as_str) == Some(&*key))
    };
    records(entities, collection).into_iter().find(is)
}

/// The field by which entities of a collection can be found besides their id.
fn name_field(collection: &str) -> &'static str {
    match collection {
        "plugins" => "instance_name",
        "consumers" | "basic-auths" => "username",
        "key-auths" => "key",
        _ => "name",
    }
}

fn found(record: Option<Value>) -> Response<Body> {
    record.map_or_else(not_found, |record| reply::json(StatusCode::OK, record.to_json()))
}

/// One page of a list. (Kong: Admin API, pagination.)
fn list(records: Vec<Value>, query: &str) -> Response<Body> {
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let parameter =
        |name: &str| query.iter().rev().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
    let size = match parameter("size").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(size)) if (1..=1000).contains(&size) => size,
        Some(Ok(_)) => return wrong_size("size must be an integer between 1 and 1000"),
        Some(Err(_)) => return wrong_size("size must be a number"),
    };
    let from = match parameter("offset").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(from)) => from,
        Some(Err(_)) => {
            let message = format!("'{}' is not a valid offset", parameter("offset").unwrap_or_default());
            let text = serde_json::json!({ "code": 7, "name": "invalid offset", "message": message });
            return reply::json(StatusCode::BAD_REQUEST, text.to_string());
        }
    };
    let end = from.saturating_add(size);
    let more = end < records.len();
    let page: Vec<Value> = records.into_iter().skip(from).take(size).collect();
    let mut answer: Mapping = [("data", Value::from(page)), ("next", Value::Null)].into_iter().collect();
    if more {
        answer.insert("next", format!("?offset={end}&size={size}"));
        answer.insert("offset", end.to_string());
    }
    reply::json(StatusCode::OK, Value::from(answer).to_json())
}

fn wrong_size(message: &str) -> Response<Body> {
    let text = serde_json::json!({ "code": 9, "name": "invalid size", "message": message });
    reply::json(StatusCode::BAD_REQUEST, text.to_string())
}
