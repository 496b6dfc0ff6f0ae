//! Validation of requests that would take long: it is bounded, does not delay other requests, and ends with its client.

use crate::{
    gateway::{Gateway, Setup},
    raw::Raw,
};

/// Recursive choices; and a schema that takes as many steps as there are branches times items.
fn document() -> String {
    let choices = (0..1000).map(|n| format!("{{const: {n}}},")).collect::<Vec<_>>().concat();
    format!(
        "
openapi: 3.0.3
info: {{title: t, version: '1'}}
paths:
  /expression:
    post:
      requestBody: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/E'}}}}}}}}
      responses: {{'200': {{description: d}}}}
  /list:
    post:
      requestBody: {{content: {{application/json: {{schema: {{items: {{oneOf: [{choices}]}}}}}}}}}}
      responses: {{'200': {{description: d}}}}
  /easy:
    get: {{responses: {{'200': {{description: d, content: {{application/json: {{example: fine}}}}}}}}}}
components:
  schemas:
    E:
      oneOf:
      - {{type: object, required: [op], properties: {{a: {{$ref: '#/components/schemas/E'}}, op: {{type: string}}}}}}
      - {{type: object, required: [fn], properties: {{a: {{$ref: '#/components/schemas/E'}}, fn: {{type: string}}}}}}
      - {{type: object, required: [val], properties: {{a: {{$ref: '#/components/schemas/E'}}, val: {{type: number}}}}}}
"
    )
}

fn mock() -> Gateway {
    Setup::new().file("a.yaml", document()).start(&["mock", "--port", "0", "a.yaml"])
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Sends a list that takes more steps than are allowed; the answer is not read.
fn send_list(gateway: &Gateway) -> Raw {
    let list = format!("[{}0]", "0,".repeat(50_000));
    let mut raw = Raw::connect(gateway.address("proxy"));
    let length = list.len();
    raw.send(&format!(
        "POST /list HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{list}"
    ));
    raw
}

#[test]
fn recursive_choices_are_validated_in_bounded_memory() {
    let gateway = mock();
    let before = gateway.peak_memory();
    for depth in [1, 9, 12, 16, 30, 100] {
        let body = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        let answer = gateway.post("/expression", &JSON, body.as_bytes());
        assert_eq!(answer.status, 422, "{depth}");
        assert!(answer.json()["validation"].as_array().unwrap().len() <= 100);
    }
    assert!(gateway.peak_memory() - before < 64 << 20);
    let deep = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    assert_eq!(gateway.post("/expression", &JSON, deep.as_bytes()).status, 400);
    let large = format!("[{}1]", "1,".repeat(4_000_000));
    let answer = gateway.post("/list", &JSON, large.as_bytes());
    assert_eq!((answer.status, &answer.json()["validation"][0]["code"]), (422, &"budget".into()));
    assert!(gateway.peak_memory() - before < 128 << 20);
}

#[test]
fn a_check_that_takes_too_long_is_aborted_and_does_not_delay_other_requests() {
    let gateway = mock();
    let mut first = send_list(&gateway);
    let others: Vec<Raw> = (0..20).map(|_| send_list(&gateway)).collect();
    gateway.get("/easy").assert_response(200, "\"fine\"");
    first.read_until("REQUEST_TOO_COMPLEX");
    assert!(first.received.starts_with("HTTP/1.1 422 "), "{}", first.received);
    gateway.get("/easy").assert_response(200, "\"fine\"");
    drop(others);
}

#[test]
fn a_check_ends_when_its_client_disconnects() {
    let gateway = mock();
    let alone = gateway.processor_time();
    send_list(&gateway).read_until("REQUEST_TOO_COMPLEX");
    let one = gateway.processor_time() - alone;
    let before = gateway.processor_time();
    drop((0..40).map(|_| send_list(&gateway)).collect::<Vec<_>>());
    let mut last = gateway.processor_time();
    crate::eventually("the work ends", || {
        crate::pause(200);
        let now = gateway.processor_time();
        let is_idle = now - last < 2;
        last = now;
        is_idle.then_some(())
    });
    assert!(last - before < one * 20, "{}, and {one} for one", last - before);
    gateway.get("/easy").assert_response(200, "\"fine\"");
}
