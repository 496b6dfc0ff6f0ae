//! `mynah import`: conversion of OpenAPI documents to a configuration.

use std::path::Path;

use mynah::document::{Dialect, read};
use serde_json::{Value, json};

use crate::gateway::{Outcome, Setup};

/// Operations that differ only in a fragment or a query, as in Box's document.
const FRAGMENTS: &str = "\
openapi: 3.0.3
info: {title: Box, version: '1'}
servers: [{url: 'https://api.example'}]
paths:
  /files/{file_id}#copy:
    get: {operationId: copy, responses: {'200': {description: ok}}}
    put: {operationId: put, responses: {'200': {description: ok}}}
  /files/{id}:
    get: {operationId: get, responses: {'200': {description: ok}}}
  /files/{id}?versions:
    put: {operationId: versions, responses: {'200': {description: ok}}}
";

#[test]
fn operations_that_routes_cannot_distinguish_are_reported_and_left_out() {
    let outcome = Setup::with("").file("box.yaml", FRAGMENTS).call(&["import", "box.yaml"]);
    for text in [
        "GET /files/{file_id}#copy is left out: without its query and fragment, another operation has its path",
        "the route of PUT /files/{file_id}#copy is for /files/{file_id}: routes match no query and no fragment",
        "PUT /files/{id}?versions is left out",
    ] {
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
    }
    let document = read(&outcome.stdout, Dialect::Kong).unwrap().value;
    let routes = document.get("services").unwrap().items()[0].get("routes").unwrap();
    let names: Vec<_> = routes.items().iter().filter_map(|route| route.get("name")?.as_str()).collect();
    assert_eq!(names, ["box_put", "box_get"]);
}

const PETS: &str = "\
openapi: 3.0.3
info: {title: Pet Shop, version: '1'}
x-kong-tags: [shop]
x-kong-service-defaults: {retries: 2, read_timeout: 5000}
x-kong-plugin-cors: {config: {origins: ['*']}}
servers:
- {url: 'https://{host}.example/v1', variables: {host: {default: one}}}
- {url: 'https://two.example:8443/v1'}
x-kong-upstream-defaults: {algorithm: least-connections}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    basic: {type: http, scheme: basic, x-kong-security-basic-auth: {config: {realm: pets}}}
    oauth: {type: oauth2, flows: {}}
  x-kong:
    slow: {config: {minute: 5, policy: local}}
security: [{key: []}]
paths:
  /pets:
    x-kong-plugin-rate-limiting: {$ref: '#/components/x-kong/slow'}
    get:
      operationId: listPets
      responses: {'200': {description: all}}
    post:
      operationId: addPet
      security: [{oauth: []}, {basic: []}]
      x-kong-plugin-rate-limiting: {config: {minute: 1, policy: local}}
      x-kong-plugin-request-validator: {}
      responses: {'201': {description: added}}
  /pets/{pet-id}.json:
    x-kong-route-defaults: {preserve_host: true}
    get:
      x-kong-name: one pet
      security: []
      responses: {'200': {description: one, content: {application/json: {example: {id: 1}}}}}
  /photos/{id}:
    servers: [{url: 'http://photos.example:81'}]
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    put:
      responses: {'204': {description: kept}}
";

fn setup() -> Setup {
    Setup::new().file("pets.yaml", PETS)
}

