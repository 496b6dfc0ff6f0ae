//! Output of `mynah check` for invalid files: one snapshot, to be read as on a terminal.

use std::fmt::Write;

use crate::gateway::Setup;

/// A description of the error, and the file.
const BROKEN: &[(&str, &str)] = &[
    ("a list that is not closed", "_format_version: \"3.0\"\nservices: [a\n"),
    ("a tab that indents", "_format_version: \"3.0\"\nservices:\n\t- name: a\n"),
    ("an alias of nothing", "_format_version: \"3.0\"\nservices: *none\n"),
    ("JSON that is not closed", "{\"_format_version\": \"3.0\", \"services\": ["),
    ("no version", "services: []\n"),
    ("an unknown version", "_format_version: \"4.0\"\n"),
    ("a list where a mapping should be", "- name: a\n"),
    ("a text where a mapping should be", "hello\n"),
    ("an unknown collection", "_format_version: \"3.0\"\nservcies: []\n"),
    ("an unknown field", "_format_version: \"3.0\"\nroutes:\n- name: r\n  path: [/r]\n"),
    (
        "wrong types",
        "_format_version: \"3.0\"\nservices:\n- name: a\n  host: a\n  port: eighty\n  retries: \"5\"\n  enabled: 1\n  tags: x\n",
    ),
    ("a port out of range", "_format_version: \"3.0\"\nservices:\n- {name: a, host: a, port: 70000}\n"),
    ("an invalid url", "_format_version: \"3.0\"\nservices:\n- name: a\n  url: a.example\n"),
    ("a service without a host", "_format_version: \"3.0\"\nservices:\n- name: a\n"),
    ("a route that matches nothing", "_format_version: \"3.0\"\nroutes:\n- name: r\n"),
    ("an invalid path", "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [r]\n"),
    ("an invalid pattern", "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: ['~/(']\n"),
    ("a method in small letters", "_format_version: \"3.0\"\nroutes:\n- {name: r, methods: [get]}\n"),
    (
        "a reference to nothing",
        "_format_version: \"3.0\"\nservices:\n- {name: stock, host: a}\nroutes:\n- name: r\n  paths: [/r]\n  service: stok\n",
    ),
    (
        "a name that stands twice",
        "_format_version: \"3.0\"\nservices:\n- {name: a, host: a}\n- {name: b, host: b}\n- {name: a, host: c}\n",
    ),
    ("an unknown plugin", "_format_version: \"3.0\"\nplugins:\n- name: mokcing\n"),
    ("a plugin of Kong's that is not here", "_format_version: \"3.0\"\nplugins:\n- name: saml\n"),
    (
        "settings of a plugin",
        "_format_version: \"3.0\"\nplugins:\n- name: cors\n  config:\n    origin: ['*']\n    methods: [FETCH]\n    max_age: soon\n",
    ),
    ("a mock without a document", "_format_version: \"3.0\"\nplugins:\n- name: mocking\n"),
    (
        "delays in the wrong order",
        "_format_version: \"3.0\"\nplugins:\n- name: mocking\n  config:\n    api_specification: '{}'\n    min_delay_time: 2\n    max_delay_time: 1\n",
    ),
    (
        "a document that is no specification",
        "_format_version: \"3.0\"\nplugins:\n- name: mocking\n  config:\n    api_specification: |\n      hello: world\n",
    ),
    (
        "a document with an error inside",
        "_format_version: \"3.0\"\nplugins:\n- name: mocking\n  config:\n    api_specification: |\n      openapi: 3.0.0\n      paths: {/a: [}\n",
    ),
    (
        "a document that is not there",
        "_format_version: \"3.0\"\nplugins:\n- name: mocking\n  config:\n    api_specification_filename: nope.yaml\n",
    ),
    (
        "a service whose address is made of variables",
        "_format_version: \"3.0\"\nservices:\n- name: a\n  url: http://$AUTH_HOST:$AUTH_PORT/\n- name: b\n  host: b\n  port: ${PORT}\n",
    ),
    (
        "a header that YAML reads as a mapping",
        "_format_version: \"3.0\"\nplugins:\n- name: request-transformer\n  config:\n    add:\n      headers:\n      - Authorization: $X\n",
    ),
    ("a text that begins with @", "_format_version: \"3.0\"\nconsumers:\n- username: @x\n"),
    ("a text that begins with a backtick", "_format_version: \"3.0\"\nconsumers:\n- username: `x`\n"),
    ("a text that begins with a percent sign", "_format_version: \"3.0\"\nconsumers:\n- username: %x\n"),
    ("a text that begins with *", "_format_version: \"3.0\"\nservices:\n- name: a\n  host: *.example.com\n"),
    ("a text that begins with !", "_format_version: \"3.0\"\nservices:\n- name: a\n  host: !abc\n"),
    ("a text that begins with #", "_format_version: \"3.0\"\nservices:\n- name: a\n  host: #abc\n"),
    ("a text that begins with &", "_format_version: \"3.0\"\nservices:\n- name: a\n  host: &abc\n"),
    ("a text in double braces", "_format_version: \"3.0\"\nservices:\n- name: a\n  host: {{ host }}\n"),
    (
        "an anchor that stands below its alias",
        "_format_version: \"3.0\"\nservices:\n- <<: *d\n  name: a\n_ignore: [&d {host: a}]\n",
    ),
    ("a merge key of a number", "_format_version: \"3.0\"\nservices:\n- <<: 5\n  name: a\n  host: a\n"),
    ("a key that holds an anchor without aliases", "x-a: &a {host: a}\n_format_version: \"3.0\"\n"),
    (
        "a tag in front of a text",
        "_format_version: \"3.0\"\nservices:\n- name: a\n  host: !abc def\n  port: x\n",
    ),
    ("a tab behind a text", "_format_version: \"3.0\"\nservices:\n- name: a\n\thost: a\n"),
    ("a line between two indentations", "_format_version: \"3.0\"\nservices:\n  - name: a\n   host: a\n"),
    ("a text with a colon", "_format_version: \"3.0\"\nservices:\n- name: a: b\n"),
    (
        "numbers and nothing among texts",
        "_format_version: \"3.0\"\nservices:\n- {name: a, host: a, tags: [12:30, 1.0, 0x10, ~, on, .inf, 1_000]}\n",
    ),
    ("a version that is a number", "_format_version: 1\n"),
    ("a version of Kong 0.x", "_format_version: \"0.1\"\n"),
    (
        "placeholders that were not filled in",
        "_format_version: \"3.0\"\nservices:\n- name: a\n  url: http://{{ .Values.host }}:80/\n- name: b\n  host: <YOUR HOST>\n- name: c\n  url: http://%HOST%/\n- name: d\n  host: b\n  port: '@@PORT@@'\n",
    ),
    (
        "a template of Helm",
        "_format_version: \"3.0\"\nservices:\n{{- range .Values.services }}\n- name: {{ .name }}\n{{- end }}\n",
    ),
    (
        "a template of Jinja",
        "_format_version: \"3.0\"\nservices:\n{% for s in all %}\n- name: {{ s }}\n{% endfor %}\n",
    ),
    (
        "a manifest that holds a configuration",
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  kong.yml: |\n    _format_version: \"3.0\"\n",
    ),
    (
        "a manifest of the Ingress Controller",
        "apiVersion: configuration.konghq.com/v1\nkind: KongPlugin\nplugin: cors\n",
    ),
    ("an OpenAPI document", "openapi: 3.0.0\ninfo: {title: a, version: '1'}\npaths: {}\n"),
    ("a Compose file", "version: '3'\nservices:\n  kong: {image: kong}\n"),
    ("comments in JSON", "{\n  // all\n  \"_format_version\": \"3.0\"\n}\n"),
    (
        "a misspelt field of a route that matches requests",
        "_format_version: \"3.0\"\nroutes:\n- name: r\n  path: [/r]\n",
    ),
    (
        "methods, hosts and paths in other notations",
        "_format_version: \"3.0\"\nroutes:\n- name: r\n  methods: ['GET,POST']\n  hosts: ['https://a.test/', a.test/b, '*.*']\n  paths: [users, '*', '^/a$']\n",
    ),
    (
        "settings that are gone or not Kong's",
        "_format_version: \"3.0\"\nplugins:\n- name: acl\n  run_on: first\n  config: {allow: [a], include_consumer_groups: true}\n",
    ),
    (
        "a reference to a vault without quotes",
        "_format_version: \"3.0\"\ncertificates:\n- cert: {vault://env/cert}\n  key: {vault://env/key}\n",
    ),
    (
        "older names of settings",
        "_format_version: \"1.1\"\nplugins:\n- name: ip-restriction\n  config:\n    whitelist: [10.0.0.0/8]\n",
    ),
    (
        "values for anchors",
        "_format_version: \"3.0\"\nx-tags: &tags [a]\n_limits: &limits {minute: 5}\nservices:\n- {name: a, host: a, tags: *tags}\n",
    ),
    (
        "errors in the order of the file",
        "_format_version: \"3.0\"\nroutes:\n- {name: r, pats: [/]}\nservices:\n- {name: a, hots: a}\nplugins:\n- name: nope\n",
    ),
];

