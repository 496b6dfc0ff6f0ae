//! What the settings of the HTTP log may say.

use std::time::Duration;

use super::{duration, endpoint::Endpoint};
use crate::{
    diag::Diagnostic,
    document::Value,
    plugin::{Setup, delivery, rules},
    schema::{Field, Kind, Rule, Settings},
};

/// The settings.
pub(super) const SETTINGS: Settings = Settings { fields: FIELDS, checks: &[rules::no_lua_fields] };

const METHODS: &[&str] = &["POST", "PUT", "PATCH"];
const TYPES: &[&str] = &["application/json", "application/json; charset=utf-8"];
const HEADERS: Kind = Kind::Map(&Field::item(Kind::Secret).referenceable());

const FIELDS: &[Field] = &[
    Field::new("http_endpoint", Kind::Secret).required().referenceable().rules(&[Rule::Holds(url)]),
    Field::new("method", Kind::String).default("\"POST\"").rules(&[Rule::OneOf(METHODS)]),
    Field::new("content_type", Kind::String).default("\"application/json\"").rules(&[Rule::OneOf(TYPES)]),
    Field::new("timeout", Kind::Number).default("10000"),
    Field::new("keepalive", Kind::Number).default("60000"),
    Field::new("headers", HEADERS),
    Field::new("queue", Kind::Record(QUEUE)),
    rules::LUA_FIELDS,
    Field::new("retry_count", Kind::Integer),
    Field::new("queue_size", Kind::Integer),
    Field::new("flush_timeout", Kind::Number),
];

const MILLION: f64 = 1_000_000.0;

const QUEUE: &[Field] = &[
    Field::new("max_batch_size", Kind::Integer).default("1").rules(&[Rule::Between(1.0, MILLION)]),
    Field::new("max_coalescing_delay", Kind::Number).default("1").rules(&[Rule::Between(0.0, 3600.0)]),
    Field::new("max_entries", Kind::Integer).default("10000").rules(&[Rule::Between(1.0, MILLION)]),
    Field::new("max_bytes", Kind::Integer),
    Field::new("max_retry_time", Kind::Number).default("60"),
    Field::new("initial_retry_delay", Kind::Number).default("0.01").rules(&[Rule::Between(0.001, MILLION)]),
    Field::new("max_retry_delay", Kind::Number).default("60").rules(&[Rule::Between(0.001, MILLION)]),
    Field::new("concurrency_limit", Kind::Integer).default("1").rules(&[Rule::OneOfNumbers(&[-1, 1])]),
];

fn url(value: &Value) -> Result<(), String> {
    Endpoint::read(value.as_str().unwrap_or_default()).map(drop).map_err(str::to_owned)
}

/// How entries wait, by the settings of today and those of Kong before 3.3, which are warned of.
pub(super) fn queue(config: &Value, setup: &Setup<'_>) -> delivery::Settings {
    let queue = config.get("queue").unwrap_or(&Value::Null);
    let number = |field: &str| queue.get(field).and_then(Value::as_f64).unwrap_or_default();
    let whole = |field: &str| count(queue, field);
    let seconds = |field: &str| duration(number(field) * 1000.0);
    let mut settings = delivery::Settings {
        batch: whole("max_batch_size").unwrap_or(1),
        pause: seconds("max_coalescing_delay"),
        entries: whole("max_entries").unwrap_or(usize::MAX),
        bytes: whole("max_bytes").unwrap_or(usize::MAX),
        patience: seconds("max_retry_time"),
        first_pause: seconds("initial_retry_delay"),
        longest_pause: seconds("max_retry_delay"),
        beside: number("concurrency_limit") < 0.0,
    };
    let old = [
        ("queue_size", "queue.max_batch_size"),
        ("flush_timeout", "queue.max_coalescing_delay"),
        ("retry_count", "queue.max_retry_time"),
    ];
    for (old, new) in old {
        if config.get(old).is_some_and(|it| !it.is_null()) {
            let message = format!("config.{old} is Kong's older name of config.{new}");
            setup.warnings.borrow_mut().push(Diagnostic::warning(setup.at.key(old), message));
        }
    }
    if let Some(size) = count(config, "queue_size").filter(|size| *size > 1) {
        settings.batch = size;
    }
    if let Some(pause) = config.get("flush_timeout").and_then(Value::as_f64).filter(|_| settings.batch > 1) {
        settings.pause = duration(pause * 1000.0);
    }
    settings
}

fn count(config: &Value, field: &str) -> Option<usize> {
    config.get(field).and_then(Value::as_i64).and_then(|it| usize::try_from(it).ok())
}

/// A length of time that is written in milliseconds.
pub(super) fn milliseconds(config: &Value, field: &str) -> Duration {
    duration(config.get(field).and_then(Value::as_f64).unwrap_or_default())
}
