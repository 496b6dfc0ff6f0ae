//! Settings of `rate-limiting`.

use super::period::PERIODS;
use crate::{
    document::Value,
    plugin::setting_checks,
    schema::{self, EntityFault, Field, FieldKind, FieldRule},
};

/// Checks across several settings.
pub(super) const CHECKS: &[fn(&Value) -> Option<EntityFault>] =
    &[needs_a_limit, longer_periods_allow_more, needs_header_name, needs_path, needs_redis_host];

const LIMIT: &[FieldRule] = &[FieldRule::Above(0.0)];
const IDENTIFIERS: &[&str] = &["consumer", "credential", "ip", "service", "header", "path"];

/// The settings.
pub(super) const FIELDS: &[Field] = &[
    Field::new("second", FieldKind::Number).describe("requests in a second").rules(LIMIT),
    Field::new("minute", FieldKind::Number).describe("requests in a minute").rules(LIMIT),
    Field::new("hour", FieldKind::Number).describe("requests in an hour").rules(LIMIT),
    Field::new("day", FieldKind::Number).describe("requests in a day").rules(LIMIT),
    Field::new("month", FieldKind::Number).describe("requests in a month").rules(LIMIT),
    Field::new("year", FieldKind::Number).describe("requests in a year").rules(LIMIT),
    Field::new("limit_by", FieldKind::String)
        .describe("who shares a limit")
        .default("\"consumer\"")
        .rules(&[FieldRule::OneOf(IDENTIFIERS)]),
    Field::new("header_name", FieldKind::String)
        .describe("the header field whose value shares a limit, for `limit_by: header`")
        .rules(&[FieldRule::Holds(schema::check_header_name)]),
    Field::new("path", FieldKind::String)
        .describe("the path whose requests share a limit, for `limit_by: path`")
        .rules(&[FieldRule::Holds(is_path)]),
    Field::new("policy", FieldKind::String)
        .describe("where the counters are kept")
        .required()
        .default("\"local\"")
        .rules(&[FieldRule::OneOf(&["local", "cluster", "redis"])]),
    Field::new("fault_tolerant", FieldKind::Boolean)
        .describe("whether requests pass while the counters cannot be reached")
        .required()
        .default("true"),
    Field::new("redis", FieldKind::Record(REDIS)).describe("the Redis server that keeps the counters"),
    Field::new("hide_client_headers", FieldKind::Boolean)
        .describe("whether responses do not show limits")
        .required()
        .default("false"),
    Field::new("error_code", FieldKind::Number)
        .describe("the status of the answer beyond a limit")
        .default("429")
        .rules(&[setting_checks::STATUS_CODE]),
    Field::new("error_message", FieldKind::String)
        .describe("the message of the answer beyond a limit")
        .default("\"API rate limit exceeded\""),
    Field::new("sync_rate", FieldKind::Number)
        .describe("seconds between two synchronizations with Redis; -1: with each request")
        .required()
        .default("-1"),
    Field::new("redis_host", FieldKind::String).alias_of(&["redis", "host"]),
    Field::new("redis_port", FieldKind::Integer).alias_of(&["redis", "port"]),
    Field::new("redis_username", FieldKind::String).alias_of(&["redis", "username"]),
    Field::new("redis_password", FieldKind::Text).alias_of(&["redis", "password"]),
    Field::new("redis_database", FieldKind::Integer).alias_of(&["redis", "database"]),
    Field::new("redis_timeout", FieldKind::Number).alias_of(&["redis", "timeout"]),
    Field::new("redis_ssl", FieldKind::Boolean).alias_of(&["redis", "ssl"]),
    Field::new("redis_ssl_verify", FieldKind::Boolean).alias_of(&["redis", "ssl_verify"]),
    Field::new("redis_server_name", FieldKind::String).alias_of(&["redis", "server_name"]),
];

const REDIS: &[Field] = &[
    Field::new("host", FieldKind::String).describe("its name or address"),
    Field::new("port", FieldKind::Integer)
        .describe("its port")
        .default("6379")
        .rules(&[FieldRule::Between(0.0, 65535.0)]),
    Field::new("timeout", FieldKind::Integer)
        .describe("the timeout of connections in milliseconds")
        .default("2000"),
    Field::new("username", FieldKind::String).describe("the user name").referenceable(),
    Field::new("password", FieldKind::Text).describe("the password").referenceable(),
    Field::new("database", FieldKind::Integer).describe("the number of the database").default("0"),
    Field::new("ssl", FieldKind::Boolean).describe("whether the connection uses TLS").default("false"),
    Field::new("ssl_verify", FieldKind::Boolean)
        .describe("whether its certificate is verified")
        .default("false"),
    Field::new("server_name", FieldKind::String).describe("the name in its certificate"),
];

fn is_path(value: &Value) -> Result<(), String> {
    if value.as_str().is_some_and(|path| path.starts_with('/')) {
        Ok(())
    } else {
        Err("should start with: /".to_owned())
    }
}

fn needs_a_limit(config: &Value) -> Option<EntityFault> {
    setting_checks::at_least_one(config, &PERIODS.map(super::LimitPeriod::name))
}

fn longer_periods_allow_more(config: &Value) -> Option<EntityFault> {
    let limits =
        PERIODS.iter().filter_map(|period| Some((period.name(), config.get(period.name())?.as_f64()?)));
    let limits: Vec<(&str, f64)> = limits.collect();
    let pairs = limits.windows(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    let ((short, low), (long, high)) = pairs.into_iter().find(|((_, low), (_, high))| high < low)?;
    Some(EntityFault::record(format!(
        "the limit for {long}({high:.1}) cannot be lower than the limit for {short}({low:.1})"
    )))
}

fn needs_header_name(config: &Value) -> Option<EntityFault> {
    needs_field(config, "header", "header_name")
}

fn needs_path(config: &Value) -> Option<EntityFault> {
    needs_field(config, "path", "path")
}

fn needs_redis_host(config: &Value) -> Option<EntityFault> {
    let host = config.get("redis").and_then(|redis| redis.get("host")).unwrap_or(&Value::Null);
    let is_redis = config.get("policy").and_then(Value::as_str) == Some("redis");
    (is_redis && host.is_null()).then(|| {
        EntityFault::field("redis.host", "required field missing")
            .with_entity_message("failed conditional validation given value of field 'config.policy'")
            .help("the policy `redis` counts on a server: name it, as in `redis: {host: redis.example.com}`")
    })
}

fn needs_field(config: &Value, subject: &str, field: &'static str) -> Option<EntityFault> {
    let text = |key| config.get(key).and_then(Value::as_str);
    (text("limit_by") == Some(subject) && text(field).is_none()).then(|| {
        let message = "failed conditional validation given value of field 'config.limit_by'";
        EntityFault::field(field, "required field missing").with_entity_message(message)
    })
}
