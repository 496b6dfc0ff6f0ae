//! Settings of `proxy-cache`.

use std::time::Duration;

use http::{HeaderName, Method};

use super::media_type::ParsedMediaType;
use crate::{
    document::Value,
    plugin::{
        PluginSetup, setting_checks,
        setting_values::{boolean, integer, strings},
    },
    schema::{Field, FieldKind, FieldRule},
};

const CODES: FieldKind =
    FieldKind::Array(&Field::item(FieldKind::Integer).rules(&[FieldRule::Between(100.0, 900.0)]));
const METHODS: FieldKind = FieldKind::Array(
    &Field::item(FieldKind::String).rules(&[FieldRule::OneOf(&["HEAD", "GET", "POST", "PATCH", "PUT"])]),
);

const AGE: &str = "age";
const STATUS: &str = "X-Cache-Status";
const KEY: &str = "X-Cache-Key";

/// The settings.
pub(super) const FIELDS: &[Field] = &[
    Field::new("response_code", CODES)
        .describe("statuses of responses that are stored")
        .required()
        .default("[200, 301, 404]")
        .rules(&[FieldRule::NotEmpty]),
    Field::new("request_method", METHODS)
        .describe("methods of requests that are answered from the cache")
        .required()
        .default("[\"GET\", \"HEAD\"]"),
    Field::new("content_type", setting_checks::STRINGS)
        .describe("media types of responses that are stored, with all their parameters")
        .required()
        .default("[\"text/plain\", \"application/json\"]"),
    Field::new("cache_ttl", FieldKind::Integer)
        .describe("seconds for which a response is fresh")
        .default("300")
        .rules(&[FieldRule::Above(0.0)]),
    Field::new("strategy", FieldKind::String)
        .describe("where responses are stored")
        .required()
        .rules(&[FieldRule::OneOf(&["memory"])]),
    Field::new("cache_control", FieldKind::Boolean)
        .describe("whether Cache-Control of requests and responses counts")
        .required()
        .default("false"),
    Field::new("ignore_uri_case", FieldKind::Boolean)
        .describe("whether letter case in paths does not count")
        .default("false"),
    Field::new("storage_ttl", FieldKind::Integer).describe("seconds for which a response is stored"),
    Field::new(
        "memory",
        FieldKind::Record(&[Field::new("dictionary_name", FieldKind::String)
            .describe("the name of the storage; Kong needs it")
            .required()
            .default("\"kong_db_cache\"")]),
    )
    .describe("the storage in memory"),
    Field::new("vary_query_params", setting_checks::STRINGS)
        .describe("query parameters that responses depend on; all if there are none"),
    Field::new("vary_headers", setting_checks::STRINGS)
        .describe("header fields of requests that responses depend on"),
    Field::new(
        "response_headers",
        FieldKind::Record(&[
            Field::new(AGE, FieldKind::Boolean).describe("whether `Age` is sent").default("true"),
            Field::new(STATUS, FieldKind::Boolean)
                .describe("whether `X-Cache-Status` is sent")
                .default("true"),
            Field::new(KEY, FieldKind::Boolean).describe("whether `X-Cache-Key` is sent").default("true"),
        ]),
    )
    .describe("fields that responses from the cache have"),
];

/// What is cached, and for how long.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting")]
pub(super) struct CachePolicy {
    pub(super) codes: Vec<u16>,
    pub(super) methods: Vec<Method>,
    pub(super) media_types: Vec<ParsedMediaType>,
    /// Time for which a response is fresh, unless its Cache-Control counts.
    pub(super) ttl: Duration,
    /// Time for which a response is stored; `None` for the time for which it is fresh.
    pub(super) storage_ttl: Option<Duration>,
    pub(super) cache_control: bool,
    pub(super) ignore_uri_case: bool,
    pub(super) vary_query_params: Vec<String>,
    pub(super) vary_headers: Vec<HeaderName>,
    pub(super) shows_age: bool,
    pub(super) shows_status: bool,
    pub(super) shows_key: bool,
}

/// A storage time without an end.
const FOREVER: Duration = Duration::from_hours(876_000);

impl CachePolicy {
    pub(super) fn new(setup: &PluginSetup<'_>) -> Self {
        let config = setup.config;
        let codes = config.get("response_code").map(Value::items).unwrap_or_default();
        let shown = config.get("response_headers").cloned().unwrap_or_default();
        Self {
            codes: codes.iter().filter_map(|code| u16::try_from(code.as_i64()?).ok()).collect(),
            methods: strings(config, "request_method").filter_map(|(_, name)| name.parse().ok()).collect(),
            media_types: strings(config, "content_type")
                .filter_map(|(_, text)| ParsedMediaType::parse(text))
                .collect(),
            ttl: Duration::from_secs(integer(config, "cache_ttl").unwrap_or(300).unsigned_abs()),
            storage_ttl: integer(config, "storage_ttl").map(|seconds| match u64::try_from(seconds) {
                Ok(0) => FOREVER,
                Ok(seconds) => Duration::from_secs(seconds).min(FOREVER),
                Err(_) => Duration::ZERO,
            }),
            cache_control: boolean(config, "cache_control"),
            ignore_uri_case: boolean(config, "ignore_uri_case"),
            vary_query_params: strings(config, "vary_query_params")
                .map(|(_, name)| name.to_owned())
                .collect(),
            vary_headers: strings(config, "vary_headers").filter_map(|(_, name)| name.parse().ok()).collect(),
            shows_age: boolean(&shown, AGE),
            shows_status: boolean(&shown, STATUS),
            shows_key: boolean(&shown, KEY),
        }
    }
}
