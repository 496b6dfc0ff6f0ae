//! How it is found out which Targets of an Upstream work: by asking them, and by watching their answers.
//! (Kong: Upstream object, `healthchecks`.)

use std::time::Duration;

use super::{hosts, names, text, truth, whole};
use crate::{
    document::Value,
    schema::{Field, FieldKind, FieldRule},
};

const TYPES: &[&str] = &["tcp", "http", "https", "grpc", "grpcs"];
const SECONDS: &[FieldRule] = &[FieldRule::Between(0.0, 65535.0)];
const COUNTER: &[FieldRule] = &[FieldRule::Between(0.0, 255.0)];
const STATUS: &Field = &Field::item(FieldKind::Integer).rules(&[FieldRule::Between(100.0, 999.0)]);

/// The fields of `healthchecks`.
pub(super) const FIELDS: &[Field] = &[
    Field::new("threshold", FieldKind::Number).default("0").rules(&[FieldRule::Between(0.0, 100.0)]),
    Field::new("active", FieldKind::Record(ACTIVE)),
    Field::new("passive", FieldKind::Record(PASSIVE)),
];

const ACTIVE: &[Field] = &[
    Field::new("type", FieldKind::String).default("\"http\"").rules(&[FieldRule::OneOf(TYPES)]),
    Field::new("timeout", FieldKind::Number).default("1").rules(SECONDS),
    Field::new("concurrency", FieldKind::Integer)
        .default("10")
        .rules(&[FieldRule::Between(1.0, 2_147_483_648.0)]),
    Field::new("http_path", FieldKind::String).default("\"/\"").rules(&[FieldRule::Holds(names::path)]),
    Field::new("https_sni", FieldKind::String).rules(&[FieldRule::Holds(hosts::host)]),
    Field::new("https_verify_certificate", FieldKind::Boolean).default("true"),
    Field::new("headers", FieldKind::Map(&Field::item(FieldKind::Array(&Field::item(FieldKind::String))))),
    Field::new(
        "healthy",
        FieldKind::Record(&[
            Field::new("interval", FieldKind::Number).default("0").rules(SECONDS),
            Field::new("successes", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("http_statuses", FieldKind::Array(STATUS)).default("[200,302]"),
        ]),
    ),
    Field::new(
        "unhealthy",
        FieldKind::Record(&[
            Field::new("interval", FieldKind::Number).default("0").rules(SECONDS),
            Field::new("tcp_failures", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("timeouts", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("http_failures", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("http_statuses", FieldKind::Array(STATUS))
                .default("[429,404,500,501,502,503,504,505]"),
        ]),
    ),
];

const PASSIVE: &[Field] = &[
    Field::new("type", FieldKind::String).default("\"http\"").rules(&[FieldRule::OneOf(TYPES)]),
    Field::new(
        "healthy",
        FieldKind::Record(&[
            Field::new("successes", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("http_statuses", FieldKind::Array(STATUS))
                .default("[200,201,202,203,204,205,206,207,208,226,300,301,302,303,304,305,306,307,308]"),
        ]),
    ),
    Field::new(
        "unhealthy",
        FieldKind::Record(&[
            Field::new("tcp_failures", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("timeouts", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("http_failures", FieldKind::Integer).default("0").rules(COUNTER),
            Field::new("http_statuses", FieldKind::Array(STATUS)).default("[429,500,503]"),
        ]),
    ),
];

/// How it is found out which Targets of an Upstream work.
#[derive(Clone, Debug, PartialEq)]
pub struct Healthchecks {
    /// The Upstream as a whole works while at least this much of its weight does, in per cent; 0 means always.
    pub threshold: f64,
    /// By asking the Targets.
    pub active: ActiveChecks,
    /// By watching their answers to requests.
    pub passive: PassiveChecks,
}

/// Targets are asked again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveChecks {
    /// What they are asked in.
    pub protocol: CheckProtocol,
    /// How long they may take.
    pub timeout: Duration,
    /// How many are asked at the same time.
    pub concurrency: u32,
    /// The path that they are asked for.
    pub path: String,
    /// The server name of a TLS handshake with them, in place of the Host.
    pub sni: Option<String>,
    /// Whether their certificates must be valid.
    pub verify: bool,
    /// Headers of the question, each with its values.
    pub headers: Vec<(String, Vec<String>)>,
    /// How often Targets are asked that work; zero means never.
    pub healthy_interval: Duration,
    /// How often Targets are asked that do not; zero means never.
    pub unhealthy_interval: Duration,
    /// What makes a Target one that works, or not.
    pub limits: HealthThresholds,
}

/// Answers to requests are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassiveChecks {
    /// What Targets speak.
    pub protocol: CheckProtocol,
    /// What makes a Target one that works, or not.
    pub limits: HealthThresholds,
}

/// What makes a Target one that works, or not. A count of zero means that this never changes anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthThresholds {
    /// So many good answers in a row, and it works.
    pub successes: u32,
    /// The statuses of good answers.
    pub healthy_statuses: Vec<u16>,
    /// So many failed connections in a row, and it does not.
    pub tcp_failures: u32,
    /// So many timeouts in a row, and it does not.
    pub timeouts: u32,
    /// So many bad answers in a row, and it does not.
    pub http_failures: u32,
    /// The statuses of bad answers.
    pub unhealthy_statuses: Vec<u16>,
}

/// What Targets are asked in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckProtocol {
    /// By connecting only.
    Tcp,
    /// HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
    /// gRPC's health protocol.
    Grpc,
    /// The same over TLS.
    Grpcs,
}

impl Healthchecks {
    /// The value of a checked record.
    pub(super) fn new(record: &Value) -> Self {
        let none = Value::Null;
        let active = record.get("active").unwrap_or(&none);
        let passive = record.get("passive").unwrap_or(&none);
        let headers = active.get("headers").into_iter().flat_map(Value::entries);
        let strings =
            |value: &Value| value.items().iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Self {
            threshold: record.get("threshold").and_then(Value::as_f64).unwrap_or_default(),
            active: ActiveChecks {
                protocol: CheckProtocol::new(active),
                timeout: seconds(active, "timeout"),
                concurrency: whole(active, "concurrency"),
                path: text(active, "http_path").unwrap_or_default(),
                sni: text(active, "https_sni"),
                verify: truth(active, "https_verify_certificate"),
                headers: headers.map(|(name, value)| (name.to_owned(), strings(value))).collect(),
                healthy_interval: active.get("healthy").map_or(Duration::ZERO, |it| seconds(it, "interval")),
                unhealthy_interval: active
                    .get("unhealthy")
                    .map_or(Duration::ZERO, |it| seconds(it, "interval")),
                limits: HealthThresholds::new(active),
            },
            passive: PassiveChecks {
                protocol: CheckProtocol::new(passive),
                limits: HealthThresholds::new(passive),
            },
        }
    }
}

impl HealthThresholds {
    fn new(checks: &Value) -> Self {
        let none = Value::Null;
        let healthy = checks.get("healthy").unwrap_or(&none);
        let unhealthy = checks.get("unhealthy").unwrap_or(&none);
        Self {
            successes: whole(healthy, "successes"),
            healthy_statuses: statuses(healthy),
            tcp_failures: whole(unhealthy, "tcp_failures"),
            timeouts: whole(unhealthy, "timeouts"),
            http_failures: whole(unhealthy, "http_failures"),
            unhealthy_statuses: statuses(unhealthy),
        }
    }
}

impl CheckProtocol {
    fn new(checks: &Value) -> Self {
        match checks.get("type").and_then(Value::as_str) {
            Some("tcp") => Self::Tcp,
            Some("https") => Self::Https,
            Some("grpc") => Self::Grpc,
            Some("grpcs") => Self::Grpcs,
            _ => Self::Http,
        }
    }
}

fn seconds(record: &Value, key: &str) -> Duration {
    let seconds = record.get(key).and_then(Value::as_f64).unwrap_or_default();
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn statuses(record: &Value) -> Vec<u16> {
    let items = record.get("http_statuses").map(Value::items).unwrap_or_default();
    items.iter().filter_map(Value::as_i64).filter_map(|it| u16::try_from(it).ok()).collect()
}
