//! Log level: changed through the Admin API while the process runs.

use crate::{
    client::{Answer, Client},
    eventually,
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "_format_version: \"3.0\"\nconsumers:\n- username: bob\n";

#[track_caller]
fn put(gateway: &Gateway, path: &str) -> Answer {
    Client::fresh().send("PUT", &gateway.admin_url(path), &[], Some(b"")).unwrap()
}

#[test]
fn a_level_holds_until_it_is_changed_or_its_time_is_over() {
    let gateway = Setup::with(CONFIG).env("KONG_LOG_LEVEL", "error").run();
    let level = |gateway: &Gateway| gateway.admin("GET", "/debug/node/log-level").json()["message"].clone();
    assert_eq!(level(&gateway), "log level: error");
    assert_eq!(gateway.admin_form("PATCH", "/consumers/bob", "custom_id=1").status, 200);
    put(&gateway, "/debug/node/log-level/info?timeout=0").says(200, "log level changed");
    put(&gateway, "/debug/node/log-level/info").says(200, "log level is already info");
    gateway.logs("log level set to info");
    assert!(!gateway.log().contains("made a write"), "{}", gateway.log());
    assert_eq!(gateway.admin_form("PATCH", "/consumers/bob", "custom_id=2").status, 200);
    gateway.logs("the Admin API made a write");
    put(&gateway, "/debug/node/log-level/debug?timeout=1").says(200, "log level changed");
    // What it was started with, and not what it was before.
    eventually("the time is over", || (level(&gateway) == "log level: error").then_some(()));
}

#[test]
fn an_invalid_level_has_no_effect() {
    let gateway = Setup::with(CONFIG).run();
    put(&gateway, "/debug/node/log-level/foo").says(400, "unknown log level: foo");
    put(&gateway, "/debug/node/log-level/debug?timeout=soon")
        .says(400, "timeout must be a whole number of seconds, from 0");
    let nowhere = "cannot change log level when not using a database";
    put(&gateway, "/debug/cluster/log-level/debug").says(405, nowhere);
    gateway.admin("GET", "/debug/node/log-level").says(200, "log level: notice");
    let gateway = Setup::with(CONFIG).env("KONG_ADMIN_WRITES", "off").run();
    put(&gateway, "/debug/node/log-level/debug").says(405, nowhere);
}
