//! Settings of the plugin: fields, checks, values.

use serde::Deserialize;

use super::{
    super::{DocumentFields, PluginSetup},
    delay::{DelayDistribution, ResponseDelay},
};
use crate::{
    diag::Diagnostic,
    document::Value,
    mock::{MockOptions, Profile},
    schema::{EntityFault, Field, FieldKind, FieldRule},
};

/// The settings that hold the OpenAPI document.
pub(super) const DOCUMENT: DocumentFields =
    DocumentFields { text: "api_specification", file: "api_specification_filename" };

/// Checks across several settings.
pub(super) const CHECKS: &[fn(&Value) -> Option<EntityFault>] =
    &[one_document, delays_in_order, latency_complete];

const STATUS_CODES: &Field = &Field::item(FieldKind::Integer).rules(&[FieldRule::Between(100.0, 599.0)]);

/// The settings.
pub(super) const FIELDS: &[Field] = &[
    Field::new("api_specification", FieldKind::String).describe("the OpenAPI document as a text"),
    Field::new("api_specification_filename", FieldKind::String)
        .describe("the OpenAPI document, a file in the folder of specs"),
    Field::new("random_delay", FieldKind::Boolean)
        .describe("whether responses wait for a random time")
        .default("false"),
    Field::new("max_delay_time", FieldKind::Number)
        .describe("the longest delay, in seconds")
        .default("1")
        .rules(&[FieldRule::Between(0.0, 3600.0)]),
    Field::new("min_delay_time", FieldKind::Number)
        .describe("the shortest delay, in seconds")
        .default("0.001")
        .rules(&[FieldRule::Between(0.0, 3600.0)]),
    Field::new("random_examples", FieldKind::Boolean)
        .describe("whether one of several examples is picked at random")
        .default("false"),
    Field::new("included_status_codes", FieldKind::Array(STATUS_CODES))
        .describe("the status codes of the document that may be answered"),
    Field::new("random_status_code", FieldKind::Boolean)
        .describe("whether one of several status codes is picked at random")
        .default("false"),
    Field::new("include_base_path", FieldKind::Boolean)
        .describe("whether paths are served below the base path of the document")
        .default("false"),
    Field::new("custom_base_path", FieldKind::String).describe("the path that paths are served below"),
    Field::new("seed", FieldKind::Integer)
        .describe("the seed of samples and random choices")
        .rules(&[FieldRule::Between(0.0, LARGEST_EXACT)]),
    Field::new("latency", FieldKind::Record(LATENCY)).describe("a distribution of delays"),
    Field::new("fault_rate", FieldKind::Number)
        .describe("the share of requests that are answered with a fault, 0 to 1")
        .default("0")
        .rules(RATE),
    Field::new("fault_status_codes", FieldKind::Array(FAULT_CODES)).describe("the status codes of faults"),
    Field::new("connection_reset_rate", FieldKind::Number)
        .describe("the share of requests whose connection is closed, 0 to 1")
        .default("0")
        .rules(RATE),
    Field::new("passthrough", FieldKind::String)
        .describe("which operations are passed to the service")
        .default("\"none\"")
        .rules(&[FieldRule::OneOf(&["none", "undefined"])]),
    Field::new("stateful", FieldKind::Boolean)
        .describe("whether what is written can be read again")
        .default("false"),
    Field::new("profile", FieldKind::String)
        .describe("whether responses are those of Kong or of Prism")
        .rules(&[FieldRule::OneOf(&["kong", "prism"])]),
    Field::new("validate_requests", FieldKind::Boolean)
        .describe("whether requests are validated against the document"),
    Field::new("validate_security", FieldKind::Boolean)
        .describe("whether the security requirements of the document are checked"),
    Field::new("dynamic", FieldKind::Boolean)
        .describe("whether answers are samples of the schemas, not examples"),
    Field::new("report_errors", FieldKind::Boolean)
        .describe("whether a wrong response to an invalid request says what is wrong"),
    Field::new("cors", FieldKind::Boolean).describe("whether CORS headers are sent, as Prism does"),
    Field::new("templates", FieldKind::Boolean)
        .describe("whether texts in examples are templates")
        .default("false"),
];

