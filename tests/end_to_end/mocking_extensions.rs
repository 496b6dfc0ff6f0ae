//! Extensions of the plugin `mocking` beyond Kong's: the header Prefer, faults, pass-through, state, templates.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{
    PATIENCE,
    client::Client,
    eventually,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

const USERS: &str = r#"
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
"#;

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
fn prefer_chooses_the_answer_and_headers_of_kong_take_precedence() {
    let gateway = users("");
    let prefer = |preference: &str| gateway.ask("GET", "/users", &[("Prefer", preference)]);
    prefer("code=404").assert_response(404, r#"{"error":"none"}"#);
    prefer("example=Ron").assert_response(200, r#"{"id":20,"name":"Sasha"}"#);
    prefer("code=201").assert_message(400, "could not find the status code '201'");
    prefer("respond-async").assert_response(200, r#"{"id":10,"name":"Hao"}"#);
    let both = [("Prefer", "code=404"), ("X-Kong-Mocking-Status-Code", "503")];
    gateway.ask("GET", "/users", &both).assert_response(503, r#"{"error":"busy"}"#);
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
fn a_response_names_its_source() {
    let gateway = users("");
    let explain = |path| {
        let answer = gateway.ask("GET", path, &[("X-Mynah-Explain", "1")]);
        answer.header("x-mynah-mock").to_owned()
    };
    assert_eq!(explain("/users"), "GET /users; 200; example:Jessica");
    assert_eq!(explain("/numbers"), "GET /numbers; 200; schema");
    assert_eq!(gateway.get("/users").header("x-mynah-mock"), "");
}

#[test]
fn faults_are_injected_as_configured() {
    let gateway = users("fault_rate: 1, fault_status_codes: [503]");
    gateway.get("/users").assert_response(503, r#"{"error":"busy"}"#);
    gateway.get("/numbers").assert_message(503, "Service Unavailable");
    let gateway = users("fault_rate: 0.5, seed: 1");
    let statuses: Vec<u16> = (0..20).map(|_| gateway.get("/users").status).collect();
    assert!(statuses.contains(&200) && statuses.iter().any(|status| *status >= 500), "{statuses:?}");
    let again = users("fault_rate: 0.5, seed: 1");
    assert_eq!(statuses, (0..20).map(|_| again.get("/users").status).collect::<Vec<_>>());
}

#[test]
fn connections_are_aborted_as_configured() {
    let gateway = users("connection_reset_rate: 1");
    let mut connection = TcpStream::connect(gateway.address("proxy")).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(b"GET /users HTTP/1.1\r\nhost: a.example\r\n\r\n").unwrap();
    let end = connection.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    let half = users("connection_reset_rate: 0.5, seed: 1");
    let ask = || Client::fresh().send("GET", &half.url("/users"), &[], None).map(|answer| answer.status).ok();
    let answers: Vec<_> = (0..20).map(|_| ask()).collect();
    assert!(answers.contains(&None) && answers.contains(&Some(200)), "{answers:?}");
}

#[test]
fn latency_follows_the_configured_distribution() {
    let took = |settings: &str| {
        let gateway = users(settings);
        let started = Instant::now();
        gateway.get("/users").assert_response(200, r#"{"id":10,"name":"Hao"}"#);
        started.elapsed()
    };
    let shortest = Duration::from_millis(150);
    assert!(took("latency: {distribution: fixed, milliseconds: 150}") >= shortest);
    assert!(took("latency: {distribution: uniform, min: 150, max: 200}") >= shortest);
    assert!(took("latency: {distribution: lognormal, median: 200, p99: 200}") >= shortest);
}

#[test]
fn a_request_that_is_not_mocked_goes_to_the_service() {
    let upstream = Upstream::start();
    let url = format!("http://{}/real", upstream.address);
    let open = gateway(USERS, "passthrough: undefined", &url);
    open.get("/users").assert_response(200, r#"{"id":10,"name":"Hao"}"#);
    for (method, path) in [("GET", "/live?a=b"), ("GET", "/elsewhere"), ("PUT", "/users")] {
        let answer = open.ask(method, path, &[("X-Kong-Mocking-Delay", "-1")]);
        assert_eq!(answer.header("x-kong-mocking-plugin"), "");
        assert_eq!(answer.json()["target"], format!("/real{path}"), "{method}");
    }
    let closed = gateway(USERS, "passthrough: none", &url);
    closed.get("/live").assert_response(200, r#""mocked""#);
    assert_eq!(closed.get("/elsewhere").status, 404);
}

const PETS: &str = r#"
openapi: 3.0.3
info: {title: Pets, version: "1"}
paths:
  /pets:
    get: {responses: {"200": {description: pets, content: {application/json: {example: [{id: 1, name: Rex}]}}}}}
    post: {responses: {"201": {description: pet, content: {application/json: {}}}}}
  /pets/{id}:
    get:
      responses:
        "200": {description: pet, content: {application/json: {}}}
        "404": {description: none, content: {application/json: {example: {error: no such pet}}}}
    delete: {responses: {"204": {description: gone}}}
"#;

#[test]
fn a_mock_keeps_state_until_it_is_reset() {
    let gateway = gateway(PETS, "stateful: true", "http://127.0.0.1:1");
    let seeds = r#"[{"id":1,"name":"Rex"}]"#;
    let create = || {
        let answer = gateway.post("/pets", &[("X-Mynah-Explain", "1")], br#"{"name":"Tom"}"#);
        answer.assert_response(201, r#"{"id":2,"name":"Tom"}"#);
        assert_eq!(answer.header("x-mynah-mock"), "POST /pets; 201; state");
        gateway.get("/pets/2").assert_response(200, r#"{"id":2,"name":"Tom"}"#);
    };
    create();
    gateway.ask("DELETE", "/pets/1", &[]).assert_response(204, "");
    gateway.get("/pets").assert_response(200, r#"[{"id":2,"name":"Tom"}]"#);
    assert_eq!(gateway.admin("DELETE", "/mock/state").status, 204);
    gateway.get("/pets").assert_response(200, seeds);
    gateway.get("/pets/2").assert_response(404, r#"{"error":"no such pet"}"#);
    assert_eq!(gateway.admin("GET", "/mock/state").status, 405);
    create();
    let kong = std::fs::read_to_string(gateway.folder.at("kong.yaml")).unwrap();
    gateway.folder.write("kong.yaml", format!("{kong}# saved again\n"));
    eventually("a reload forgets", || (gateway.get("/pets").text() == seeds).then_some(()));
}

#[test]
fn templates_fill_examples_from_the_request() {
    let template = PETS.replace(
        "{error: no such pet}",
        "{id: '{{request.path.id|int}}', page: '{{request.query.page}}', by: '{{request.headers.x}}'}",
    );
    let templates = gateway(&template, "templates: true", "http://127.0.0.1:1");
    let asked = [("X", "ada"), ("Prefer", "code=404")];
    templates.ask("GET", "/pets/7?page=2", &asked).assert_response(404, r#"{"id":7,"page":"2","by":"ada"}"#);
    let created = PETS.replacen(
        "content: {application/json: {}}",
        "content: {application/json: {example: 'hello {{request.body.name}}'}}",
        1,
    );
    let templates = gateway(&created, "templates: true", "http://127.0.0.1:1");
    templates.post("/pets", &[], br#"{"name":"Tom"}"#).assert_response(201, r#""hello Tom""#);
}

#[test]
fn an_invalid_template_is_reported_at_its_position() {
    let broken = USERS.replace("name: Hao", "name: '{{ 1 + }}'");
    let kong = "{_format_version: '3.0', plugins: [{name: mocking, config: {api_specification_filename: api.yaml, templates: true}}]}";
    let setup = Setup::with(kong).file("specs/api.yaml", broken);
    let line = USERS.lines().position(|line| line.contains("Hao")).unwrap() + 1;
    setup.call(&["run", "--proxy-listen", "127.0.0.1:0"]).is_refusal(&format!("specs/api.yaml:{line}:"));
}
