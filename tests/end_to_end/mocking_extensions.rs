//! The mocking plugin beyond Kong's: what else steers it, faults, passing through, state, templates.

use crate::{
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

const USERS: &str = r##"
openapi: 3.0.3
info: {title: Users, version: "1"}
paths:
  /users:
    get:
      responses:
        "200":
          description: users
          content:
            application/json:
              schema: {type: object, required: [id], properties: {id: {type: integer}}}
              examples:
                Jessica: {value: {id: 10, name: Hao}}
                Ron: {value: {id: 20, name: Sasha}}
        "404": {description: none, content: {application/json: {example: {error: none}}}}
        "503": {description: busy, content: {application/json: {example: {error: busy}}}}
  /numbers:
    get:
      responses:
        "200":
          description: numbers
          content: {application/json: {schema: {type: array, minItems: 5, items: {type: number}}}}
  /live:
    get:
      x-mynah-live: true
      responses: {"200": {description: live, content: {application/json: {example: mocked}}}}
"##;

/// A gateway that mocks a document on every path, with these settings, before this service.
#[track_caller]
fn gateway(document: &str, settings: &str, url: &str) -> Gateway {
    let kong = format!(
        "\
_format_version: \"3.0\"
services:
- name: real
  url: {url}
  routes:
  - name: all
    paths: [/]
    plugins:
    - {{name: mocking, config: {{api_specification_filename: api.yaml, {settings}}}}}
"
    );
    Setup::with(&kong).file("specs/api.yaml", document).run()
}

#[track_caller]
fn users(settings: &str) -> Gateway {
    gateway(USERS, settings, "http://127.0.0.1:1")
}

#[test]
fn prefer_steers_and_kongs_headers_win() {
    let gateway = users("");
    let prefer = |it: &str| gateway.ask("GET", "/users", &[("Prefer", it)]);
    prefer("code=404").is(404, r#"{"error":"none"}"#);
    prefer("example=Ron").is(200, r#"{"id":20,"name":"Sasha"}"#);
    prefer("code=201").says(400, "could not find the status code '201'");
    prefer("respond-async").is(200, r#"{"id":10,"name":"Hao"}"#);
    let both = [("Prefer", "code=404"), ("X-Kong-Mocking-Status-Code", "503")];
    gateway.ask("GET", "/users", &both).is(503, r#"{"error":"busy"}"#);
}

#[test]
fn samples_vary_by_seed_and_may_be_new_every_time() {
    let gateway = users("");
    let with = |name, value| gateway.ask("GET", "/numbers", &[(name, value)]).json();
    let seed = |seed| with("X-Mynah-Mocking-Seed", seed);
    assert_eq!(seed("7"), seed("7"));
    assert_ne!(seed("7"), seed("8"));
    assert_ne!(with("Prefer", "dynamic=true"), with("Prefer", "dynamic=true"));
    assert_eq!(gateway.get("/numbers").json(), gateway.get("/numbers").json());
    assert_eq!(users("seed: 7").get("/numbers").json(), seed("7"));
}

#[test]
fn an_answer_says_where_it_comes_from() {
    let gateway = users("");
    let explain = |path| {
        let answer = gateway.ask("GET", path, &[("X-Mynah-Explain", "1")]);
        answer.header("x-mynah-mock").to_owned()
    };
    assert_eq!(explain("/users"), "GET /users; 200; example:Jessica");
    assert_eq!(explain("/numbers"), "GET /numbers; 200; schema");
    assert_eq!(gateway.get("/users").header("x-mynah-mock"), "");
}
