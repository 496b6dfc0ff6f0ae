//! Tests of the settings of queues and of the bodies of batches.

use super::*;
use crate::plugin::{delivery, test_support};

fn queue(config: &str) -> delivery::QueueSettings {
    let checked = test_support::config(&DEF, config);
    settings::queue(checked.setup().config, &checked.setup())
}

#[test]
fn a_vault_reference_need_not_be_a_url() {
    test_support::config(
        &DEF,
        "{http_endpoint: '{vault://env/endpoint}', headers: {x-key: '{vault://env/key}'}}",
    );
    let diagnostics = test_support::diagnostics(&DEF, "{http_endpoint: 'ftp://x'}");
    assert_eq!(diagnostics, ["config.http_endpoint: its scheme is neither http nor https"]);
}

#[test]
fn settings_of_the_queue_are_read() {
    let usual = delivery::QueueSettings {
        max_batch_size: 1,
        batch_delay: Duration::from_secs(1),
        max_entries: 10_000,
        max_bytes: usize::MAX,
        max_retry_time: Duration::from_mins(1),
        initial_retry_delay: Duration::from_millis(10),
        max_retry_delay: Duration::from_mins(1),
        concurrent: false,
    };
    let endpoint = |rest: &str| format!("{{http_endpoint: 'http://logs/', {rest}}}");
    assert_eq!(queue(&endpoint("")), usual);
    let settings = "queue: {max_batch_size: 5, max_coalescing_delay: 0.5, max_entries: 9, max_bytes: 1000, \
                max_retry_time: 7, initial_retry_delay: 0.1, max_retry_delay: 3, concurrency_limit: -1}";
    let expected = delivery::QueueSettings {
        max_batch_size: 5,
        batch_delay: Duration::from_millis(500),
        max_entries: 9,
        max_bytes: 1000,
        max_retry_time: Duration::from_secs(7),
        initial_retry_delay: Duration::from_millis(100),
        max_retry_delay: Duration::from_secs(3),
        concurrent: true,
    };
    assert_eq!(queue(&endpoint(settings)), expected);
    let old = "queue_size: 4, flush_timeout: 2, retry_count: 10";
    assert_eq!(
        queue(&endpoint(old)),
        delivery::QueueSettings { max_batch_size: 4, batch_delay: Duration::from_secs(2), ..usual }
    );
    assert_eq!(queue(&endpoint("flush_timeout: 2")), usual, "one entry waits for no other");
}

#[test]
fn several_entries_are_a_list() {
    let body = |single: bool, batch: &[&'static str]| {
        let server = LogServer {
            name: String::new(),
            origin: UpstreamOrigin::http("logs", 80),
            target: "/".to_owned(),
            method: Method::POST,
            fields: HeaderMap::new(),
            limits: UpstreamTimeouts::default(),
            pool: ConnectionPool::new(PoolSettings::default()),
            sends_single_entries: single,
        };
        let batch: Vec<Bytes> = batch.iter().map(|entry| Bytes::from_static(entry.as_bytes())).collect();
        String::from_utf8(server.body(&batch).to_vec()).unwrap()
    };
    assert_eq!(body(true, &["{\"a\":1}"]), "{\"a\":1}");
    assert_eq!(body(false, &["{\"a\":1}"]), "[{\"a\":1}]");
    assert_eq!(body(false, &["{}", "{\"b\":2}"]), "[{},{\"b\":2}]");
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        ("{}", "config.http_endpoint: required field missing"),
        ("{http_endpoint: logs}", "config.http_endpoint: missing host in url"),
        ("{http_endpoint: 'http://a/', method: GET}", "config.method: expected one of: POST, PUT, PATCH"),
        (
            "{http_endpoint: 'http://a/', queue: {max_batch_size: 0}}",
            "config.queue.max_batch_size: value should be between 1 and 1000000",
        ),
        (
            "{http_endpoint: 'http://a/', headers: {a b: c}}",
            "config.headers.a b: this cannot be the name or the value of a header",
        ),
        (
            "{http_endpoint: 'http://a/', custom_fields_by_lua: {a: retrun 1}}",
            if cfg!(feature = "lua") {
                "config.custom_fields_by_lua.a » : invalid Lua in line 1: '=' expected near '1'"
            } else {
                "config.custom_fields_by_lua: this build has no Lua, so nothing can make these fields"
            },
        ),
    ] {
        let found = test_support::diagnostics(&DEF, config);
        assert_eq!(
            found.iter().map(|text| text.replace('"', "")).collect::<Vec<_>>(),
            [expected],
            "{config}"
        );
    }
    assert!(
        test_support::diagnostics(&DEF, "{http_endpoint: 'http://a/', custom_fields_by_lua: {}}").is_empty()
    );
}