#[test]
fn every_broken_file_is_explained() {
    let mut all = String::new();
    for (what, text) in BROKEN {
        let checked = Setup::with(text).call(&["check", "kong.yaml"]);
        assert_eq!(checked.code, Some(1), "{what}: {checked:?}");
        writeln!(all, "#### {what}\n\n{}{}", checked.stderr, checked.stdout).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn probable_mistakes_are_warnings_at_their_lines() {
    let paths = |path: &str| format!("routes:\n- name: r\n  paths: ['{path}']\n");
    for (text, line, expected) in [
        (paths("/services/*"), 4, "a path is a prefix anyway: write `/services/`"),
        (paths("/users/:id"), 4, "write it as `~/users/(?<id>[^/]+)$`"),
        (paths("/users?x=1"), 4, "`/users?x=1` never matches: the path of a request has no query"),
        (paths("/users#x"), 4, "`/users#x` never matches: the path of a request has no fragment"),
        (
            "consumers:\n- username: u\n  keyauth_credentials:\n  - key: ${SUPABASE_ANON_KEY}\n".to_owned(),
            5,
            "to have the environment variable SUPABASE_ANON_KEY in its place, set KONG_ENV_SUBSTITUTION=on",
        ),
        (
            "plugins:\n- {name: cors, config: {origins: ['${FRONTEND_URL}']}}\n".to_owned(),
            3,
            "`FRONTEND_URL` is not replaced: the text goes on as it is written",
        ),
        (
            "consumers:\n- username: u\n  keyauth_credentials:\n  - key: #abc\n".to_owned(),
            5,
            "there is no value: a random text takes its place, another one at each load",
        ),
    ] {
        let text = format!("_format_version: \"3.0\"\n{text}");
        let checked = Setup::with(&text).call(&["check", "kong.yaml"]);
        assert_eq!(checked.code, Some(0), "{text}: {}", checked.stderr);
        assert!(checked.stderr.contains(expected), "{text}: {}", checked.stderr);
        assert!(checked.stderr.contains(&format!("kong.yaml:{line}:")), "{text}: {}", checked.stderr);
    }
}
