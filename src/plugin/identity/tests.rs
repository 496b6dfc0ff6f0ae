//! Tests of authentication and access control: headers for the upstream, and refusals.

use crate::plugin::{Exchange, HttpResponse, acl, basic_auth, find, key_auth, test_support};

const FIELDS: [&str; 6] = [
    "x-consumer-id",
    "x-consumer-custom-id",
    "x-consumer-username",
    "x-credential-identifier",
    "x-anonymous-consumer",
    "x-consumer-groups",
];

/// Runs plugins with their settings in this order. Returns the refusal, and the request afterwards.
#[track_caller]
fn run(plugins: &[(&str, &str)], request: &str) -> (Option<HttpResponse>, Exchange) {
    let mut exchange = test_support::request(request);
    exchange.matched = Some(test_support::matched());
    for (name, config) in plugins {
        let plugin = test_support::plugin(find(name).unwrap(), config);
        let answer = test_support::access(&*plugin, &mut exchange);
        if answer.is_some() {
            return (answer, exchange);
        }
    }
    (None, exchange)
}

/// Checks the result of a request: status, message and challenge of a refusal, or the headers for the upstream.
#[track_caller]
fn check(plugins: &[(&str, &str)], request: &str, expected: &str) {
    let (answer, exchange) = run(plugins, request);
    let outcome = if let Some(response) = answer {
        let status = response.status().as_u16();
        let challenge =
            response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let body = test_support::json(&test_support::text(response.into_body()));
        let message = body.get("message").unwrap().as_str().unwrap().to_owned();
        format!("{status} {message} | {}", challenge.unwrap_or_else(|| "-".to_owned()))
    } else {
        let value = |name: &'static str| {
            let field = exchange.upstream_field(&http::HeaderName::from_static(name));
            field.map_or("-", |value| value.to_str().unwrap())
        };
        FIELDS.map(value).join(" ")
    };
    assert_eq!(outcome, expected, "{plugins:?} {request}");
}

const ALICE: &str = "a1 c-1 alice k1 - -";
const BOB: &str = "b1 - bob k2 - -";
const GUEST: &str = "g1 - guest - true -";
const NOTHING: &str = "- - - - - -";

#[test]
fn a_key_is_found_wherever_it_may_be() {
    let key = |config: &str, request: &str, expected: &str| check(&[("key-auth", config)], request, expected);
    let missing = "401 No API key found in request | Key";
    let duplicate = "401 Duplicate API key found | Key";
    let json = "content-type: application/json; charset=utf-8";
    let form = "content-type: application/x-www-form-urlencoded";
    key("{}", "GET /\napikey: alice-key", ALICE);
    key("{}", "GET /\nAPIKEY: bob-key", BOB);
    key("{}", "GET /?a=1&apikey=alice-key", ALICE);
    key("{}", "GET /?apikey=alice%2Dkey", ALICE);
    key("{}", "GET /?APIKEY=alice-key", missing);
    key("{}", "GET /", missing);
    key("{}", "GET /?apikey", missing);
    key("{}", "GET /?apikey=", missing);
    key("{}", "GET /\napikey: nobodys", "401 Unauthorized | Key");
    key("{}", "GET /\napikey: alice-key\napikey: alice-key", duplicate);
    key("{}", "GET /?apikey=alice-key&apikey=bob-key", duplicate);
    key("{}", "GET /?apikey=bob-key\napikey: alice-key", ALICE);
    key("{key_in_header: false}", "GET /?apikey=bob-key\napikey: alice-key", BOB);
    key("{key_in_query: false}", "GET /?apikey=alice-key", missing);
    key("{key_names: [X-Key, other]}", "GET /\nother: alice-key", ALICE);
    key("{key_names: [X-Key, other]}", "GET /?X-Key=bob-key\nother: alice-key", BOB);
    key("{}", &format!("POST /\n{form}\n\napikey=alice-key"), missing);
    let body = "{key_in_body: true}";
    key(body, &format!("POST /\n{form}\n\na=b&apikey=alice-key"), ALICE);
    key(body, &format!("POST /\n{form}\n\napikey=alice-key&apikey=x"), duplicate);
    key(body, &format!("POST /\n{json}\n\n{{\"apikey\": \"alice-key\"}}"), ALICE);
    key(body, &format!("POST /\n{json}\n\n{{\"apikey\": [\"alice-key\"]}}"), duplicate);
    key(body, &format!("POST /\n{json}\n\n{{\"apikey\": 1}}"), missing);
    key(body, &format!("POST /\n{json}\n\n[\"apikey\"]"), missing);
    key(body, "POST /\ncontent-type: text/plain\n\napikey=alice-key", missing);
    key(body, &format!("POST /\n{form}\napikey: bob-key\n\napikey=alice-key"), BOB);
}

