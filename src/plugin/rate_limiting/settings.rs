//! What the settings of rate limiting may say.

use super::period::PERIODS;
use crate::{
    document::Value,
    plugin::rules,
    schema::{Complaint, Field, Kind, Rule, Settings},
};

/// The settings.
pub(super) const SETTINGS: Settings = Settings {
    fields: FIELDS,
    checks: &[some_limit, longer_is_more, header_is_named, path_is_named, redis_is_named],
};

const LIMIT: &[Rule] = &[Rule::Holds(rules::above_zero)];
const SUBJECTS: &[&str] = &["consumer", "credential", "ip", "service", "header", "path"];

const FIELDS: &[Field] = &[
    Field::new("second", Kind::Number).rules(LIMIT),
    Field::new("minute", Kind::Number).rules(LIMIT),
    Field::new("hour", Kind::Number).rules(LIMIT),
    Field::new("day", Kind::Number).rules(LIMIT),
    Field::new("month", Kind::Number).rules(LIMIT),
    Field::new("year", Kind::Number).rules(LIMIT),
    Field::new("limit_by", Kind::String).default("\"consumer\"").rules(&[Rule::OneOf(SUBJECTS)]),
    Field::new("header_name", Kind::String).rules(&[Rule::Holds(rules::header_name)]),
    Field::new("path", Kind::String).rules(&[Rule::Holds(path)]),
    Field::new("policy", Kind::String)
        .required()
        .default("\"local\"")
        .rules(&[Rule::OneOf(&["local", "cluster", "redis"])]),
    Field::new("fault_tolerant", Kind::Boolean).required().default("true"),
    Field::new("redis", Kind::Record(REDIS)),
    Field::new("hide_client_headers", Kind::Boolean).required().default("false"),
    Field::new("error_code", Kind::Number).default("429").rules(&[rules::STATUS]),
    Field::new("error_message", Kind::String).default("\"API rate limit exceeded\""),
    Field::new("sync_rate", Kind::Number).required().default("-1"),
    Field::new("redis_host", Kind::String).stands_for(&["redis", "host"]),
    Field::new("redis_port", Kind::Integer).stands_for(&["redis", "port"]),
    Field::new("redis_username", Kind::String).stands_for(&["redis", "username"]),
    Field::new("redis_password", Kind::Text).stands_for(&["redis", "password"]),
    Field::new("redis_database", Kind::Integer).stands_for(&["redis", "database"]),
    Field::new("redis_timeout", Kind::Number).stands_for(&["redis", "timeout"]),
    Field::new("redis_ssl", Kind::Boolean).stands_for(&["redis", "ssl"]),
    Field::new("redis_ssl_verify", Kind::Boolean).stands_for(&["redis", "ssl_verify"]),
    Field::new("redis_server_name", Kind::String).stands_for(&["redis", "server_name"]),
];

const REDIS: &[Field] = &[
    Field::new("host", Kind::String),
    Field::new("port", Kind::Integer).default("6379").rules(&[Rule::Between(0.0, 65535.0)]),
    Field::new("timeout", Kind::Integer).default("2000"),
    Field::new("username", Kind::String).referenceable(),
    Field::new("password", Kind::Text).referenceable(),
    Field::new("database", Kind::Integer).default("0"),
    Field::new("ssl", Kind::Boolean).default("false"),
    Field::new("ssl_verify", Kind::Boolean).default("false"),
    Field::new("server_name", Kind::String),
];

fn path(value: &Value) -> Result<(), String> {
    if value.as_str().is_some_and(|it| it.starts_with('/')) {
        Ok(())
    } else {
        Err("should start with: /".to_owned())
    }
}

fn some_limit(config: &Value) -> Option<Complaint> {
    rules::at_least_one(config, &PERIODS.map(super::Period::name))
}

fn longer_is_more(config: &Value) -> Option<Complaint> {
    let limits = PERIODS.iter().filter_map(|it| Some((it.name(), config.get(it.name())?.as_f64()?)));
    let limits: Vec<(&str, f64)> = limits.collect();
    let pairs = limits.windows(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    let ((short, low), (long, high)) = pairs.into_iter().find(|((_, low), (_, high))| high < low)?;
    Some(Complaint::record(format!(
        "the limit for {long}({high:.1}) cannot be lower than the limit for {short}({low:.1})"
    )))
}

fn header_is_named(config: &Value) -> Option<Complaint> {
    needs(config, "header", "header_name")
}

fn path_is_named(config: &Value) -> Option<Complaint> {
    needs(config, "path", "path")
}

fn redis_is_named(config: &Value) -> Option<Complaint> {
    let host = config.get("redis").and_then(|it| it.get("host")).unwrap_or(&Value::Null);
    let asked = config.get("policy").and_then(Value::as_str) == Some("redis");
    (asked && host.is_null()).then(|| {
        Complaint::field("redis.host", "required field missing")
            .besides("failed conditional validation given value of field 'config.policy'")
            .help("the policy `redis` counts on a server: name it, as in `redis: {host: redis.example.com}`")
    })
}

fn needs(config: &Value, subject: &str, field: &'static str) -> Option<Complaint> {
    let text = |key| config.get(key).and_then(Value::as_str);
    (text("limit_by") == Some(subject) && text(field).is_none()).then(|| {
        let message = "failed conditional validation given value of field 'config.limit_by'";
        Complaint::field(field, "required field missing").besides(message)
    })
}
