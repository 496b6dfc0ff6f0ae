//! Tests of limits, of the identification of clients, and of settings.

use super::*;
use crate::{plugin::test_support, reply};

/// 2026-01-15T12:00:15Z.
const NOON: u64 = 1_768_478_415;

/// Counts a request locally.
#[track_caller]
fn decide(plugin: &RateLimiting, exchange: &Exchange, now: u64) -> LimitDecision {
    let CounterPolicy::Local(counters) = &plugin.counting else { panic!("the policy is not local") };
    plugin.decision(&counters.count(plugin.identifier(exchange), &plugin.limits, now).unwrap(), now)
}

/// One line per request that comes so many seconds after [`NOON`]: remaining of each limit | limit, remaining and
/// reset of the tightest | seconds to wait if it was rejected.
#[track_caller]
fn check(config: &str, requests: &[(u64, &str, &str)]) {
    let setup = test_support::config(&DEF, config);
    let plugin = RateLimiting::new(&setup.setup()).unwrap();
    for (n, (seconds, request, expected)) in requests.iter().enumerate() {
        let decision = decide(&plugin, &test_support::request(request), NOON + seconds);
        let mut headers = HeaderMap::new();
        plugin.write_headers(&decision, &mut headers);
        let value = |name: &HeaderName| headers[name].to_str().unwrap().to_owned();
        let remaining: Vec<String> = plugin.headers.iter().map(|(_, name)| value(name)).collect();
        let tightest = [&LIMIT, &REMAINING, &RESET].map(value).join("/");
        let retry = headers.get(RETRY_AFTER).map_or("-", |value| value.to_str().unwrap());
        assert_eq!(format!("{} | {tightest} | {retry}", remaining.join("/")), *expected, "request {}", n + 1);
    }
}

#[test]
fn three_a_minute_and_ten_an_hour() {
    check(
        "{minute: 3, hour: 10, limit_by: ip}",
        &[
            (0, "GET /", "2/9 | 3/2/45 | -"),
            (0, "GET /", "1/8 | 3/1/45 | -"),
            (0, "GET /", "0/7 | 3/0/45 | -"),
            (0, "GET /", "0/7 | 3/0/45 | 45"),
            (45, "GET /", "2/6 | 3/2/60 | -"),
            (46, "GET /", "1/5 | 3/1/59 | -"),
            (46, "GET /", "0/4 | 3/0/59 | -"),
            (105, "GET /", "2/3 | 3/2/60 | -"),
            (105, "GET /", "1/2 | 3/1/60 | -"),
            (105, "GET /", "0/1 | 3/0/60 | -"),
            (165, "GET /", "2/0 | 10/0/3420 | -"),
            (165, "GET /", "2/0 | 10/0/3420 | 3420"),
        ],
    );
}

#[test]
fn of_equal_limits_the_longer_period_is_reported() {
    check("{second: 1, day: 1}", &[(0, "GET /", "0/0 | 1/0/43185 | -")]);
}

#[test]
fn clients_are_distinguished() {
    let header = "{minute: 1, limit_by: header, header_name: X-Key}";
    let (first, again) = ("0 | 1/0/45 | -", "0 | 1/0/45 | 45");
    check(
        header,
        &[(0, "GET /\nx-key: a", first), (0, "GET /\nx-key: b", first), (0, "GET /\nx-key: a", again)],
    );
    check(header, &[(0, "GET /", first), (0, "GET /\nx-key: a", first), (0, "GET /", again)]);
    let path = "{minute: 1, limit_by: path, path: /a}";
    check(path, &[(0, "GET /a", first), (0, "GET /b", first), (0, "GET /c", again)]);
}

#[test]
fn a_refusal_has_an_error_body_and_headers() {
    let plugin = test_support::plugin(&DEF, "{year: 1, error_code: 420, error_message: slow}");
    assert!(test_support::access(&*plugin, &mut test_support::request("GET /")).is_none());
    let mut exchange = test_support::request("GET /");
    let mut response = test_support::access(&*plugin, &mut exchange).unwrap();
    plugin.header_filter(&mut exchange, &mut response);
    assert_eq!(response.status(), 420);
    assert_eq!(response.headers()["x-ratelimit-remaining-year"], "0");
    assert!(response.headers().contains_key(RETRY_AFTER));
    let body = test_support::json(&test_support::text(response.into_body()));
    assert_eq!(body.get("message"), Some(&Value::from("slow")));
}