#[test]
fn realms_and_preflights() {
    let key = |config: &str, request: &str, expected: &str| check(&[("key-auth", config)], request, expected);
    key("{realm: shop}", "GET /", "401 No API key found in request | Key realm=\"shop\"");
    key("{}", "OPTIONS /", "401 No API key found in request | Key");
    key("{run_on_preflight: false}", "OPTIONS /", NOTHING);
    key("{run_on_preflight: false}", "GET /", "401 No API key found in request | Key");
    check(&[("basic-auth", "{realm: shop}")], "GET /", "401 Unauthorized | Basic realm=\"shop\"");
}

#[test]
fn a_password_authenticates() {
    let basic = |request, expected| check(&[("basic-auth", "{}")], request, expected);
    let alice = "a1 c-1 alice al - -";
    let refused = "401 Unauthorized | Basic realm=\"service\"";
    basic("GET /\nauthorization: Basic YWw6c2VzYW1l", alice);
    basic("GET /\nproxy-authorization: Basic YWw6c2VzYW1l", alice);
    basic("GET /\nauthorization: Basic YWw6c2VzYW1lIQ==", refused);
    basic("GET /\nauthorization: Basic Ym9iOnNlc2FtZQ==", refused);
    basic("GET /\nauthorization: Bearer YWw6c2VzYW1l", refused);
    basic("GET /", refused);
}

#[test]
fn requests_without_credentials_are_anonymous() {
    let key = |config: &str, request: &str, expected: &str| check(&[("key-auth", config)], request, expected);
    key("{anonymous: guest}", "GET /", GUEST);
    key("{anonymous: g1}", "GET /\napikey: nobodys", GUEST);
    key("{anonymous: guest}", "GET /\napikey: alice-key", ALICE);
    key("{anonymous: nobody}", "GET /", "500 An unexpected error occurred | -");
    let either = [("key-auth", "{anonymous: guest}"), ("basic-auth", "{anonymous: guest}")];
    check(&either, "GET /", GUEST);
    check(&either, "GET /\napikey: bob-key", BOB);
    check(&either, "GET /\nauthorization: Basic YWw6c2VzYW1l", "a1 c-1 alice al - -");
    let both = [("key-auth", "{}"), ("basic-auth", "{}")];
    check(&both, "GET /\napikey: bob-key", "401 Unauthorized | Basic realm=\"service\"");
    check(&both, "GET /\napikey: bob-key\nauthorization: Basic YWw6c2VzYW1l", "a1 c-1 alice al - -");
}

#[test]
fn clients_cannot_set_identity_headers() {
    let claims =
        "x-consumer-id: a1\nx-consumer-custom-id: c\nx-consumer-username: alice\nx-anonymous-consumer: true
x-credential-identifier: k1\nx-consumer-groups: admins";
    let chain = [("key-auth", "{}"), ("acl", "{deny: [admins]}")];
    check(&chain, &format!("GET /\napikey: bob-key\n{claims}"), BOB);
}

