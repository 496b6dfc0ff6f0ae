//! Combinations of the extensions of the plugin `mocking`: each keeps its guarantees with the others.

use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::gateway::{Gateway, Setup};

const PETS: &str = r#"
openapi: 3.0.3
info: {title: Pets, version: "1"}
paths:
  /pets:
    get: {responses: {"200": {description: pets, content: {application/json: {example: [{id: 1, name: Rex}]}}}}}
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {type: object, required: [name], properties: {name: {type: string}}}}
      responses:
        "201": {description: pet, content: {application/json: {example: "hello {{request.body.name}}"}}}
  /pets/{id}:
    parameters: [{in: path, name: id, required: true, schema: {type: integer}}]
    get:
      responses:
        "200": {description: pet, content: {application/json: {example: "pet {{request.path.id}}"}}}
    delete: {responses: {"204": {description: gone}}}
"#;

#[track_caller]
fn pets(settings: &str) -> Gateway {
    let config = format!("{{api_specification_filename: api.yaml, {settings}}}");
    let kong = format!(
        "{{_format_version: '3.0', services: [{{name: s, url: 'http://127.0.0.1:1', routes: [{{name: r, paths: [/], plugins: [{{name: mocking, config: {config}}}]}}]}}]}}"
    );
    Setup::with(&kong).file("specs/api.yaml", PETS).run()
}

#[test]
fn an_invalid_body_is_not_stored() {
    let gateway = pets("stateful: true, validate_requests: true");
    let refused = gateway.post("/pets", &[], br#"{"name":7}"#);
    assert_eq!((refused.status, refused.header("content-type")), (422, "application/problem+json"));
    gateway.get("/pets").assert_response(200, r#"[{"id":1,"name":"Rex"}]"#);
    gateway.post("/pets", &[], br#"{"name":"Tom"}"#).assert_response(201, r#"{"id":2,"name":"Tom"}"#);
    assert_eq!(gateway.ask("DELETE", "/pets/two", &[]).status, 422);
    gateway.ask("DELETE", "/pets/2", &[]).assert_response(204, "");
    gateway.get("/pets").assert_response(200, r#"[{"id":1,"name":"Rex"}]"#);
}

#[test]
fn a_template_receives_only_valid_values() {
    let gateway = pets("templates: true, validate_requests: true");
    gateway.post("/pets", &[], br#"{"name":"Tom"}"#).assert_response(201, r#""hello Tom""#);
    assert_eq!(gateway.post("/pets", &[], br#"{"name":7}"#).status, 422);
    gateway.get("/pets/7").assert_response(200, r#""pet 7""#);
    assert_eq!(gateway.get("/pets/seven").status, 422);
}

#[test]
fn state_takes_precedence_over_templates() {
    let gateway = pets("templates: true, stateful: true");
    gateway.post("/pets", &[], br#"{"name":"Tom"}"#).assert_response(201, r#"{"id":2,"name":"Tom"}"#);
    gateway.get("/pets/2").assert_response(200, r#"{"id":2,"name":"Tom"}"#);
    assert_eq!(gateway.get("/pets/9").status, 404);
}

#[test]
fn over_http2_an_injected_abort_ends_only_its_stream() {
    let gateway = pets("connection_reset_rate: 0.5, seed: 1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers: Vec<Option<u16>> = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.address("proxy")).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut answers = Vec::new();
        for _ in 0..20 {
            sender.ready().await.expect("the connection goes on");
            let request = http::Request::get("http://a.example/pets");
            let answer =
                sender.send_request(request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap());
            answers.push(answer.await.ok().map(|response| response.status().as_u16()));
        }
        answers
    });
    assert!(answers.contains(&None) && answers.contains(&Some(200)), "{answers:?}");
}
