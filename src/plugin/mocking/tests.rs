//! Tests of the plugin as a whole, compiled from its settings.

use std::collections::BTreeMap;

use super::{super::test_support, *};

const DOCUMENT: &str = "
openapi: 3.0.3
info: {title: t, version: v}
paths:
  /users:
    get:
      responses:
        '200':
          description: users
          headers: {X-Total: {schema: {type: integer}}}
          content:
            application/json:
              schema: {type: object, required: [id, name], properties: {id: {type: integer}, name: {type: string}}}
              examples:
                Jessica: {value: {id: 10, name: Hao}}
                Ron: {value: {id: 20, name: Sasha}}
        '404': {description: none, content: {application/json: {example: none}}}
        '500': {description: broken, content: {application/json: {example: broken}}}
    delete: {responses: {'204': {description: gone}}}
  /numbers:
    get:
      responses:
        '200':
          description: numbers
          content: {application/json: {schema: {type: array, minItems: 5, items: {type: number}}}}
  /nothing:
    get: {responses: {'200': {description: nothing, content: {application/json: {}}}}}
";

/// A plugin with a document and these settings.
#[track_caller]
pub(super) fn plugin(document: &str, settings: &str) -> Arc<dyn Plugin> {
    let document = crate::document::Value::from(document).to_json();
    test_support::plugin(&DEF, &format!("{{api_specification: {document}, {settings}}}"))
}

/// Status, body and explanation header of the response to a request.
#[track_caller]
pub(super) fn ask(plugin: &dyn Plugin, request: &str) -> (u16, String, String) {
    let response = test_support::access(plugin, &mut test_support::request(request)).unwrap();
    let mock = response.headers().get("x-mynah-mock");
    let mock = mock.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (response.status().as_u16(), test_support::text(response.into_body()), mock)
}

#[track_caller]
fn check(settings: &str, request: &str, status: u16, body: &str, mock: &str) {
    let answer = ask(&*plugin(DOCUMENT, settings), request);
    assert_eq!(answer, (status, body.to_owned(), mock.to_owned()), "{request}");
}

#[test]
fn a_response_names_the_source_of_its_answer_on_request() {
    let jessica = r#"{"id":10,"name":"Hao"}"#;
    check("", "GET /users", 200, jessica, "");
    let explained = |request: &str| format!("{request}\nX-Mynah-Explain: 1");
    for (request, status, body, mock) in [
        ("GET /users", 200, jessica, "GET /users; 200; example:Jessica"),
        ("GET /users\nPrefer: code=404", 404, "\"none\"", "GET /users; 404; example"),
        ("GET /nothing", 200, "", "GET /nothing; 200; empty"),
        ("DELETE /users", 204, "", "DELETE /users; 204; empty"),
    ] {
        check("", &explained(request), status, body, mock);
    }
    let (_, _, mock) = ask(&*plugin(DOCUMENT, ""), &explained("GET /numbers"));
    assert_eq!(mock, "GET /numbers; 200; schema");
}

#[test]
fn samples_depend_on_the_seed_alone() {
    let plain = plugin(DOCUMENT, "");
    let seeded = |seed: u64| ask(&*plain, &format!("GET /numbers\nX-Mynah-Mocking-Seed: {seed}")).1;
    assert_eq!(seeded(7), seeded(7));
    assert_ne!(seeded(7), seeded(8));
    assert_ne!(seeded(7), ask(&*plain, "GET /numbers").1);
    let configured = plugin(DOCUMENT, "seed: 7");
    assert_eq!(ask(&*configured, "GET /numbers").1, seeded(7));
    assert_eq!(ask(&*configured, "GET /numbers\nX-Mynah-Mocking-Seed: 8").1, seeded(8));
    check("", "GET /users\nX-Mynah-Mocking-Seed: 7", 200, r#"{"id":10,"name":"Hao"}"#, "");
    let wrong = ask(&*plain, "GET /numbers\nX-Mynah-Mocking-Seed: x");
    assert_eq!(wrong.0, 400);
}

#[test]
fn dynamic_answers_are_new_for_each_request_and_skip_examples() {
    let plain = plugin(DOCUMENT, "");
    let fresh = |path: &str| ask(&*plain, &format!("GET {path}\nPrefer: dynamic=true\nX-Mynah-Explain: 1"));
    assert_ne!(fresh("/numbers").1, fresh("/numbers").1);
    let (status, body, mock) = fresh("/users");
    assert_eq!((status, mock.as_str()), (200, "GET /users; 200; schema"));
    assert!(test_support::json(&body).get("id").is_some_and(|id| id.as_i64().is_some()), "{body}");
    let with_seed = "GET /users\nPrefer: dynamic=true\nX-Mynah-Mocking-Seed: 3";
    assert_eq!(ask(&*plain, with_seed), ask(&*plain, with_seed));
    check("", "GET /users\nPrefer: dynamic=true, example=Ron", 200, r#"{"id":20,"name":"Sasha"}"#, "");
    check("", "GET /users\nPrefer: dynamic=true, code=404", 404, "\"none\"", "");
}

#[test]
fn random_choices_reach_every_status_and_every_example() {
    let tally = |settings: &str, of: fn((u16, String, String)) -> String| {
        let plugin = plugin(DOCUMENT, settings);
        let mut tally = BTreeMap::new();
        for _ in 0..200 {
            *tally.entry(of(ask(&*plugin, "GET /users"))).or_insert(0) += 1;
        }
        tally
    };
    let by_status = tally("random_status_code: true, seed: 1", |answer| answer.0.to_string());
    assert_eq!(by_status.keys().collect::<Vec<_>>(), ["200", "404", "500"]);
    assert!(by_status.values().all(|count| *count > 40), "{by_status:?}");
    let by_body = tally("random_examples: true, seed: 1", |answer| answer.1);
    assert_eq!(by_body.len(), 2, "{by_body:?}");
    assert!(by_body.values().all(|count| *count > 60), "{by_body:?}");
}

#[test]
fn statuses_without_a_body_have_none_and_head_is_get() {
    check("", "DELETE /users", 204, "", "");
    check("", "HEAD /users", 200, r#"{"id":10,"name":"Hao"}"#, "");
}