#[test]
fn groups_decide() {
    let acl = |config, request, expected| check(&[("key-auth", "{}"), ("acl", config)], request, expected);
    let (alice, bob) = ("GET /\napikey: alice-key", "GET /\napikey: bob-key");
    let in_groups = "a1 c-1 alice k1 - staff, admins";
    let refused = "403 You cannot consume this service | -";
    acl("{allow: [staff]}", alice, in_groups);
    acl("{allow: [staff], hide_groups_header: true}", alice, ALICE);
    acl("{allow: [other]}", alice, refused);
    acl("{allow: [staff]}", bob, refused);
    acl("{deny: [admins]}", alice, refused);
    acl("{deny: [other]}", alice, in_groups);
    acl("{deny: [admins]}", bob, BOB);
    check(&[("acl", "{allow: [staff]}")], "GET /", "401 Unauthorized | -");
    check(&[("acl", "{deny: [staff]}")], "GET /", "401 Unauthorized | -");
}

/// Checks a request whose credentials are hidden: target, headers and body.
#[track_caller]
fn hidden(plugin: &str, config: &str, request: &str, expected: &str) {
    let (answer, exchange) = run(&[(plugin, config)], request);
    assert!(answer.is_none(), "{request}");
    let headers = test_support::headers(&exchange.edited_fields());
    let headers: Vec<_> = headers.into_iter().filter(|header| !header.starts_with("x-")).collect();
    let query = exchange.upstream_query().map_or_else(String::new, |query| format!("?{query}"));
    let target = format!("{}{query}", exchange.head().path());
    let body = test_support::text(exchange.body);
    assert_eq!(format!("{target} {} {body}", headers.join("; ")).trim(), expected, "{request}");
}

#[test]
fn credentials_are_hidden() {
    let config = "{hide_credentials: true, key_in_body: true}";
    hidden("key-auth", "{}", "GET /a?apikey=bob-key", "/a?apikey=bob-key");
    hidden("key-auth", config, "GET /a?x=%20&apikey=bob-key&y", "/a?x=%20&y");
    hidden("key-auth", config, "GET /a?apikey=bob-key", "/a");
    hidden("key-auth", config, "GET /a\naccept: a/b\napikey: bob-key", "/a accept: a/b");
    let form = "POST /a\ncontent-type: application/x-www-form-urlencoded\n\nx=%20&apikey=bob-key";
    hidden(
        "key-auth",
        config,
        form,
        "/a content-type: application/x-www-form-urlencoded; content-length: 5 x=%20",
    );
    let json = "POST /a\ncontent-type: application/json\n\n{\"apikey\":\"bob-key\",\"n\":1.50}";
    hidden("key-auth", config, json, "/a content-type: application/json; content-length: 10 {\"n\":1.50}");
    let basic = "GET /a\nauthorization: Basic YWw6c2VzYW1l";
    hidden("basic-auth", "{}", basic, "/a authorization: Basic YWw6c2VzYW1l");
    hidden("basic-auth", "{hide_credentials: true}", basic, "/a");
}

#[test]
fn a_searched_body_is_unchanged() {
    let mut exchange = test_support::request("POST /\napikey: bob-key\ncontent-type: application/json");
    exchange.matched = Some(test_support::matched());
    exchange.body = test_support::pieces("{\"a\": [1, 2]}");
    let plugin = test_support::plugin(&key_auth::DEF, "{key_in_body: true}");
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    assert_eq!(exchange.edited_fields()["content-length"], "13");
    assert_eq!(test_support::text(exchange.body), "{\"a\": [1, 2]}");
}

#[test]
fn settings_are_checked() {
    for (def, config, expected) in [
        (
            &acl::DEF,
            "{allow: [a], deny: [b]}",
            "config: exactly one of these fields must be non-empty: 'config.allow', 'config.deny'",
        ),
        (&key_auth::DEF, "{key_names: []}", "config.key_names: length must be at least 1"),
        (
            &key_auth::DEF,
            "{key_names: [a b]}",
            "config.key_names[0]: bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'",
        ),
        (&basic_auth::DEF, "{anonymous: 1}", "config.anonymous: expected a string"),
    ] {
        assert_eq!(test_support::diagnostics(def, config), [expected], "{config}");
    }
    let lists = |which: &str| {
        format!("config: {which} one of these fields must be non-empty: 'config.allow', 'config.deny'")
    };
    assert_eq!(test_support::diagnostics(&acl::DEF, "{}"), [lists("exactly"), lists("at least")]);
}
