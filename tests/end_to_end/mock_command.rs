//! `mynah mock`: several documents, the flags of Prism, and CORS.

use crate::gateway::{Gateway, Setup};

const DOCUMENT: &str = "
openapi: 3.0.3
paths:
  /name:
    get:
      parameters: [{name: age, in: query, schema: {type: integer}}]
      security: [{key: []}]
      responses: {'200': {description: '', content: {application/json: {example: NAME, schema: {type: string}}}}}
  /wrong:
    get: {responses: {'200': {description: '', content: {application/json: {example: 1, schema: {type: string}}}}}}
components: {securitySchemes: {key: {type: apiKey, in: query, name: key}}}
";

#[track_caller]
fn start(flags: &[&str]) -> Gateway {
    let flags: Vec<&str> = ["mock", "--port", "0"].iter().chain(flags).copied().collect();
    let setup = Setup::new().file("a.yaml", DOCUMENT.replace("NAME", "Ada"));
    setup.file("b.yaml", DOCUMENT.replace("NAME", "Grace")).start(&flags)
}

#[test]
fn several_documents_are_served_below_prefixes() {
    let gateway = start(&["/a=a.yaml", "/b/=b.yaml"]);
    gateway.get("/a/name?key=k").assert_response(200, "\"Ada\"");
    gateway.get("/b/name?key=k").assert_response(200, "\"Grace\"");
    assert_eq!(gateway.get("/a/name").status, 401);
    assert_eq!(gateway.get("/a/other").status, 404);
    assert_eq!(gateway.get("/name").status, 404);
}

#[test]
fn two_documents_need_two_prefixes() {
    Setup::new().call(&["mock", "a.yaml", "b.yaml"]).is_refusal("give each a prefix of its own");
}

#[test]
fn checks_can_be_turned_off() {
    let gateway = start(&["a.yaml", "--no-security"]);
    gateway.get("/name").assert_response(200, "\"Ada\"");
    assert_eq!(gateway.get("/name?age=old").status, 422);
    let gateway = start(&["a.yaml", "--no-validate"]);
    gateway.get("/name?age=old&key=k").assert_response(200, "\"Ada\"");
    assert_eq!(gateway.get("/name?age=old").status, 401);
}

#[test]
fn responses_that_violate_their_schema_are_reported() {
    let answer = start(&["a.yaml"]).get("/wrong");
    answer.assert_response(200, "1");
    assert!(answer.header("sl-violations").contains("Response body must be string"));
    let answer = start(&["a.yaml", "--errors"]).get("/wrong");
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["validation"][0]["code"], "type");
}

#[test]
fn responses_allow_cross_origin_access_by_default() {
    let origin = [("origin", "http://page.example"), ("access-control-request-method", "GET")];
    let gateway = start(&["a.yaml"]);
    let answer = gateway.ask("OPTIONS", "/name", &origin);
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, "GET"));
    assert_eq!(answer.header("access-control-allow-origin"), "http://page.example");
    let gateway = start(&["a.yaml", "--cors=false"]);
    assert_eq!(gateway.ask("OPTIONS", "/name", &origin).status, 405);
}

#[test]
fn the_flags_of_prism_are_accepted() {
    let gateway = start(&["-d", "--seed", "7", "--json-schema-faker-fillProperties=false", "a.yaml"]);
    let dynamic = gateway.get("/name?key=k");
    assert_eq!(dynamic.status, 200);
    assert_ne!(dynamic.text(), "\"Ada\"");
    gateway.get("/name?key=k&__dynamic=false").assert_response(200, "\"Ada\"");
}
