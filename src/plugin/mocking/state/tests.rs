//! Tests of the state: items that requests create, change and remove.

use std::sync::Arc;

use super::super::{super::test_support, tests::plugin};
use crate::plugin::Plugin;

const PETS: &str = r#"
openapi: 3.0.3
info: {title: Pets, version: "1"}
paths:
  /pets:
    get:
      responses:
        '200':
          description: pets
          content: {application/json: {example: [{id: 1, name: Rex}, {id: 7, name: Tom}]}}
    post:
      responses:
        '200': {description: never}
        '201':
          description: created
          headers: {Location: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}
  /pets/{petId}:
    get:
      responses:
        '200':
          description: pet
          content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}
        '404': {description: none, content: {application/json: {example: {error: no such pet}}}}
    put: {responses: {'200': {description: pet, content: {application/json: {}}}}}
    patch: {responses: {'200': {description: pet, content: {application/json: {}}}}}
    delete: {responses: {'200': {description: gone}, '204': {description: gone}}}
  /owners/{owner}/toys:
    get:
      responses:
        '200':
          description: toys
          content: {application/json: {example: {total: 0, items: [], page: 1}}}
    post: {responses: {default: {description: toy, content: {application/json: {}}}}}
  /owners/{owner}/toys/{toy}:
    get: {responses: {'200': {description: toy, content: {application/json: {}}}}}
components:
  schemas:
    Pet:
      allOf:
      - {type: object, required: [id], properties: {id: {type: integer}}}
      - {type: object, required: [name, tag], properties: {name: {type: string}, tag: {type: string, enum: [cat, dog]}}}
"#;

fn pets() -> Arc<dyn Plugin> {
    plugin(PETS, "stateful: true")
}

#[track_caller]
fn check(pets: &Arc<dyn Plugin>, request: &str, status: u16, body: &str) {
    let response = test_support::access(&**pets, &mut test_support::request(request)).unwrap();
    let status_found = response.status().as_u16();
    assert_eq!(
        (status_found, test_support::text(response.into_body()).as_str()),
        (status, body),
        "{request}"
    );
}

