//! Plugin `jwt`: headers for the service, and new keys after a reload.

use crate::{gateway::Setup, upstream::Upstream};

const RSA: &str = include_str!("../../src/plugin/jwt/fixtures/rsa.pem");
const TOKENS: &str = include_str!("../../src/plugin/jwt/fixtures/tokens.txt");

/// The recorded token of an algorithm; its `iss` is the name of the algorithm.
#[track_caller]
fn token(algorithm: &str) -> &'static str {
    let named = TOKENS.lines().filter_map(|line| line.split_once(' '));
    named.into_iter().find(|(name, _)| *name == algorithm).unwrap().1
}

fn config(upstream: &str, keys: &str) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: a
  url: http://{upstream}
  routes:
  - paths: [/]
    plugins:
    - name: jwt
    - name: acl
      config: {{allow: [staff]}}
consumers:
- username: alice
  custom_id: c-1
  acls: [{{group: staff}}]
  jwt_secrets:
{keys}"
    )
}

/// An entry of `jwt_secrets`.
fn key(name: &str, algorithm: &str, pem: &str) -> String {
    let pem = pem.trim_end().replace('\n', "\n      ");
    format!("  - key: {name}\n    algorithm: {algorithm}\n    rsa_public_key: |\n      {pem}\n")
}

#[test]
fn the_service_receives_the_claims_of_the_token() {
    let upstream = Upstream::start();
    let address = upstream.address.to_string();
    let gateway = Setup::with(&config(&address, &key("RS256", "RS256", RSA))).run();
    let rs256 = format!("Bearer {}", token("RS256"));
    let seen = gateway.ask("GET", "/", &[("authorization", &rs256), ("x-consumer-id", "forged")]).json();
    let consumer = gateway.admin("GET", "/consumers/alice").json()["id"].clone();
    for (name, expected) in [
        ("x-consumer-id", consumer.as_str().unwrap()),
        ("x-consumer-username", "alice"),
        ("x-consumer-custom-id", "c-1"),
        ("x-credential-identifier", "RS256"),
        ("x-consumer-groups", "staff"),
        ("authorization", &rs256),
    ] {
        assert_eq!(seen["headers"][name], expected, "{name} {seen}");
    }
    let ps256 = format!("Bearer {}", token("PS256"));
    let refused = gateway.ask("GET", "/", &[("authorization", &ps256)]);
    refused.assert_response(401, "{\"message\":\"No credentials found for given 'iss'\"}");
    assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    // A new version with another key: no plugin changed, but the old key is invalid at once.
    gateway.folder.write("kong.yaml", config(&address, &key("PS256", "PS256", RSA)));
    gateway.wait_for_log("1 consumer changed (alice)");
    assert_eq!(gateway.ask("GET", "/", &[("authorization", &ps256)]).status, 200);
    assert_eq!(gateway.ask("GET", "/", &[("authorization", &rs256)]).status, 401);
}

#[test]
fn an_unreadable_key_is_reported_at_its_line() {
    let check = |keys: &str| Setup::with(&config("127.0.0.1:9", keys)).call(&["check", "kong.yaml"]);
    let refused = check(&key("a", "RS256", "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----"));
    refused.is_refusal("invalid key: it is no SubjectPublicKeyInfo");
    check(&key("a", "ES256", RSA)).is_refusal("invalid key: it is one of RSA, and ES256 needs one of P-256");
    let noted = check("  - key: a\n    algorithm: ES256\n");
    assert_eq!(noted.code, Some(0), "{noted:?}");
    assert!(noted.stderr.contains("there is no public key to verify ES256 with"), "{noted:?}");
}