#[test]
fn headers_may_be_hidden() {
    let plugin = test_support::plugin(&DEF, "{year: 1, hide_client_headers: true}");
    let mut exchange = test_support::request("GET /");
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    let mut response = reply::empty(StatusCode::OK);
    plugin.header_filter(&mut exchange, &mut response);
    assert_eq!(response.headers().len(), 0);
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        (
            "{}",
            "config: at least one of these fields must be non-empty: 'config.second', 'config.minute', \
             'config.hour', 'config.day', 'config.month', 'config.year'",
        ),
        ("{minute: 0}", "config.minute: value must be greater than 0"),
        (
            "{second: 5, hour: 3}",
            "config: the limit for hour(3.0) cannot be lower than the limit for second(5.0)",
        ),
        ("{second: 5, limit_by: header}", "config.header_name: required field missing"),
        ("{second: 5, limit_by: path}", "config.path: required field missing"),
        ("{second: 5, policy: redis}", "config.redis.host: required field missing"),
        (
            "{second: 5, policy: cluster}",
            "config.policy: policy 'cluster' needs a database, and there is none",
        ),
        (
            "{second: 5, limit_by: moon}",
            "config.limit_by: expected one of: consumer, credential, ip, service, header, path",
        ),
    ] {
        assert_eq!(test_support::diagnostics(&DEF, config), [expected], "{config}");
    }
}

#[test]
fn consumers_and_credentials_are_distinguished() {
    let decide = |config: &str, requests: &[(&str, Option<&str>)]| -> Vec<bool> {
        let setup = test_support::config(&DEF, config);
        let plugin = RateLimiting::new(&setup.setup()).unwrap();
        let each = requests.iter().map(|(address, key)| {
            let mut exchange = test_support::request("GET /");
            exchange.client = format!("{address}:1").parse().unwrap();
            exchange.identity = key.map(|key| test_support::consumers().find_by_key(key).unwrap().clone());
            decide(&plugin, &exchange, NOON).allowed
        });
        each.collect()
    };
    let (here, there) = ("192.0.2.1", "192.0.2.2");
    for by in ["consumer", "credential"] {
        let requests =
            [(here, Some("alice-key")), (there, Some("alice-key")), (here, Some("bob-key")), (here, None)];
        let config = format!("{{minute: 1, limit_by: {by}}}");
        assert_eq!(decide(&config, &requests), [true, false, true, true], "{by}");
    }
    assert_eq!(
        decide("{minute: 1, limit_by: ip}", &[(here, Some("alice-key")), (here, None)]),
        [true, false]
    );
}

#[test]
fn older_spellings_are_equivalent() {
    for (config, expected) in [
        ("redis_host: r", "r 6379 r 6379"),
        ("redis: {host: r, port: 1}", "r 1 r 1"),
        ("redis: {host: new}, redis_host: old, redis_port: 2", "new 2 new 2"),
        ("policy: local", "null 6379 null 6379"),
    ] {
        let setup = test_support::config(&DEF, &format!("{{minute: 1, {config}}}"));
        let config_value = setup.setup().config;
        let redis = config_value.get("redis").unwrap();
        let values = [
            redis.get("host"),
            redis.get("port"),
            config_value.get("redis_host"),
            config_value.get("redis_port"),
        ];
        let values = values.map(|value| value.unwrap().to_json().replace('"', "")).join(" ");
        assert_eq!(values, expected, "{config}");
    }
}

#[test]
fn requests_without_memory_for_a_counter_are_allowed_or_rejected() {
    for (config, status) in [("", None), (", fault_tolerant: false", Some(500))] {
        let mut setup =
            test_support::config(&DEF, &format!("{{year: 1, limit_by: header, header_name: X-Key{config}}}"));
        setup.resources.counters = crate::budget::MemoryBudget::new(0);
        let plugin = RateLimiting::new(&setup.setup()).unwrap();
        let answers: Vec<Option<u16>> = (0..10_000)
            .map(|n| {
                let mut exchange = test_support::request(&format!("GET /\nX-Key: {n}"));
                test_support::access(&plugin, &mut exchange).map(|response| response.status().as_u16())
            })
            .collect();
        assert_eq!(answers[0], None, "there is memory for the first clients");
        assert_eq!(answers.last(), Some(&status));
    }
}

#[test]
fn networks_of_ipv6_may_count_as_one_client() {
    for (prefix, client, other, same) in [
        (128, "2001:db8::1", "2001:db8::2", false),
        (64, "2001:db8::1", "2001:db8::ffff:0:0:1", true),
        (64, "2001:db8::1", "2001:db8:0:1::1", false),
        (56, "2001:db8::1", "2001:db8:0:1::1", true),
        (64, "192.0.2.1", "192.0.2.2", false),
        (1, "2001:db8::1", "3001::1", true),
    ] {
        let mut setup = test_support::config(&DEF, "{minute: 1, limit_by: ip}");
        setup.resources.ipv6_prefix = prefix;
        let plugin = RateLimiting::new(&setup.setup()).unwrap();
        let is_allowed = |address: &str| {
            let mut exchange = test_support::request("GET /");
            exchange.client = std::net::SocketAddr::new(address.parse().unwrap(), 1);
            decide(&plugin, &exchange, NOON).allowed
        };
        assert!(is_allowed(client));
        assert_eq!(!is_allowed(other), same, "/{prefix} {client} {other}");
    }
}
