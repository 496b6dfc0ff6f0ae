//! Tests of templates and of diagnostics of invalid ones.

use super::super::{
    super::test_support,
    DEF,
    tests::{ask, plugin},
};
use crate::document::Value;

fn document(example: &str) -> String {
    format!(
        "
openapi: 3.0.3
info: {{title: t, version: v}}
paths:
  /things/{{id}}:
    post:
      responses:
        '200':
          description: thing
          content:
            application/json: {{example: {example}}}
"
    )
}

/// Checks the answer to `POST /things/7?page=2` with a header `X-User: ada` and this body.
#[track_caller]
fn check(example: &str, body: &str, expected: &str) {
    let plugin = plugin(&document(example), "templates: true, seed: 1");
    let request = format!("POST /things/a%20b?page=2&page=3&q=x+y\nX-User: ada\n\n{body}");
    let (status, answer, _) = ask(&*plugin, &request);
    assert_eq!((status, answer.as_str()), (200, expected), "{example}");
}

#[test]
fn templates_can_read_the_request() {
    check("'{{request.path.id}}'", "", r#""a b""#);
    check("'page {{ request.query.page }} of {{request.query.q}}'", "", r#""page 2 of x y""#);
    check(r#"'{{request.headers["x-user"]}} {{request.method}}'"#, "", r#""ada POST""#);
    check(
        "{a: ['{{request.body.name}}', 1.50], b: true}",
        r#"{"name":"Tom"}"#,
        r#"{"a":["Tom",1.50],"b":true}"#,
    );
    check("'{{request.body}}'", "no json", r#""no json""#);
    check("'<{{request.body.a.b.c}}>'", "{}", r#""<>""#);
    check("'{{request.body.name|upper}}'", r#"{"name":"<Tom>"}"#, r#""<TOM>""#);
    check("'{% if request.body.big %}big{% else %}small{% endif %}'", r#"{"big":true}"#, r#""big""#);
}

#[test]
fn a_single_expression_keeps_the_type_of_its_value() {
    check("{n: '{{request.query.page|int}}'}", "", r#"{"n":2}"#);
    check("'{{request.body}}'", r#"{"z":1,"a":[true,null,1.5]}"#, r#"{"z":1,"a":[true,null,1.5]}"#);
    check("'{{request.body.missing}}'", "{}", "null");
    check("'{{ 1 }}{{ 2 }}'", "", r#""12""#);
}

#[test]
fn each_uuid_is_new_and_the_time_is_the_current_one() {
    let plugin = plugin(&document("['{{uuid}}', '{{uuid}}', '{{now}}']"), "templates: true");
    let answer = test_support::json(&ask(&*plugin, "POST /things/1").1);
    let texts: Vec<&str> = answer.items().iter().filter_map(Value::as_str).collect();
    let [first, second, now] = texts[..] else { panic!("{answer:?}") };
    assert!(uuid::Uuid::parse_str(first).is_ok_and(|uuid| uuid.get_version_num() == 4), "{first}");
    assert_ne!(first, second);
    assert!(now.len() == 20 && now.starts_with("20") && now.ends_with('Z'), "{now}");
}

#[test]
fn templates_are_off_by_default() {
    let plugin = plugin(&document("'{{request.path.id}}'"), "seed: 1");
    assert_eq!(ask(&*plugin, "POST /things/7").1, r#""{{request.path.id}}""#);
}

#[test]
fn invalid_templates_are_reported_at_their_path() {
    let diagnostics = |example: &str| {
        let document = Value::from(document(example)).to_json();
        test_support::diagnostics(&DEF, &format!("{{api_specification: {document}, templates: true}}"))
    };
    let at =
        "config.api_specification » paths./things/{id}.post.responses.200.content.application/json.example";
    for (example, place) in [("'{{'", ""), ("{a: [x, '{{ 1 + }}']}", ".a[1]"), ("'{% if %}'", "")] {
        let found = diagnostics(example);
        assert_eq!(found.len(), 1, "{example}: {found:?}");
        assert!(found[0].starts_with(&format!("{at}{place}: this template is invalid: ")), "{found:?}");
    }
}

#[test]
fn templates_are_sandboxed_and_bounded() {
    for unbounded in [
        "'{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}'",
        "'{{ \"x\" * 999999999 }}'",
        "'{{ x|nofilter }}'",
    ] {
        let plugin = plugin(&document(unbounded), "templates: true");
        let (status, body, _) = ask(&*plugin, "POST /things/7");
        assert_eq!(status, 500, "{unbounded}: {body}");
        assert!(body.contains("the template of this example failed"), "{body}");
    }
    for outside in ["'{% include \"/etc/hostname\" %}'", "'{% import \"a\" as b %}'", "'{% extends \"1\" %}'"]
    {
        let document = Value::from(document(outside)).to_json();
        let config = format!("{{api_specification: {document}, templates: true}}");
        assert_eq!(test_support::diagnostics(&DEF, &config).len(), 1, "{outside}");
    }
}
