//! Tests of refusals for machines: Kong's tree of messages, rule by rule, and its list of faulty entities.

use super::*;

/// Kong's report on a document that is refused.
fn refuse(text: &str, flatten: bool) -> RefusedDocument {
    let source = SourceFile::new("", text);
    let report = parse(&source, DeclarativeFormat::Kong, &Bare, 1).expect_err(text);
    refusal(&source, &report, &Bare, flatten)
}

#[track_caller]
fn check(text: &str, fields: &str) {
    let whole = refuse(&format!("_format_version: \"3.0\"\n{text}"), false);
    assert_eq!(whole.fields.to_json(), fields, "{text}");
}

#[test]
fn messages_stand_where_kong_puts_them() {
    let conditional = |field| format!("failed conditional validation given value of field '{field}'");
    for (text, fields) in [
        // Kong does not say which value of a map is wrong.
        ("routes: [{headers: {x: a}}]", r#"{"routes":[{"headers":"expected an array"}]}"#),
        ("routes: [{headers: {x: [a, 1]}}]", r#"{"routes":[{"headers":[null,"expected a string"]}]}"#),
        (
            "upstreams: [{name: u, healthchecks: {active: {headers: {x: a, y: 1}}}}]",
            r#"{"upstreams":[{"healthchecks":{"active":{"headers":"expected an array"}}}]}"#,
        ),
        // Annotations are allowed in entities only, and have a type.
        ("services: [{host: h, _comment: 1}]", r#"{"services":[{"_comment":"expected a string"}]}"#),
        ("services: [{host: h, _ignore: x}]", r#"{"services":[{"_ignore":"expected an array"}]}"#),
        (
            "plugins: [{name: any, config: {_comment: x}}]",
            r#"{"plugins":[{"config":{"_comment":"unknown field"}}]}"#,
        ),
        // The conflicting families are named, and other rules of such a route are skipped.
        (
            "routes: [{protocols: [grpc, http], snis: [a]}]",
            r#"{"routes":[{"protocols":"these sets are mutually exclusive: ('http', 'https'), ('grpc', 'grpcs')"}]}"#,
        ),
        (
            "routes: [{protocols: [tls_passthrough, udp], paths: [/]}]",
            r#"{"routes":[{"protocols":"these sets are mutually exclusive: ('tcp', 'tls', 'udp'), ('tls_passthrough')"}]}"#,
        ),
        (
            "routes: [{protocols: [tcp], sources: [{port: 1}, {}]}]",
            concat!(
                r#"{"routes":[{"sources":[null,{"@entity":"#,
                r#"["at least one of these fields must be non-empty: 'ip', 'port'"]}]}]}"#
            ),
        ),
        (
            "routes: [{paths: ['~/(?<a-b>x)']}]",
            concat!(
                r#"{"routes":[{"paths":["invalid regex: '/(?<a-b>x)' (PCRE returned: pcre2_compile() failed: "#,
                r#"syntax error in subpattern name (missing terminator?) in \"/(?<a-b>x)\" at \"-b>x)\")"]}]}"#
            ),
        ),
        // A duplicate name is reported before other fields are checked.
        (
            "consumers: [{username: a, custom_id: x}, {username: b, custom_id: x}, {username: b}]",
            r#"{"consumers":[null,null,"uniqueness violation: 'consumers' entity with username set to 'b' already declared"]}"#,
        ),
        (
            "consumers: [{username: a, custom_id: x}, {username: b, custom_id: x}]",
            r#"{"consumers":{"b":"uniqueness violation: 'consumers' entity with custom_id set to 'x' already declared"}}"#,
        ),
        (
            "consumers: [{username: a, keyauth_credentials: [{key: k, ttl: 100000001}]}]",
            r#"{"consumers":[{"keyauth_credentials":[{"ttl":"value should be between 0 and 100000000"}]}]}"#,
        ),
        (
            "oauth2_credentials: [{name: n, oauth2_tokens: [{}]}]",
            concat!(
                r#"{"oauth2_credentials":[{"consumer":"required field missing","#,
                r#""oauth2_tokens":[{"expires_in":"required field missing"}]}]}"#
            ),
        ),
        // A scheme ends with a colon, whatever follows.
        (
            "services: [{url: 'localhost:8080'}]",
            concat!(
                r#"{"services":[{"host":"required field missing","path":"should start with: /","#,
                r#""protocol":"expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp"}]}"#
            ),
        ),
    ] {
        check(text, fields);
    }
    // A nested entity refers to the entity around it, which the rules across its fields see.
    let text = "certificates: [{cert: '{vault://env/a}', key: '{vault://env/b}', services: [{host: h}]}]";
    let entity_message = conditional("protocol");
    check(
        text,
        &format!(
            r#"{{"certificates":[{{"services":[{{"@entity":["{entity_message}"],"client_certificate":"value must be null"}}]}}]}}"#
        ),
    );
}

#[test]
fn syntax_errors_have_the_messages_of_libyaml() {
    for (text, message) in [
        ("a: [", "1:4: did not find expected node content"),
        ("a: [}", "1:4: did not find expected node content"),
        ("a: ]", "1:3: did not find expected node content"),
        ("a: @b", "1:3: found character that cannot start any token"),
        ("a:\n\tb: c", "2:0: found character that cannot start any token"),
        ("a:\n- b: c\n\td: e", "3:0: found a tab character that violates indentation"),
        ("a: *b", "1:3: invalid reference: b"),
        ("a: b: c", "1:4: mapping values are not allowed in this context"),
        ("a: 'b", "1:5: found unexpected end of stream"),
    ] {
        let fields = refuse(text, false).fields;
        let error = fields.get("error").and_then(Value::as_str).unwrap_or_default().to_owned();
        assert_eq!(error, format!("failed parsing declarative configuration: {message}"), "{text:?}");
    }
}

#[test]
fn faulty_entities_are_listed_as_kong_lists_them() {
    let listed = |text: &str| -> Vec<String> {
        let told = refuse(&format!("_format_version: \"3.0\"\n{text}"), true);
        let line = |entity: &Value| {
            let text = |key| entity.get(key).and_then(Value::as_str).unwrap_or("-");
            let errors = entity.get("errors").map(Value::items).unwrap_or_default();
            let field = |error: &Value| error.get("field").and_then(Value::as_str).unwrap_or("@").to_owned();
            let fields: Vec<String> = errors.iter().map(field).collect();
            format!("{} {}: {}", text("entity_type"), text("entity_name"), fields.join(" "))
        };
        told.flattened.unwrap_or_default().iter().map(line).collect()
    };
    // Entities of the top level in reverse order, nested ones in their order, before the entity around them.
    let text = "services:
- {name: a, routes: [{name: r, methods: [get]}, {name: q, paths: [x, y], hosts: [a b]}]}
- {name: b, port: x, host: h}";
    assert_eq!(
        listed(text),
        ["service b: port", "route r: methods.1", "route q: paths.2 paths.1 hosts.1", "service a: host"]
    );
    // A reference that is a record without an id is an entity of its own to Kong.
    assert_eq!(listed("routes: [{name: r, paths: [/], service: {name: s}}]"), ["service s: id"]);
}