const LATENCY: &[Field] = &[
    Field::new("distribution", FieldKind::String)
        .describe("the kind of the distribution")
        .rules(&[FieldRule::OneOf(&["fixed", "uniform", "lognormal"])]),
    Field::new("milliseconds", FieldKind::Number)
        .describe("the delay of the kind `fixed`")
        .rules(MILLISECONDS),
    Field::new("min", FieldKind::Number).describe("the shortest delay in milliseconds").rules(MILLISECONDS),
    Field::new("max", FieldKind::Number).describe("the longest delay in milliseconds").rules(MILLISECONDS),
    Field::new("median", FieldKind::Number)
        .describe("the delay that half of the requests exceed, in milliseconds")
        .rules(MILLISECONDS),
    Field::new("p99", FieldKind::Number)
        .describe("the delay that one request in 100 exceeds, in milliseconds")
        .rules(MILLISECONDS),
];
const MILLISECONDS: &[FieldRule] = &[FieldRule::Between(0.0, 3_600_000.0)];
const RATE: &[FieldRule] = &[FieldRule::Between(0.0, 1.0)];
const FAULT_CODES: &Field = &Field::item(FieldKind::Integer).rules(&[FieldRule::Between(200.0, 599.0)]);

/// The largest whole number that every JSON parser represents exactly (2^53 - 1).
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct MockingConfig {
    pub(super) api_specification: Option<String>,
    pub(super) api_specification_filename: Option<String>,
    pub(super) random_delay: bool,
    pub(super) max_delay_time: f64,
    pub(super) min_delay_time: f64,
    pub(super) random_examples: bool,
    pub(super) included_status_codes: Option<Vec<u16>>,
    pub(super) random_status_code: bool,
    pub(super) include_base_path: bool,
    pub(super) custom_base_path: Option<String>,
    pub(super) seed: Option<u64>,
    latency: Option<LatencyConfig>,
    pub(super) fault_rate: f64,
    pub(super) fault_status_codes: Option<Vec<u16>>,
    pub(super) connection_reset_rate: f64,
    pub(super) passthrough: PassthroughRule,
    pub(super) stateful: bool,
    profile: Option<String>,
    pub(super) validate_requests: Option<bool>,
    pub(super) validate_security: Option<bool>,
    pub(super) dynamic: Option<bool>,
    pub(super) report_errors: Option<bool>,
    pub(super) cors: Option<bool>,
    pub(super) templates: bool,
}

/// Which operations are passed to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PassthroughRule {
    /// None.
    None,
    /// Operations that the document lacks or marks with `x-mynah-live`.
    Undefined,
}

/// The record `latency`; its fields are null if it is not set.
#[derive(Deserialize)]
struct LatencyConfig {
    distribution: Option<String>,
    milliseconds: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    median: Option<f64>,
    p99: Option<f64>,
}

impl LatencyConfig {
    fn distribution(&self) -> Option<DelayDistribution> {
        match self.distribution.as_deref()? {
            "fixed" => Some(DelayDistribution::Fixed { milliseconds: self.milliseconds? }),
            "uniform" => Some(DelayDistribution::Uniform { min: self.min?, max: self.max? }),
            _ => Some(DelayDistribution::Lognormal { median: self.median?, p99: self.p99? }),
        }
    }
}

fn one_document(config: &Value) -> Option<EntityFault> {
    let is_given = |key| config.get(key).is_some_and(|value| !value.is_null());
    match (is_given("api_specification"), is_given("api_specification_filename")) {
        (false, false) => Some(
            EntityFault::record("at least one of these fields must be non-empty: 'api_specification', 'api_specification_filename'")
                .help("write the OpenAPI document as a text, or the name of a file in the folder of specs"),
        ),
        (true, true) => Some(
            EntityFault::field("api_specification_filename", "only one of these fields may be set: 'api_specification', 'api_specification_filename'")
                .help("remove one of them"),
        ),
        _ => None,
    }
}

fn delays_in_order(config: &Value) -> Option<EntityFault> {
    let seconds = |key| config.get(key).and_then(Value::as_f64).unwrap_or_default();
    (seconds("min_delay_time") > seconds("max_delay_time")).then(|| {
        EntityFault::field("min_delay_time", "should not be greater than max_delay_time")
            .help("both are seconds")
    })
}

