//! Health checks of the Targets of an Upstream: active probes, and passive checks of the answers to requests.
//! (Kong: Upstream object, `healthchecks`.)

use std::time::Duration;

use super::{
    hosts,
    record::{boolean, integer, text},
    text_rules,
};
use crate::{
    document::Value,
    schema::{Field, FieldKind, FieldRule},
};

const TYPES: &[&str] = &["tcp", "http", "https", "grpc", "grpcs"];
const SECONDS: &[FieldRule] = &[FieldRule::Between(0.0, 65535.0)];
const COUNTER: &[FieldRule] = &[FieldRule::Between(0.0, 255.0)];
const STATUS: &Field = &Field::item(FieldKind::Integer).rules(&[FieldRule::Between(100.0, 999.0)]);

// The fields of `healthchecks`.
const THRESHOLD: Field = Field::new("threshold", FieldKind::Number)
    .describe("the share of healthy weight below which the upstream is unhealthy, in percent")
    .default("0")
    .rules(&[FieldRule::Between(0.0, 100.0)]);
const ACTIVE: Field =
    Field::new("active", FieldKind::Record(ACTIVE_FIELDS)).describe("checks by requests of the gateway");
const PASSIVE: Field = Field::new("passive", FieldKind::Record(PASSIVE_FIELDS))
    .describe("checks by the outcome of clients' requests");

// The fields of `active`, and some of `passive`, whose inner records have other fields and defaults.
const TYPE: Field = Field::new("type", FieldKind::String)
    .describe("the protocol of the checks")
    .default("\"http\"")
    .rules(&[FieldRule::OneOf(TYPES)]);
const TIMEOUT: Field = Field::new("timeout", FieldKind::Number)
    .describe("seconds until a check has failed")
    .default("1")
    .rules(SECONDS);
const CONCURRENCY: Field = Field::new("concurrency", FieldKind::Integer)
    .describe("targets that are checked at a time")
    .default("10")
    .rules(&[FieldRule::Between(1.0, 2_147_483_648.0)]);
const HTTP_PATH: Field = Field::new("http_path", FieldKind::String)
    .describe("the path that is requested")
    .default("\"/\"")
    .rules(&[FieldRule::Holds(text_rules::path)]);
const HTTPS_SNI: Field = Field::new("https_sni", FieldKind::String)
    .describe("the server name of TLS connections")
    .rules(&[FieldRule::Holds(hosts::host)]);
const HTTPS_VERIFY_CERTIFICATE: Field = Field::new("https_verify_certificate", FieldKind::Boolean)
    .describe("whether certificates of targets are verified")
    .default("true");
const HEADERS: Field =
    Field::new("headers", FieldKind::Map(&Field::item(FieldKind::Array(&Field::item(FieldKind::String)))))
        .describe("header fields of the requests");
const HEALTHY: Field =
    Field::new("healthy", FieldKind::Record(&[INTERVAL, SUCCESSES, HTTP_STATUSES.default("[200,302]")]))
        .describe("when a target becomes healthy");
const UNHEALTHY: Field = Field::new(
    "unhealthy",
    FieldKind::Record(&[
        INTERVAL,
        TCP_FAILURES,
        TIMEOUTS,
        HTTP_FAILURES,
        HTTP_STATUSES.default("[429,404,500,501,502,503,504,505]"),
    ]),
)
.describe("when a target becomes unhealthy");

// The fields of `healthy` and `unhealthy`.
const INTERVAL: Field = Field::new("interval", FieldKind::Number)
    .describe("seconds between two checks; 0 for none")
    .default("0")
    .rules(SECONDS);
const SUCCESSES: Field =
    Field::new("successes", FieldKind::Integer).describe("successes in a row").default("0").rules(COUNTER);
const TCP_FAILURES: Field = Field::new("tcp_failures", FieldKind::Integer)
    .describe("failed connections in a row")
    .default("0")
    .rules(COUNTER);
const TIMEOUTS: Field =
    Field::new("timeouts", FieldKind::Integer).describe("timeouts in a row").default("0").rules(COUNTER);
const HTTP_FAILURES: Field = Field::new("http_failures", FieldKind::Integer)
    .describe("responses with such a status in a row")
    .default("0")
    .rules(COUNTER);
const HTTP_STATUSES: Field =
    Field::new("http_statuses", FieldKind::Array(STATUS)).describe("statuses that count");

/// The fields of `healthchecks`.
pub(super) const FIELDS: &[Field] = &[THRESHOLD, ACTIVE, PASSIVE];

const ACTIVE_FIELDS: &[Field] = &[
    TYPE,
    TIMEOUT,
    CONCURRENCY,
    HTTP_PATH,
    HTTPS_SNI,
    HTTPS_VERIFY_CERTIFICATE,
    HEADERS,
    HEALTHY,
    UNHEALTHY,
];

