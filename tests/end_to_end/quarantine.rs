//! Quarantine: the rest of a configuration is served, and no request passes where an entity with errors would have guarded.

use serde_json::{Value, json};

use crate::{
    eventually,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

/// A request: its path, and header fields such as `apikey: k`.
type PathAndField<'a> = (&'a str, &'a str);

/// A request, and the expected status with a part of the body.
type QuarantineCase<'a> = (PathAndField<'a>, u16, &'a str);

const fn get(path: &str) -> PathAndField<'_> {
    (path, "")
}

/// Begins with this configuration, in which `URL` is the address of a service that answers.
fn setup(config: &str, upstream: &Upstream) -> Setup {
    let text = format!(
        "_format_version: \"3.0\"\n{}",
        config.replace("URL", &format!("http://{}", upstream.address))
    );
    Setup::with(&text).env("KONG_DECLARATIVE_CONFIG_ON_ERROR", "quarantine")
}

#[track_caller]
fn ask(gateway: &Gateway, case: &str, expected: &[QuarantineCase<'_>]) {
    for ((path, field), status, body) in expected {
        let headers: Vec<_> = field.split_once(": ").into_iter().collect();
        let answer = gateway.ask("GET", path, &headers);
        assert_eq!(answer.status, *status, "{case}: {path} {field}: {}\n{}", answer.text(), gateway.log());
        assert!(answer.text().contains(body), "{case}: {path}: {}", answer.text());
    }
}

const SERVICES: &str = "\
services:
- name: a
  url: URL
  routes: [{name: a1, paths: [/a1]}, {name: a2, paths: [/a2]}]
- name: b
  url: URL
  routes: [{name: b1, paths: [/b1]}]
consumers:
- username: bob
  keyauth_credentials: [{key: bob}]
- username: eve
  keyauth_credentials: [{key: eve}]
";

/// Plugins with errors, the requests, and the quarantined entity with the beginning of its effect.
#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn requests_that_an_invalid_plugin_would_have_guarded_are_refused() {
    let cases: &[(&str, &[QuarantineCase<'_>], &str)] = &[
        (
            "plugins: [{name: oauth2}]",
            &[(get("/a1"), 503, "oauth2"), (get("/b1"), 503, "oauth2"), (get("/x"), 404, "")],
            "requests of its scope",
        ),
        (
            "plugins: [{name: oauth2, service: a}]",
            &[(get("/a1"), 503, "oauth2"), (get("/a2"), 503, ""), (get("/b1"), 200, "")],
            "requests of its scope",
        ),
        (
            "plugins: [{name: my-own, route: a1}]",
            &[(get("/a1"), 503, "my-own"), (get("/a2"), 200, ""), (get("/b1"), 200, "")],
            "requests of its scope",
        ),
        (
            "plugins: [{name: key-auth}, {name: my-own, consumer: bob}]",
            &[
                (("/a1", "apikey: bob"), 503, "my-own"),
                (("/a1", "apikey: eve"), 200, ""),
                (get("/a1"), 401, ""),
            ],
            "requests of its scope",
        ),
        (
            "plugins: [{name: datadog}]",
            &[(get("/a1"), 200, ""), (get("/b1"), 200, "")],
            "it is left out: it only logs",
        ),
        (
            "plugins: [{name: http-log, config: {http_endpoint: 5}}]",
            &[(get("/a1"), 200, "")],
            "it is left out: it only logs",
        ),
        (
            "plugins: [{name: oauth2, enabled: false}]",
            &[(get("/a1"), 200, "")],
            "it is left out: it is not enabled",
        ),
        (
            "plugins: [{name: key-auth, config: {key_names: 5}, service: b}]",
            &[(get("/b1"), 503, "key-auth"), (get("/a1"), 200, "")],
            "requests of its scope",
        ),
        // The narrower instance replaces the one with errors.
        (
            "plugins: [{name: key-auth, config: {key_names: 5}}, {name: key-auth, route: a1}]",
            &[(("/a1", "apikey: bob"), 200, ""), (get("/a1"), 401, ""), (get("/b1"), 503, "key-auth")],
            "requests of its scope",
        ),
        // Its scope is unknown.
        (
            "plugins: [{name: key-auth, route: nope}]",
            &[(get("/a1"), 503, "key-auth"), (get("/b1"), 503, "")],
            "all requests",
        ),
        ("plugins: [{name: oauth2, route: [a1]}]", &[(get("/b1"), 503, "oauth2")], "all requests"),
        (
            "plugins: [{name: file-log, route: nope, config: {path: /dev/null}}]",
            &[(get("/a1"), 200, "")],
            "it is left out",
        ),
        // A second instance in one scope.
        (
            "plugins: [{name: cors, route: a1}, {name: cors, route: a1}]",
            &[(get("/a1"), 503, "cors"), (get("/b1"), 200, "")],
            "requests of its scope",
        ),
        // Errors that are found only by the compiler.
        (
            "plugins: [{name: mocking, route: a1, config: {api_specification: 'x: 1'}}]",
            &[(get("/a1"), 503, "mocking"), (get("/a2"), 200, "")],
            "requests of its scope",
        ),
        (
            "plugins: [{name: mocking, route: a1, config: {api_specification_filename: nope.yaml}}]",
            &[(get("/a1"), 503, "mocking"), (get("/a2"), 200, "")],
            "requests of its scope",
        ),
    ];
    let upstream = Upstream::start();
    for (plugins, expected, effect) in cases {
        let gateway = setup(&format!("{SERVICES}{plugins}\n"), &upstream).run();
        ask(&gateway, plugins, expected);
        let quarantined = gateway.status()["configuration"]["quarantined"].clone();
        assert_eq!(quarantined.as_array().unwrap().len(), 1, "{plugins}: {quarantined}");
        let first = &quarantined[0];
        assert_eq!(first["entity"], "plugin");
        assert!(first["effect"].as_str().unwrap().starts_with(effect), "{plugins}: {quarantined}");
        assert_eq!(first["line"], 14, "{plugins}: {quarantined}");
        gateway.wait_for_log(&format!("kong.yaml:14:{}: the plugin '", first["column"]));
        gateway.wait_for_log("is in quarantine");
        assert!(gateway.admin("GET", "/metrics").text().contains("mynah_quarantined_entities 1\n"));
    }
}

/// Other entities with errors: the configuration, the requests, and what is in quarantine.
#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn requests_that_other_invalid_entities_affect_are_refused() {
    let upstream = Upstream::start();
    let rest = "services: [{name: s, url: URL, routes: [{name: r, paths: [/]}]}]\n";
    let cases: &[(&str, &[QuarantineCase<'_>], &[&str])] = &[
        (
            "routes: [{name: x, hots: [a]}]",
            &[(get("/x"), 503, "the route 'x' is quarantined"), (get("/y"), 503, "")],
            &["routes[0]"],
        ),
        // All criteria can be read: the route keeps its place among the others.
        (
            "routes: [{name: x, paths: [/x], hots: [a]}]",
            &[(get("/x"), 503, "the route 'x' is quarantined"), (get("/y"), 200, "")],
            &["routes[0]"],
        ),
        (
            "routes: [{name: x, paths: [/x], strip_paths: true}]",
            &[(get("/x"), 503, "the route 'x' is quarantined"), (get("/y"), 200, "")],
            &["routes[0]"],
        ),
        (
            "routes: [{name: x, paths: ['~/x/[0-9]+$'], https_redirect_status_code: 5}]",
            &[(get("/x/1"), 503, ""), (get("/x/a"), 200, "")],
            &["routes[0]"],
        ),
        (
            "routes: [{name: x, paths: [/x], service: nope}]",
            &[(get("/x"), 503, ""), (get("/y"), 200, "")],
            &["routes[0]"],
        ),
        // Some cannot be read: requests that may have matched are refused, whatever the rank.
        (
            "routes: [{name: x, paths: ['~/x/y(']}]",
            &[(get("/x/y"), 503, ""), (get("/x"), 503, ""), (get("/y"), 200, "")],
            &["routes[0]"],
        ),
        (
            "routes: [{name: x, hosts: [h.example], paths: [x]}]",
            &[(("/", "host: h.example"), 503, ""), (get("/"), 200, "")],
            &["routes[0]"],
        ),
        ("routes: [{name: x}]", &[(get("/"), 503, "the route 'x'"), (get("/y"), 503, "")], &["routes[0]"]),
        (
            "routes: [{name: x, paths: [/x], protocols: [ftp]}]",
            &[(get("/x"), 503, ""), (get("/y"), 200, "")],
            &["routes[0]"],
        ),
        // A Service takes its routes with it, nested or not.
        (
            "services: [{name: t, routes: [{name: t1, paths: [/t]}]}]\nroutes: [{paths: [/u], service: t}]",
            &[
                (get("/t"), 503, "the service 't' is quarantined"),
                (get("/u"), 503, "service 't'"),
                (get("/y"), 404, ""),
            ],
            &["services[0]"],
        ),
        (
            "services: [{name: t, url: 5, routes: [{name: t1, paths: [/t]}]}]\nplugins: [{name: cors, route: t1}]",
            &[(get("/t"), 503, "the service 't' is quarantined")],
            &["services[0]"],
        ),
        (
            "services: [{name: t, host: x, enabled: false, port: -1, routes: [{name: t1, paths: [/t]}]}]",
            &[(get("/t"), 404, "")],
            &["services[0]"],
        ),
        (
            "upstreams: [{name: u.example, slots: 1}]\nservices: [{name: t, host: u.example, routes: [{paths: [/t]}]}]",
            &[(get("/t"), 503, "the upstream 'u.example' is quarantined")],
            &["upstreams[0]"],
        ),
        (
            "certificates: [{id: 11111111-1111-4111-8111-111111111111, cert: x, key: y}]\n\
             services: [{name: t, url: 'https://x', client_certificate: 11111111-1111-4111-8111-111111111111, \
             routes: [{paths: [/t]}]}]",
            &[(get("/t"), 503, "quarantined")],
            &["certificates[0]"],
        ),
    ];
    for (config, expected, paths) in cases {
        let config =
            if config.contains("services:") { (*config).to_owned() } else { format!("{rest}{config}\n") };
        let gateway = setup(&config, &upstream).run();
        ask(&gateway, &config, expected);
        let quarantined = gateway.status()["configuration"]["quarantined"].clone();
        let found: Vec<_> =
            quarantined.as_array().unwrap().iter().map(|entity| entity["path"].as_str().unwrap()).collect();
        assert_eq!(found, *paths, "{config}: {quarantined}");
    }
}

#[test]
fn errors_in_consumers_never_widen_access() {
    let upstream = Upstream::start();
    let config = "\
services: [{name: s, url: URL, routes: [{name: r, paths: [/]}]}]
plugins: [{name: key-auth}, {name: acl, config: {deny: [banned]}}]
consumers:
- {username: bob, keyauth_credentials: [{key: bob}]}
- {username: eve, keyauth_credentials: [{key: eve}], acls: [{group: 5}]}
- {username: zoe, keyauth_credentials: [{key: zoe, tll: 1}]}
- {usernam: joe, keyauth_credentials: [{key: joe}]}
";
    let gateway = setup(config, &upstream).run();
    ask(
        &gateway,
        "consumers",
        &[
            (("/", "apikey: bob"), 200, ""),
            (("/", "apikey: eve"), 503, "the plugin 'acl' is quarantined"),
            (
                ("/", "apikey: zoe"),
                503,
                "the keyauth_credential 'consumers[2].keyauth_credentials[0]' is quarantined",
            ),
            (("/", "apikey: joe"), 503, "is quarantined"),
            (("/", "apikey: nope"), 401, ""),
            (get("/"), 401, ""),
        ],
    );
    assert_eq!(gateway.status()["configuration"]["quarantined"].as_array().unwrap().len(), 3);
}

/// Credentials that are left out do not count as absent, where `anonymous` would let them pass.
#[test]
fn credentials_that_are_left_out_are_not_anonymous() {
    let upstream = Upstream::start();
    let anonymous = "\
services: [{name: s, url: URL, routes: [{name: k, paths: [/k]}, {name: b, paths: [/b]}, {name: j, paths: [/j]}]}]
plugins:
- {name: key-auth, route: k, config: {anonymous: guest}}
- {name: basic-auth, route: b, config: {anonymous: guest}}
- {name: jwt, route: j, config: {anonymous: guest}}
";
    // Tokens without a signature that name the keys `j` and `other`.
    let (token, other) = (
        "authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqIn0.AA",
        "authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJvdGhlciJ9.AA",
    );
    let (basic, stranger) = ("authorization: Basic ZXZlOnA=", "authorization: Basic eG86cA==");
    let eve = "the consumer 'eve' is quarantined";
    let cases: &[(&str, &[QuarantineCase<'_>])] = &[
        (
            "consumers: [{username: guest}, {username: eve, tags: 5, keyauth_credentials: [{key: eve}], basicauth_credentials: \
             [{username: eve, password: p}], jwt_secrets: [{key: j, secret: s}]}]",
            &[
                (("/k", "apikey: eve"), 503, eve),
                (("/b", basic), 503, eve),
                (("/j", token), 503, eve),
                (("/k", "apikey: x"), 200, ""),
                (("/b", stranger), 200, ""),
                (("/j", other), 200, ""),
                (get("/k"), 200, ""),
            ],
        ),
        // Written at the top level.
        (
            "consumers: [{username: guest}, {username: eve, tags: 5}]\nkeyauth_credentials: [{consumer: eve, key: eve}]",
            &[(("/k", "apikey: eve"), 503, eve), (("/k", "apikey: x"), 200, "")],
        ),
        // It may be any unknown one.
        (
            "consumers: [{username: guest}, {username: eve, keyauth_credentials: [{key: {}}]}]",
            &[
                (("/k", "apikey: eve"), 503, "is quarantined"),
                (get("/k"), 200, ""),
                (("/b", stranger), 200, ""),
            ],
        ),
        (
            "consumers: [{username: guest}, {username: eve, keyauth_credential: [{key: eve}]}]",
            &[(("/k", "apikey: eve"), 503, eve), (("/b", stranger), 503, eve), (get("/k"), 200, "")],
        ),
    ];
    for (consumers, expected) in cases {
        let gateway = setup(&format!("{anonymous}{consumers}\n"), &upstream).run();
        ask(&gateway, consumers, expected);
    }
}

/// Entities that an unknown key may hide: they are unknown, so that no last good version takes their place.
#[test]
fn misspelt_lists_hide_no_guard() {
    let upstream = Upstream::start();
    let text = |more: &str| {
        format!(
            "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{}\n  routes:\n  - name: r\n    paths: [/r]\n{more}",
            upstream.address
        )
    };
    let gateway = Setup::with(&text("")).start(&[
        "run",
        "--quarantine",
        "--proxy-listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    for (n, (more, status)) in [
        // What it was stays, as the field holds no guard.
        ("    strip_paht: true\n", 200),
        ("    plugns: [{name: key-auth}]\n", 503),
        ("", 200),
        ("  plugns: [{name: key-auth}]\n", 503),
        ("", 200),
        ("    servise: s\n", 503),
        ("  reads_timeout: 5\n", 200),
        ("  guards: [{name: key-auth}]\n", 503),
    ]
    .into_iter()
    .enumerate()
    {
        gateway.folder.write("kong.yaml", text(more));
        eventually("it is loaded", || (gateway.status()["configuration"]["loads"] == n + 2).then_some(()));
        ask(&gateway, more, &[(get("/r"), status, "")]);
    }
}

/// What the new text of a route that is kept would match besides is refused.
#[test]
fn new_criteria_of_a_kept_route_are_refused() {
    let upstream = Upstream::start();
    let text = |criteria: &str| {
        format!(
            "_format_version: \"3.0\"\nservices: [{{name: s, url: 'http://{}', routes: \
             [{{name: r, {criteria}}}, {{name: all, paths: [/]}}]}}]\n",
            upstream.address
        )
    };
    let gateway = Setup::with(&text("paths: [/r]")).start(&[
        "run",
        "--quarantine",
        "--proxy-listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    let refused = "the route 'r' is quarantined";
    let cases: &[(&str, &[QuarantineCase<'_>])] = &[
        (
            "paths: [/new], strip_path: 5",
            &[(get("/r"), 200, ""), (get("/new"), 503, refused), (get("/x"), 200, "")],
        ),
        (
            "paths: ['~/new/more(', /next]",
            &[
                (get("/r"), 200, ""),
                (get("/new/more"), 503, refused),
                (get("/next"), 503, refused),
                (get("/x"), 200, ""),
            ],
        ),
        (
            "hosts: [h.example], pahts: [/new]",
            &[
                (("/new", "host: h.example"), 503, refused),
                (("/r", "host: h.example"), 200, ""),
                (get("/new"), 200, ""),
            ],
        ),
        // Nothing of it can be read.
        ("paths: ['~/(']", &[(get("/r"), 200, ""), (get("/new"), 200, "")]),
    ];
    for (n, (criteria, expected)) in cases.iter().enumerate() {
        gateway.folder.write("kong.yaml", text(criteria));
        eventually("it is loaded", || (gateway.status()["configuration"]["loads"] == n + 2).then_some(()));
        ask(&gateway, criteria, expected);
    }
}

#[test]
fn check_says_what_quarantine_would_serve() {
    let broken = Setup::with(
        "_format_version: \"3.0\"\nroutes: [{name: r, paths: [/]}]\nplugins:\n- {name: oauth2}\n",
    );
    let hint = "KONG_DECLARATIVE_CONFIG_ON_ERROR=quarantine";
    let outcome = broken.call(&["check", "kong.yaml"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout.matches(hint).count(), 1, "{outcome:?}");
    let outcome = broken.call(&["check", "--quarantine", "kong.yaml"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let left_out =
        "kong.yaml:4: the plugin 'oauth2' is left out: requests of its scope are answered with 503";
    assert!(outcome.stdout.contains(left_out), "{outcome:?}");
    assert!(
        outcome.stdout.contains("served with 0 services, 1 route, 0 plugins in spite of 1 error"),
        "{outcome:?}"
    );
    let outcome = broken.call(&["check", "--quarantine", "--format", "json", "kong.yaml"]);
    let findings: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.code, &findings[0]["line"]), (Some(0), &json!(4)), "{findings}");
    assert_eq!(findings[0]["effect"], "requests of its scope are answered with 503");
    // Not of a kind that can be left out.
    let torn = Setup::with("_format_version: \"3.0\"\nroutes: [\n");
    for arguments in [&["check", "kong.yaml"][..], &["check", "--quarantine", "kong.yaml"], &["run"]] {
        let outcome = torn.call(arguments);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(!outcome.stdout.contains(hint), "{outcome:?}");
    }
    let good = Setup::with("_format_version: \"3.0\"\n");
    assert!(!good.call(&["check", "kong.yaml"]).stdout.contains(hint));
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    for (config, message) in [
        ("services: [", "did not start"),
        ("[]", "expected an object"),
        ("_format_version: \"3.0\"\nservices: {a: 1}\n", "expected an array"),
        ("_format_version: \"9.0\"\n", "did not start"),
        ("_format_version: \"3.0\"\nservices: [5]\n", "expected a record"),
        ("_format_version: \"3.0\"\nservices: [{name: a, host: b, routes: [5]}]\n", "expected a record"),
        ("_format_version: \"3.0\"\nservises: []\n", "unknown field"),
        ("_format_version: \"3.0\"\nvaults: [{name: env}]\n", "did not start"),
    ] {
        let outcome = Setup::with(config).call(&["run", "--quarantine", "--proxy-listen", "127.0.0.1:0"]);
        assert_eq!(outcome.code, Some(1), "{config}");
        let said = outcome.stdout + &outcome.stderr;
        assert!(said.contains(message) && said.contains("did not start"), "{config}: {said}");
    }
}

#[test]
fn errors_are_refused_by_default_and_the_setting_is_named() {
    let setup = Setup::with("_format_version: \"3.0\"\nplugins: [{name: oauth2}]\n");
    assert_eq!(setup.call(&["check", "kong.yaml"]).code, Some(1));
    let outcome = setup.call(&["run", "--proxy-listen", "127.0.0.1:0"]);
    assert_eq!(outcome.code, Some(1));
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("KONG_DECLARATIVE_CONFIG_ON_ERROR=quarantine"), "{said}");
}

#[test]
fn the_last_good_version_stays_live() {
    let upstream = Upstream::start();
    let text = |key_names: &str, path: &str, more: &str| {
        format!(
            "_format_version: \"3.0\"\nservices: [{{name: s, url: 'http://{}', routes: \
             [{{name: r, paths: [{path}]}}, {{name: o, paths: [/o]}}]}}]\n\
             plugins: [{{name: key-auth, route: o, config: {{key_names: {key_names}}}}}]\n\
             consumers: [{{username: bob, keyauth_credentials: [{{key: bob}}]}}]\n{more}",
            upstream.address
        )
    };
    let gateway = Setup::with(&text("[k]", "/r", "")).start(&[
        "run",
        "--quarantine",
        "--proxy-listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    ask(&gateway, "before", &[(("/o", "k: bob"), 200, ""), (get("/o"), 401, ""), (get("/r"), 200, "")]);
    let more = "routes: [{name: n, paths: [/n], service: s}]\n";
    gateway.folder.write("kong.yaml", text("5", "'~/new('", more));
    let quarantined = eventually("it is loaded", || {
        let configuration = gateway.status()["configuration"].clone();
        (configuration["loads"] == 2).then(|| configuration["quarantined"].clone())
    });
    let effects: Vec<&Value> =
        quarantined.as_array().unwrap().iter().map(|entity| &entity["effect"]).collect();
    assert_eq!(effects, [&json!("its last good version stays in force"); 2], "{quarantined}");
    ask(
        &gateway,
        "after",
        &[(("/o", "k: bob"), 200, ""), (get("/o"), 401, ""), (get("/r"), 200, ""), (get("/n"), 200, "")],
    );
    // It stays with the next load, too, and readable criteria that are new are refused.
    gateway.folder.write("kong.yaml", text("5", "/new, regex_priorty: 5", more));
    eventually("it is loaded", || (gateway.status()["configuration"]["loads"] == 3).then_some(()));
    ask(&gateway, "third", &[(get("/o"), 401, ""), (get("/r"), 200, "")]);
    gateway.folder.write("kong.yaml", text("[k]", "/r", more));
    eventually("it is mended", || {
        (gateway.status()["configuration"]["quarantined"] == json!([])).then_some(())
    });
    ask(&gateway, "mended", &[(("/o", "k: bob"), 200, ""), (get("/o"), 401, ""), (get("/r"), 200, "")]);
}

#[test]
fn writes_are_refused_until_the_file_is_corrected() {
    let upstream = Upstream::start();
    let gateway = setup(&format!("{SERVICES}plugins: [{{name: oauth2, route: a1}}]\n"), &upstream).run();
    let answer = gateway.admin_json("POST", "/services", json!({ "name": "new", "host": "h.example" }));
    assert_eq!(answer.status, 405, "{}", answer.text());
    assert!(answer.text().contains("in quarantine"), "{}", answer.text());
    let good = format!(
        "_format_version: \"3.0\"\n{}",
        SERVICES.replace("URL", &format!("http://{}", upstream.address))
    );
    gateway.folder.write("kong.yaml", good);
    eventually("it is mended", || (gateway.get("/a1").status == 200).then_some(()));
    let answer = gateway.admin_json("POST", "/services", json!({ "name": "new", "host": "h.example" }));
    assert_eq!(answer.status, 201, "{}", answer.text());
    // A write that adds an error is refused.
    let answer =
        gateway.admin_json("POST", "/services", json!({ "name": "bad", "host": "h.example", "port": -1 }));
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[test]
fn a_posted_configuration_is_served_without_its_errors() {
    let upstream = Upstream::start();
    let gateway = Setup::new().env("KONG_DECLARATIVE_CONFIG_ON_ERROR", "quarantine").run();
    let config = json!({
        "_format_version": "3.0",
        "services": [
            { "name": "a", "url": format!("http://{}", upstream.address), "routes": [{ "name": "r", "paths": ["/a"] }] },
            { "name": "b", "url": "nonsense", "routes": [{ "name": "t", "paths": ["/b"] }] },
        ],
    });
    let answer = gateway.admin_json("POST", "/config", config);
    assert_eq!(answer.status, 201, "{}", answer.text());
    ask(
        &gateway,
        "POST /config",
        &[(get("/a"), 200, ""), (get("/b"), 503, "the service 'b' is quarantined")],
    );
    assert_eq!(gateway.status()["configuration"]["quarantined"][0]["name"], "b");
}

#[test]
fn more_than_a_screen_of_errors_is_quarantined_too() {
    let upstream = Upstream::start();
    let routes: Vec<String> = (0..700)
        .map(|n| format!("  - {{name: r{n}, paths: [/r{n}/], plugins: [{{name: my-own}}]}}\n"))
        .collect();
    let config = format!(
        "services:\n- name: a\n  url: URL\n  routes:\n  - {{name: sound, paths: [/sound]}}\n{}",
        routes.concat()
    );
    let gateway = setup(&config, &upstream).run();
    ask(
        &gateway,
        "700 plugins",
        &[(get("/sound"), 200, ""), (get("/r0/"), 503, "my-own"), (get("/r699/"), 503, "my-own")],
    );
}
