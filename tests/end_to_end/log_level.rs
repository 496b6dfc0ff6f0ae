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
fn a_level_holds_until_it_is_changed_or_its_timeout_expires() {
    let gateway = Setup::with(CONFIG).env("KONG_LOG_LEVEL", "error").run();
    let level = |gateway: &Gateway| gateway.admin("GET", "/debug/node/log-level").json()["message"].clone();
    assert_eq!(level(&gateway), "log level: error");
    assert_eq!(gateway.admin_form("PATCH", "/consumers/bob", "custom_id=1").status, 200);
    put(&gateway, "/debug/node/log-level/info?timeout=0").assert_message(200, "log level changed");
    put(&gateway, "/debug/node/log-level/info").assert_message(200, "log level is already info");
    gateway.wait_for_log("log level set to info");
    assert!(!gateway.log().contains("made a write"), "{}", gateway.log());
    assert_eq!(gateway.admin_form("PATCH", "/consumers/bob", "custom_id=2").status, 200);
    gateway.wait_for_log("the Admin API made a write");
    put(&gateway, "/debug/node/log-level/debug?timeout=1").assert_message(200, "log level changed");
    // Back to the level at the start, not to the previous one.
    eventually("the time is over", || (level(&gateway) == "log level: error").then_some(()));
}

#[test]
fn an_invalid_level_has_no_effect() {
    let gateway = Setup::with(CONFIG).run();
    put(&gateway, "/debug/node/log-level/foo").assert_message(400, "unknown log level: foo");
    put(&gateway, "/debug/node/log-level/debug?timeout=soon")
        .assert_message(400, "timeout must be a whole number of seconds, from 0");
    let nowhere = "cannot change log level when not using a database";
    put(&gateway, "/debug/cluster/log-level/debug").assert_message(405, nowhere);
    gateway.admin("GET", "/debug/node/log-level").assert_message(200, "log level: notice");
    let gateway = Setup::with(CONFIG).env("KONG_ADMIN_WRITES", "off").run();
    put(&gateway, "/debug/node/log-level/debug").assert_message(405, nowhere);
}