/// Checks that a distribution has the numbers that it needs.
fn latency_complete(config: &Value) -> Option<EntityFault> {
    let latency = config.get("latency")?;
    let number = |key: &str| latency.get(key).and_then(Value::as_f64);
    let Some(distribution) = latency.get("distribution").and_then(Value::as_str) else {
        let given = latency.entries().any(|(_, value)| !value.is_null());
        return given.then(|| EntityFault::field("latency", "it needs a 'distribution'"));
    };
    let needed: &[&str] = match distribution {
        "fixed" => &["milliseconds"],
        "uniform" => &["min", "max"],
        _ => &["median", "p99"],
    };
    if let Some(missing) = needed.iter().find(|key| number(key).is_none()) {
        let message = format!("the distribution '{distribution}' needs '{missing}'");
        return Some(EntityFault::field("latency", message).help("all numbers are milliseconds"));
    }
    if number("min") > number("max") && distribution == "uniform" {
        return Some(EntityFault::field("latency", "'min' should not be greater than 'max'"));
    }
    let (median, p99) = (number("median").unwrap_or_default(), number("p99").unwrap_or_default());
    if distribution == "lognormal" && (median <= 0.0 || p99 < median) {
        return Some(EntityFault::field("latency", "'median' should be above 0 and not greater than 'p99'"));
    }
    let both = config.get("random_delay").and_then(Value::as_bool).unwrap_or_default();
    both.then(|| EntityFault::field("latency", "only one of 'latency' and 'random_delay' may be used"))
}

impl MockingConfig {
    /// The delay of responses.
    pub(super) fn delay(&self) -> ResponseDelay {
        match self.latency.as_ref().and_then(LatencyConfig::distribution) {
            Some(distribution) => distribution.into(),
            None if self.random_delay => ResponseDelay::Uniform(self.min_delay_time, self.max_delay_time),
            None => ResponseDelay::None,
        }
    }

    /// Reads settings that have been checked.
    pub(super) fn read(setup: &PluginSetup<'_>) -> Result<Self, Vec<Diagnostic>> {
        setup.read_settings()
    }

    /// The profile.
    pub(super) fn profile(&self) -> Profile {
        if self.profile.as_deref() == Some("prism") { Profile::Prism } else { Profile::Kong }
    }

    /// Options of the choice of answers.
    pub(super) fn options(&self) -> MockOptions {
        MockOptions {
            included_status_codes: self.included_status_codes.clone().unwrap_or_default(),
            random_status_code: self.random_status_code,
            random_examples: self.random_examples,
            seed: self.seed,
            include_base_path: self.include_base_path,
            custom_base_path: self.custom_base_path.clone(),
            profile: self.profile(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{super::test_support, DEF};

    #[track_caller]
    fn check(config: &str, expected: &[&str]) {
        assert_eq!(test_support::diagnostics(&DEF, config), expected, "{config}");
    }

    #[test]
    fn exactly_one_document_is_given() {
        let names = "'api_specification', 'api_specification_filename'";
        check(
            "{random_delay: false}",
            &[&format!("config: at least one of these fields must be non-empty: {names}")],
        );
        let both = "{api_specification: 'openapi: 3.0.0', api_specification_filename: a.yaml}";
        let only = format!("config.api_specification_filename: only one of these fields may be set: {names}");
        check(both, &[&only]);
    }

    #[test]
    fn the_shortest_delay_is_not_above_the_longest() {
        let document = "api_specification: '{openapi: 3.0.3, info: {title: t, version: v}, paths: {}}'";
        check(&format!("{{{document}, min_delay_time: 1, max_delay_time: 1}}"), &[]);
        check(
            &format!("{{{document}, min_delay_time: 2, max_delay_time: 1}}"),
            &["config.min_delay_time: should not be greater than max_delay_time"],
        );
    }

    #[test]
    fn a_latency_has_the_numbers_of_its_distribution() {
        let document = "api_specification: '{openapi: 3.0.3, info: {title: t, version: v}, paths: {}}'";
        for (latency, expected) in [
            ("{distribution: fixed, milliseconds: 5}", None),
            ("{distribution: uniform, min: 5, max: 5}", None),
            ("{distribution: lognormal, median: 5, p99: 50}", None),
            ("{min: 1}", Some("it needs a 'distribution'")),
            ("{distribution: fixed}", Some("the distribution 'fixed' needs 'milliseconds'")),
            ("{distribution: uniform, min: 1}", Some("the distribution 'uniform' needs 'max'")),
            ("{distribution: uniform, min: 2, max: 1}", Some("'min' should not be greater than 'max'")),
            (
                "{distribution: lognormal, median: 0, p99: 5}",
                Some("'median' should be above 0 and not greater than 'p99'"),
            ),
            (
                "{distribution: fixed, milliseconds: 5}, random_delay: true",
                Some("only one of 'latency' and 'random_delay' may be used"),
            ),
        ] {
            let expected = expected.map(|message| format!("config.latency: {message}"));
            let expected: Vec<_> = expected.iter().map(String::as_str).collect();
            check(&format!("{{{document}, latency: {latency}}}"), &expected);
        }
    }
}
