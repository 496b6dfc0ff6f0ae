//! Consumers: access, headers for the service, and plugins of a consumer.

use crate::{
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

fn config(upstream: &str, keys: &str) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: a
  url: http://{upstream}
  routes:
  - name: closed
    paths: [/closed]
    plugins:
    - name: key-auth
      config: {{hide_credentials: true}}
    - name: acl
      config: {{allow: [staff]}}
    - name: response-transformer
      config: {{add: {{headers: ['x-for:everyone']}}}}
  - name: password
    paths: [/password]
    plugins:
    - name: basic-auth
  - name: open
    paths: [/open]
consumers:
- username: alice
  custom_id: c-1
  keyauth_credentials: {keys}
  acls: [{{group: staff}}, {{group: admins}}]
  basicauth_credentials: [{{username: al, password: open-sesame}}]
  plugins:
  - name: response-transformer
    config: {{add: {{headers: ['x-for:alice']}}}}
  - name: request-termination
    enabled: false
- username: bob
  keyauth_credentials: [{{key: bob-key}}]
- username: carol
  keyauth_credentials: [{{key: carol-key}}]
  acls: [{{group: staff}}]
plugins:
- name: request-termination
  consumer: carol
  route: closed
  config: {{status_code: 418, message: not today}}
"
    )
}

fn gateway(upstream: &Upstream) -> Gateway {
    Setup::with(&config(&upstream.address.to_string(), "[{key: alice-key}]")).run()
}

#[test]
fn the_service_receives_the_consumer_in_headers() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream);
    let seen = gateway.ask("GET", "/closed?apikey=alice-key&a=b", &[("x-consumer-id", "forged")]).json();
    let credential = gateway.admin("GET", "/consumers/alice/key-auth").json()["data"][0]["id"].clone();
    let consumer = gateway.admin("GET", "/consumers/alice").json()["id"].clone();
    for (name, expected) in [
        ("x-consumer-id", consumer.as_str().unwrap()),
        ("x-consumer-username", "alice"),
        ("x-consumer-custom-id", "c-1"),
        ("x-credential-identifier", credential.as_str().unwrap()),
        ("x-consumer-groups", "staff, admins"),
    ] {
        assert_eq!(seen["headers"][name], expected, "{name} {seen}");
    }
    assert_eq!(seen["target"], "/?a=b", "{seen}");
}

#[test]
fn requests_without_a_valid_key_or_group_are_refused() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream);
    let answer = gateway.get("/closed");
    answer.assert_message(401, "No API key found in request");
    assert_eq!(answer.header("www-authenticate"), "Key");
    // A plugin that responds takes part in the header filters, even without a consumer.
    assert_eq!(answer.header("x-for"), "everyone");
    gateway.ask("GET", "/closed", &[("apikey", "wrong")]).assert_message(401, "Unauthorized");
    gateway
        .ask("GET", "/closed", &[("apikey", "bob-key")])
        .assert_message(403, "You cannot consume this service");
    let answer = gateway.ask("GET", "/password", &[("authorization", "Basic YWw6d3Jvbmc=")]);
    answer.assert_message(401, "Unauthorized");
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"service\"");
    assert_eq!(upstream.seen().requests, 0);
    let basic = [("authorization", "Basic YWw6b3Blbi1zZXNhbWU=")];
    assert_eq!(gateway.ask("GET", "/password", &basic).json()["headers"]["x-credential-identifier"], "al");
}

#[test]
fn consumers_get_plugins_of_their_own() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream);
    let alice = gateway.ask("GET", "/closed", &[("apikey", "alice-key")]);
    assert_eq!((alice.status, alice.header("x-for")), (200, "alice"));
    let carol = gateway.ask("GET", "/closed", &[("apikey", "carol-key")]);
    carol.assert_response(418, "{\"message\":\"not today\"}");
    assert_eq!(carol.header("x-for"), "everyone");
    // Without an authenticating plugin there is no consumer.
    let open = gateway.ask("GET", "/open", &[("apikey", "alice-key")]);
    assert_eq!((open.status, open.header("x-for")), (200, ""));
}

#[test]
fn a_reload_changes_keys_even_if_no_plugin_changed() {
    let upstream = Upstream::start();
    let address = upstream.address.to_string();
    let gateway = gateway(&upstream);
    assert_eq!(gateway.ask("GET", "/closed", &[("apikey", "alice-key")]).status, 200);
    gateway.folder.write("kong.yaml", config(&address, "[{key: new-key}]"));
    gateway.wait_for_log("1 consumer changed (alice)");
    assert_eq!(gateway.ask("GET", "/closed", &[("apikey", "alice-key")]).status, 401);
    assert_eq!(gateway.ask("GET", "/closed", &[("apikey", "new-key")]).status, 200);
    // An error next to a secret is explained without the secret.
    gateway.folder.write("kong.yaml", config(&address, "[{key: 31337}]"));
    gateway.wait_for_log("expected a string");
    let log = gateway.log();
    for secret in ["31337", "new-key", "alice-key", "open-sesame"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn the_admin_api_lists_consumers_and_credentials() {
    let gateway = gateway(&Upstream::start());
    let count = |path: &str| gateway.admin("GET", path).json()["data"].as_array().unwrap().len();
    for (path, expected) in [
        ("/consumers", 3),
        ("/key-auths", 3),
        ("/basic-auths", 1),
        ("/acls", 3),
        ("/consumers/alice/acls", 2),
        ("/consumers/alice/plugins", 2),
        ("/consumers/bob/acls", 0),
    ] {
        assert_eq!(count(path), expected, "{path}");
    }
    assert_eq!(gateway.admin("GET", "/key-auths/bob-key").json()["key"], "bob-key");
    assert!(!gateway.admin("GET", "/basic-auths").text().contains("open-sesame"));
    assert_eq!(gateway.admin("GET", "/consumers/nobody").status, 404);
    assert_eq!(gateway.admin("DELETE", "/consumers/bob").status, 204);
    assert!(count("/key-auths") < 3, "credentials are removed with their consumer");
}

#[test]
fn scope_and_anonymous_consumer_of_authenticating_plugins_are_checked() {
    let text = "\
_format_version: \"3.0\"
consumers:
- username: a
  plugins: [{name: key-auth}]
";
    Setup::with(text).call(&["check", "kong.yaml"]).is_refusal("value must be null");
    let text =
        "_format_version: \"3.0\"\nplugins:\n- name: basic-auth\n  config: {anonymous: nobody, realm: 1}\n";
    Setup::with(text).call(&["check", "kong.yaml"]).is_refusal("expected a string");
    let checked = Setup::with(&text.replace(", realm: 1", "")).call(&["check", "kong.yaml"]);
    assert!(checked.stderr.contains("no consumer has the id or username 'nobody'"), "{checked:?}");
}

#[test]
fn a_key_expires_after_its_ttl() {
    let upstream = Upstream::start();
    let keys = "[{key: alice-key, created_at: 1000000000, ttl: 60}, {key: young-key, ttl: 3600}, {key: lasting-key, ttl: 0}]";
    let gateway = Setup::with(&config(&upstream.address.to_string(), keys)).run();
    for (key, expected) in [("alice-key", 401), ("young-key", 200), ("lasting-key", 200)] {
        assert_eq!(gateway.ask("GET", "/closed", &[("apikey", key)]).status, expected, "{key}");
    }
}