const PASSIVE_FIELDS: &[Field] = &[
    TYPE,
    Field::new(
        HEALTHY.name,
        FieldKind::Record(&[
            SUCCESSES,
            HTTP_STATUSES
                .default("[200,201,202,203,204,205,206,207,208,226,300,301,302,303,304,305,306,307,308]"),
        ]),
    ),
    Field::new(
        UNHEALTHY.name,
        FieldKind::Record(&[TCP_FAILURES, TIMEOUTS, HTTP_FAILURES, HTTP_STATUSES.default("[429,500,503]")]),
    ),
];

/// The health checks of the Targets of an Upstream.
#[derive(Clone, Debug, PartialEq)]
pub struct Healthchecks {
    /// The share of its weight, in per cent, that must be healthy for the Upstream as a whole to be; 0 means that it always
    /// is.
    pub threshold: f64,
    /// Probes of the Targets.
    pub active: ActiveChecks,
    /// Checks of their answers to requests.
    pub passive: PassiveChecks,
}

/// Probes that are sent to Targets at intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveChecks {
    /// The protocol of the probes.
    pub protocol: CheckProtocol,
    /// How long a probe may take.
    pub timeout: Duration,
    /// How many Targets are probed at the same time.
    pub concurrency: u32,
    /// The path of the request.
    pub path: String,
    /// The server name of the TLS handshake, in place of the Host.
    pub sni: Option<String>,
    /// Whether the certificate of the Target must be valid.
    pub verify: bool,
    /// Headers of the request, each with its values.
    pub headers: Vec<(String, Vec<String>)>,
    /// The interval between probes of a healthy Target; zero means that there are none.
    pub healthy_interval: Duration,
    /// The interval between probes of an unhealthy Target; zero means that there are none.
    pub unhealthy_interval: Duration,
    /// When a Target becomes healthy or unhealthy.
    pub limits: HealthThresholds,
}

/// Checks of the answers to requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassiveChecks {
    /// The protocol of the Targets.
    pub protocol: CheckProtocol,
    /// When a Target becomes healthy or unhealthy.
    pub limits: HealthThresholds,
}

/// When a Target becomes healthy or unhealthy. A count of zero disables its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthThresholds {
    /// How many good answers in a row make a Target healthy.
    pub successes: u32,
    /// The statuses of good answers.
    pub healthy_statuses: Vec<u16>,
    /// How many failed connections in a row make it unhealthy.
    pub tcp_failures: u32,
    /// How many timeouts in a row make it unhealthy.
    pub timeouts: u32,
    /// How many bad answers in a row make it unhealthy.
    pub http_failures: u32,
    /// The statuses of bad answers.
    pub unhealthy_statuses: Vec<u16>,
}

/// The protocol of probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckProtocol {
    /// A TCP connection without data.
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
        let (active, passive) = (inner(record, &ACTIVE), inner(record, &PASSIVE));
        let headers = active.get(HEADERS.name).into_iter().flat_map(Value::entries);
        let values = |value: &Value| {
            value.items().iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
        };
        Self {
            threshold: record.get(THRESHOLD.name).and_then(Value::as_f64).unwrap_or_default(),
            active: ActiveChecks {
                protocol: CheckProtocol::new(active),
                timeout: seconds(active, &TIMEOUT),
                concurrency: integer(active, &CONCURRENCY),
                path: text(active, &HTTP_PATH).unwrap_or_default(),
                sni: text(active, &HTTPS_SNI),
                verify: boolean(active, &HTTPS_VERIFY_CERTIFICATE),
                headers: headers.map(|(name, value)| (name.to_owned(), values(value))).collect(),
                healthy_interval: seconds(inner(active, &HEALTHY), &INTERVAL),
                unhealthy_interval: seconds(inner(active, &UNHEALTHY), &INTERVAL),
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
        let (healthy, unhealthy) = (inner(checks, &HEALTHY), inner(checks, &UNHEALTHY));
        Self {
            successes: integer(healthy, &SUCCESSES),
            healthy_statuses: statuses(healthy),
            tcp_failures: integer(unhealthy, &TCP_FAILURES),
            timeouts: integer(unhealthy, &TIMEOUTS),
            http_failures: integer(unhealthy, &HTTP_FAILURES),
            unhealthy_statuses: statuses(unhealthy),
        }
    }
}

impl CheckProtocol {
    fn new(checks: &Value) -> Self {
        match checks.get(TYPE.name).and_then(Value::as_str) {
            Some("tcp") => Self::Tcp,
            Some("https") => Self::Https,
            Some("grpc") => Self::Grpc,
            Some("grpcs") => Self::Grpcs,
            _ => Self::Http,
        }
    }
}

/// The record in a field; null if it is not there.
fn inner<'a>(record: &'a Value, field: &Field) -> &'a Value {
    record.get(field.name).unwrap_or(&Value::Null)
}

fn seconds(record: &Value, field: &Field) -> Duration {
    let seconds = record.get(field.name).and_then(Value::as_f64).unwrap_or_default();
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn statuses(record: &Value) -> Vec<u16> {
    let items = record.get(HTTP_STATUSES.name).map(Value::items).unwrap_or_default();
    items.iter().filter_map(Value::as_i64).filter_map(|status| u16::try_from(status).ok()).collect()
}