#[test]
fn items_are_created_read_changed_and_removed() {
    let pets = pets();
    check(&pets, "GET /pets", 200, r#"[{"id":1,"name":"Rex"},{"id":7,"name":"Tom"}]"#);
    check(&pets, "GET /pets/7", 200, r#"{"id":7,"name":"Tom"}"#);
    check(&pets, "POST /pets\n\n{\"name\":\"Kim\"}", 201, r#"{"id":8,"name":"Kim","tag":"cat"}"#);
    check(&pets, "GET /pets/8", 200, r#"{"id":8,"name":"Kim","tag":"cat"}"#);
    check(
        &pets,
        "PATCH /pets/8\n\n{\"tag\":null,\"id\":9,\"age\":1.50}",
        200,
        r#"{"id":8,"name":"Kim","age":1.50,"tag":"cat"}"#,
    );
    check(
        &pets,
        "PUT /pets/8\n\n{\"name\":\"Jo\",\"tag\":\"dog\"}",
        200,
        r#"{"id":8,"name":"Jo","tag":"dog"}"#,
    );
    check(&pets, "DELETE /pets/1", 204, "");
    check(&pets, "DELETE /pets/8", 204, "");
    check(&pets, "GET /pets", 200, r#"[{"id":7,"name":"Tom"}]"#);
    check(&pets, "POST /pets\n\n{\"name\":\"New\"}", 201, r#"{"id":9,"name":"New","tag":"cat"}"#);
    pets.reset_state();
    check(&pets, "GET /pets", 200, r#"[{"id":1,"name":"Rex"},{"id":7,"name":"Tom"}]"#);
}

#[test]
fn a_missing_item_gets_the_404_of_the_document() {
    let pets = pets();
    check(&pets, "GET /pets/99", 404, r#"{"error":"no such pet"}"#);
    check(&pets, "DELETE /pets/99", 404, r#"{"message":"there is no such item"}"#);
    check(&pets, "PUT /pets/99\n\n{}", 404, r#"{"message":"there is no such item"}"#);
    check(&pets, "POST /pets\n\n{\"id\":7}", 409, r#"{"message":"there is such an item already"}"#);
    for body in ["", "[]", "7", "{", "{\"a\":1"] {
        let message = r#"{"message":"the body should be a JSON object"}"#;
        check(&pets, &format!("POST /pets\n\n{body}"), 400, message);
    }
}

#[test]
fn headers_that_select_an_answer_bypass_the_state() {
    let pets = pets();
    check(&pets, "GET /pets/7\nX-Kong-Mocking-Status-Code: 404", 404, r#"{"error":"no such pet"}"#);
    check(&pets, "DELETE /pets/7\nPrefer: code=200", 200, "");
    check(&pets, "GET /pets/7\nX-Kong-Mocking-Delay: 0", 200, r#"{"id":7,"name":"Tom"}"#);
}

#[test]
fn lists_keep_their_envelope_and_collections_are_independent() {
    let pets = pets();
    check(&pets, "GET /owners/a/toys", 200, r#"{"total":0,"items":[],"page":1}"#);
    check(&pets, "POST /owners/a/toys\n\n{\"id\":\"b all\"}", 201, r#"{"id":"b all"}"#);
    check(&pets, "GET /owners/a/toys", 200, r#"{"total":1,"items":[{"id":"b all"}],"page":1}"#);
    check(&pets, "GET /owners/a/toys/b%20all", 200, r#"{"id":"b all"}"#);
    check(&pets, "GET /owners/b/toys", 200, r#"{"total":0,"items":[],"page":1}"#);
    let response =
        test_support::access(&*pets, &mut test_support::request("POST /owners/b/toys\n\n{}")).unwrap();
    let made = test_support::json(&test_support::text(response.into_body()));
    let id = made.get("id").and_then(|id| id.as_str()).unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok(), "{id}");
}

#[test]
fn items_without_a_name_are_numbered() {
    let document = PETS.replace("{id: 1, name: Rex}", "{name: Rex}");
    let pets = plugin(&document, "stateful: true");
    check(&pets, "GET /pets", 200, r#"[{"name":"Rex","id":1},{"id":7,"name":"Tom"}]"#);
    check(&pets, "DELETE /pets/7", 204, "");
    check(&pets, "GET /pets", 200, r#"[{"name":"Rex","id":1}]"#);
}

#[test]
fn a_created_item_has_a_location() {
    let mut request = test_support::request("POST /pets\n\n{}");
    let response = test_support::access(&*pets(), &mut request).unwrap();
    assert_eq!(response.headers()["location"], "/pets/8");
}

#[test]
fn items_are_bounded() {
    let pets = pets();
    let big = format!("POST /pets\n\n{{\"name\":\"{}\"}}", "x".repeat(1_000_000));
    let ask = |text: &str| {
        test_support::access(&*pets, &mut test_support::request(text)).unwrap().status().as_u16()
    };
    let statuses: Vec<u16> = (0..20).map(|_| ask(&big)).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 16);
    assert_eq!(statuses.last(), Some(&507));
    assert_eq!(ask("GET /pets/8"), 200);
    assert_eq!(ask("DELETE /pets/8"), 204);
    assert_eq!(ask(&big), 201, "a removed item makes room");
    assert_eq!(ask(&format!("POST /pets\n\n\"{}\"", "x".repeat(2 << 20))), 413);
}

#[test]
fn new_items_find_a_free_number() {
    let pets = pets();
    let ask = |text: &str| {
        let response = test_support::access(&*pets, &mut test_support::request(text)).unwrap();
        (response.status().as_u16(), test_support::text(response.into_body()))
    };
    for largest in
        ["9223372036854775807", "9007199254740991", "9007199254740990", "1e300", "-9223372036854775808"]
    {
        assert_eq!(ask(&format!("POST /pets\n\n{{\"id\":{largest}}}")).0, 201, "{largest}");
        for _ in 0..20 {
            let (status, body) = ask("POST /pets\n\n{}");
            assert_eq!(status, 201, "{largest} {body}");
        }
    }
    assert_eq!(ask("GET /pets/9223372036854775807").0, 200);
    assert_eq!(ask("POST /pets\n\n{\"id\":9223372036854775807}").0, 409);
}

#[test]
fn without_state_the_document_answers() {
    let plugin = plugin(PETS, "stateful: false");
    check(&plugin, "DELETE /pets/1", 200, "");
    check(&plugin, "GET /pets", 200, r#"[{"id":1,"name":"Rex"},{"id":7,"name":"Tom"}]"#);
}
