//! The documents that a configuration names are followed like the configuration itself.

use crate::{
    eventually,
    gateway::{Gateway, Setup},
    reload_edits::update_config_map,
};

const CONFIG: &str = "\
_format_version: \"3.0\"
routes:
- name: r
  paths: [/]
  plugins:
  - {name: mocking, config: {api_specification_filename: api.yaml}}
";

/// A document whose example is this.
fn document(example: &str) -> String {
    format!(
        "\
openapi: 3.0.3
info: {{title: t, version: '1'}}
paths:
  /a:
    get:
      responses:
        '200': {{description: d, content: {{application/json: {{examples: {{one: {example}}}}}}}}}
"
    )
}

fn value(n: u32) -> String {
    document(&format!("{{value: {n}}}"))
}

#[track_caller]
fn answers(gateway: &Gateway, n: u32) {
    let expected = n.to_string();
    eventually(&format!("{n} is served"), || (gateway.get("/a").text() == expected).then_some(()));
}

#[test]
fn a_document_is_followed() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).run();
    answers(&gateway, 1);
    gateway.folder.write("specs/api.yaml", value(2));
    answers(&gateway, 2);
    gateway.folder.write("specs/next.yaml", value(3));
    std::fs::rename(gateway.folder.at("specs/next.yaml"), gateway.folder.at("specs/api.yaml")).unwrap();
    answers(&gateway, 3);
}

#[test]
fn a_document_that_another_one_refers_to_is_followed() {
    let refers = document("{$ref: 'parts/example.yaml#/one'}");
    let part = |n: u32| format!("one: {{value: {n}}}\n");
    let gateway =
        Setup::with(CONFIG).file("specs/api.yaml", refers).file("specs/parts/example.yaml", part(1)).run();
    answers(&gateway, 1);
    gateway.folder.write("specs/parts/example.yaml", part(2));
    answers(&gateway, 2);
}

#[test]
fn a_broken_document_changes_nothing() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).run();
    gateway.folder.write("specs/api.yaml", "openapi: 3.0.0\npaths: [\n");
    gateway.logs("the last good configuration stays live");
    gateway.logs("specs/api.yaml:2:");
    let error = gateway.status()["configuration"]["last_error"]["diagnostics"][0].clone();
    assert!(error["file"].as_str().unwrap().ends_with("specs/api.yaml"), "{error}");
    gateway.get("/a").is(200, "1");
    std::fs::remove_file(gateway.folder.at("specs/api.yaml")).unwrap();
    gateway.logs("cannot read 'api.yaml'");
    gateway.get("/a").is(200, "1");
    gateway.folder.write("specs/api.yaml", value(2));
    answers(&gateway, 2);
}

#[test]
fn a_document_may_come_after_the_configuration_that_names_it() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).run();
    gateway.folder.write("kong.yaml", CONFIG.replace("api.yaml", "later.yaml"));
    gateway.logs("cannot read 'later.yaml'");
    gateway.get("/a").is(200, "1");
    gateway.folder.write("specs/later.yaml", value(2));
    answers(&gateway, 2);
}

#[test]
fn a_document_that_is_named_no_more_is_forgotten() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).file("specs/b.yaml", value(2)).run();
    gateway.folder.write("kong.yaml", CONFIG.replace("api.yaml", "b.yaml"));
    answers(&gateway, 2);
    gateway.folder.write("specs/api.yaml", "broken: [");
    gateway.folder.write("specs/b.yaml", value(3));
    answers(&gateway, 3);
    assert_eq!(gateway.status()["configuration"]["failures"], 0);
}

#[test]
fn documents_of_a_config_map_are_followed() {
    let files = |n: u32| [("kong.yaml", CONFIG.to_owned()), ("api.yaml", value(n))];
    let setup = Setup::new();
    update_config_map(&setup.folder, 1, &files(1));
    let listen = ["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--specs", "."];
    let gateway = setup.start(&listen);
    answers(&gateway, 1);
    for n in 2..=5 {
        update_config_map(&gateway.folder, u64::from(n), &files(n));
        answers(&gateway, n);
    }
}
