//! Settings of `http-log`.

use std::time::Duration;

use super::{duration, endpoint::LogEndpoint};
use crate::{
    diag::Diagnostic,
    document::Value,
    plugin::{PluginSetup, custom_fields, delivery},
    schema::{Field, FieldKind, FieldRule},
};

const METHODS: &[&str] = &["POST", "PUT", "PATCH"];
const TYPES: &[&str] = &["application/json", "application/json; charset=utf-8"];
const HEADERS: FieldKind = FieldKind::Map(&Field::item(FieldKind::Secret).referenceable());

/// The settings.
pub(super) const FIELDS: &[Field] = &[
    Field::new("http_endpoint", FieldKind::Secret)
        .describe("the URL to which entries are sent")
        .required()
        .referenceable()
        .rules(&[FieldRule::Holds(is_url)]),
    Field::new("method", FieldKind::String)
        .describe("the method of its requests")
        .default("\"POST\"")
        .rules(&[FieldRule::OneOf(METHODS)]),
    Field::new("content_type", FieldKind::String)
        .describe("the media type of its requests")
        .default("\"application/json\"")
        .rules(&[FieldRule::OneOf(TYPES)]),
    Field::new("timeout", FieldKind::Number)
        .describe("the timeout of a request in milliseconds")
        .default("10000"),
    Field::new("keepalive", FieldKind::Number)
        .describe("milliseconds for which an idle connection is kept")
        .default("60000"),
    Field::new("headers", HEADERS).describe("further header fields of its requests"),
    Field::new("queue", FieldKind::Record(QUEUE)).describe("the queue of entries"),
    custom_fields::FIELD,
    Field::new("retry_count", FieldKind::Integer).describe("not used; see `queue`"),
    Field::new("queue_size", FieldKind::Integer).describe("not used; see `queue.max_batch_size`"),
    Field::new("flush_timeout", FieldKind::Number).describe("not used; see `queue.max_coalescing_delay`"),
];

const MILLION: f64 = 1_000_000.0;

const QUEUE: &[Field] = &[
    Field::new("max_batch_size", FieldKind::Integer)
        .describe("the most entries in a request")
        .default("1")
        .rules(&[FieldRule::Between(1.0, MILLION)]),
    Field::new("max_coalescing_delay", FieldKind::Number)
        .describe("seconds for which a request waits for further entries")
        .default("1")
        .rules(&[FieldRule::Between(0.0, 3600.0)]),
    Field::new("max_entries", FieldKind::Integer)
        .describe("the most entries that wait; older ones are dropped")
        .default("10000")
        .rules(&[FieldRule::Between(1.0, MILLION)]),
    Field::new("max_bytes", FieldKind::Integer).describe("the most bytes that wait"),
    Field::new("max_retry_time", FieldKind::Number)
        .describe("seconds for which a failed request is repeated")
        .default("60"),
    Field::new("initial_retry_delay", FieldKind::Number)
        .describe("seconds before the first repetition")
        .default("0.01")
        .rules(&[FieldRule::Between(0.001, MILLION)]),
    Field::new("max_retry_delay", FieldKind::Number)
        .describe("the longest delay between repetitions in seconds")
        .default("60")
        .rules(&[FieldRule::Between(0.001, MILLION)]),
    Field::new("concurrency_limit", FieldKind::Integer)
        .describe("the number of requests at a time: 1, or -1 for no limit")
        .default("1")
        .rules(&[FieldRule::OneOfNumbers(&[-1, 1])]),
];

fn is_url(value: &Value) -> Result<(), String> {
    LogEndpoint::parse(value.as_str().unwrap_or_default()).map(drop).map_err(str::to_owned)
}

/// The settings of the queue, from `queue` and from the settings of Kong before 3.3, for which there is a warning.
pub(super) fn queue(config: &Value, setup: &PluginSetup<'_>) -> delivery::QueueSettings {
    let queue = config.get("queue").unwrap_or(&Value::Null);
    let number = |field: &str| queue.get(field).and_then(Value::as_f64).unwrap_or_default();
    let whole = |field: &str| count(queue, field);
    let seconds = |field: &str| duration(number(field) * 1000.0);
    let mut settings = delivery::QueueSettings {
        max_batch_size: whole("max_batch_size").unwrap_or(1),
        batch_delay: seconds("max_coalescing_delay"),
        max_entries: whole("max_entries").unwrap_or(usize::MAX),
        max_bytes: whole("max_bytes").unwrap_or(usize::MAX),
        max_retry_time: seconds("max_retry_time"),
        initial_retry_delay: seconds("initial_retry_delay"),
        max_retry_delay: seconds("max_retry_delay"),
        concurrent: number("concurrency_limit") < 0.0,
    };
    let old = [
        ("queue_size", "queue.max_batch_size"),
        ("flush_timeout", "queue.max_coalescing_delay"),
        ("retry_count", "queue.max_retry_time"),
    ];
    for (old, new) in old {
        if config.get(old).is_some_and(|value| !value.is_null()) {
            let message = format!("config.{old} is Kong's older name of config.{new}");
            setup.warnings.borrow_mut().push(Diagnostic::warning(setup.at.key(old), message));
        }
    }
    if let Some(size) = count(config, "queue_size").filter(|size| *size > 1) {
        settings.max_batch_size = size;
    }
    if let Some(pause) =
        config.get("flush_timeout").and_then(Value::as_f64).filter(|_| settings.max_batch_size > 1)
    {
        settings.batch_delay = duration(pause * 1000.0);
    }
    settings
}

fn count(config: &Value, field: &str) -> Option<usize> {
    config.get(field).and_then(Value::as_i64).and_then(|number| usize::try_from(number).ok())
}

/// A duration that is configured in milliseconds.
pub(super) fn milliseconds(config: &Value, field: &str) -> Duration {
    duration(config.get(field).and_then(Value::as_f64).unwrap_or_default())
}