/// The configuration that is printed, which `mynah check` accepts.
#[track_caller]
fn imported(setup: &Setup, arguments: &[&str]) -> (Value, Outcome) {
    let outcome = setup.call(&[&["import"], arguments].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    setup.folder.write("made.yaml", &outcome.stdout);
    let checked = setup.call(&["check", "made.yaml"]);
    assert!(checked.stdout.starts_with("made.yaml: ok: "), "{checked:?}\n{}", outcome.stdout);
    (Value::from(&read(&outcome.stdout, Dialect::Kong).unwrap().value), outcome)
}

#[test]
fn a_document_becomes_a_service_with_a_route_for_each_operation() {
    let setup = setup();
    let (_, outcome) = imported(&setup, &["pets.yaml"]);
    insta::assert_snapshot!("imported_pets", outcome.stdout);
    for text in [
        "the plugin 'request-validator' is left out",
        "of several security requirements, only one is enforced: basic",
    ] {
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
    }
    let (_, again) = imported(&setup, &["pets.yaml"]);
    assert_eq!(again.stdout, outcome.stdout);
}

#[test]
fn an_imported_configuration_is_served() {
    let setup = setup();
    let made = setup.call(&["import", "--mock", "--output", "kong.yaml", "pets.yaml"]);
    assert_eq!((made.code, &*made.stdout), (Some(0), ""), "{made:?}");
    let gateway = setup.run();
    gateway.get("/pets/7.json").assert_response(200, r#"{"id":1}"#);
    assert_eq!(gateway.get("/pets/7.jso").status, 404);
    assert_eq!(gateway.get("/pets/7/8.json").status, 404);
    assert_eq!(gateway.get("/pets").status, 200);
    assert_eq!(gateway.ask("PUT", "/photos/3", &[]).status, 204);
    assert_eq!(gateway.get("/photos/3").status, 404);
}

#[test]
fn a_mock_may_refer_to_the_file() {
    let setup = Setup::new().file("specs/pets.yaml", PETS).file("specs/more/b.yaml", PETS);
    let (value, _) = imported(&setup, &["--mock=file", "specs/pets.yaml", "specs/more/b.yaml"]);
    let file = |n: usize| {
        let plugins = value["services"][n]["plugins"].as_array().unwrap().iter();
        let mocking = plugins.clone().find(|plugin| plugin["name"] == "mocking").unwrap();
        mocking["config"]["api_specification_filename"].clone()
    };
    assert_eq!((file(0), file(2)), (json!("pets.yaml"), json!("more/b.yaml")));
    let names: Vec<&Value> =
        value["services"].as_array().unwrap().iter().map(|service| &service["name"]).collect();
    assert_eq!(names, ["pet-shop", "pet-shop_photos-id", "pet-shop_2", "pet-shop_2_photos-id"]);
}

#[test]
fn credentials_are_required_except_for_a_mock() {
    let plugins = |arguments: &[&str]| {
        let (value, _) = imported(&setup(), arguments);
        let text = value.to_string();
        ["key-auth", "basic-auth"].map(|plugin| text.contains(&format!("\"name\":\"{plugin}\"")))
    };
    assert_eq!(plugins(&["pets.yaml"]), [true, true]);
    assert_eq!(plugins(&["pets.yaml", "--security=false"]), [false, false]);
    assert_eq!(plugins(&["pets.yaml", "--mock"]), [false, false]);
    assert_eq!(plugins(&["pets.yaml", "--mock", "--security"]), [true, true]);
}

#[test]
fn tags_and_output_format_can_be_chosen() {
    let (value, outcome) = imported(&setup(), &["pets.yaml", "--tag", "a", "--tag", "b", "--format", "json"]);
    assert!(outcome.stdout.starts_with('{'), "{}", outcome.stdout);
    assert_eq!(value["services"][0]["tags"], json!(["a", "b"]));
    assert_eq!(value["services"][0]["routes"][0]["tags"], json!(["a", "b"]));
}

#[test]
fn documents_of_every_version_are_imported() {
    let setup = Setup::new();
    let mut files = Vec::new();
    for folder in ["tests/documents", "specs"] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            if matches!(file.extension().and_then(|extension| extension.to_str()), Some("yaml" | "json")) {
                files.push(std::fs::canonicalize(&file).unwrap().display().to_string());
            }
        }
    }
    files.sort();
    assert!(files.len() > 8, "{files:?}");
    for file in &files {
        for more in [&[] as &[&str], &["--mock"]] {
            let (value, _) = imported(&setup, &[&[&**file], more].concat());
            let services = value["services"].as_array().unwrap();
            let routes: usize =
                services.iter().filter_map(|service| Some(service["routes"].as_array()?.len())).sum();
            assert!(routes > 0, "{file}");
        }
    }
    let all: Vec<&str> = files.iter().map(String::as_str).collect();
    let (value, _) = imported(&setup, &all);
    assert!(value["services"].as_array().unwrap().len() >= files.len());
    let swagger = Path::new("tests/documents/petstore-expanded-2.0.yaml");
    let (value, _) = imported(&setup, &[&std::fs::canonicalize(swagger).unwrap().display().to_string()]);
    let service = &value["services"][0];
    let place = ["protocol", "host", "port", "path"].map(|field| service[field].clone());
    assert_eq!(json!(place), json!(["http", "petstore.swagger.io", 80, "/api"]));
    assert_eq!(service["tags"], json!(["OAS2_import", "OAS2file_petstore-expanded-2.0.yaml"]));
}

#[test]
fn an_invalid_document_is_reported() {
    let setup = setup().file("none.yaml", "a: [").file("kong.yaml", "_format_version: '3.0'\n");
    setup.call(&["import", "none.yaml"]).is_refusal("none.yaml:1:");
    setup.call(&["import", "kong.yaml"]).is_refusal("openapi");
    setup.call(&["import", "nowhere.yaml"]).is_refusal("No such file");
    let wrong = PETS.replace("origins: ['*']", "origin: ['*']");
    let refused = Setup::new().file("pets.yaml", wrong).call(&["import", "pets.yaml"]);
    refused.is_refusal("origin");
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_document_of_a_mock_may_be_missing_at_import() {
    let text = "openapi: 3.0.3\ninfo: {title: Stock, version: '1'}\nservers: [{url: 'http://a.example'}]\n\
                x-kong-plugin-mocking: {config: {api_specification_filename: later.yaml}}\n\
                paths: {/stock: {get: {responses: {'200': {description: all}}}}}\n";
    let wrong = text.replace("later.yaml}", "later.yaml, random_delay: 5}");
    let setup = Setup::new().file("stock.yaml", text).file("wrong.yaml", wrong);
    let outcome = setup.call(&["import", "stock.yaml"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("api_specification_filename: later.yaml"), "{outcome:?}");
    assert!(outcome.stderr.contains("warning: cannot read 'later.yaml'"), "{outcome:?}");
    // Other errors prevent the output.
    setup.call(&["import", "wrong.yaml"]).is_refusal("expected a boolean");
}
