//! Specifications that a configuration names are reloaded like the configuration itself.

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

/// A specification with this example.
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
fn wait_for_answer(gateway: &Gateway, n: u32) {
    let expected = n.to_string();
    eventually(&format!("{n} is served"), || (gateway.get("/a").text() == expected).then_some(()));
}

#[test]
fn a_changed_specification_is_loaded() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).run();
    wait_for_answer(&gateway, 1);
    gateway.folder.write("specs/api.yaml", value(2));
    wait_for_answer(&gateway, 2);
    gateway.folder.write("specs/next.yaml", value(3));
    std::fs::rename(gateway.folder.at("specs/next.yaml"), gateway.folder.at("specs/api.yaml")).unwrap();
    wait_for_answer(&gateway, 3);
}

#[test]
fn a_changed_referenced_document_is_loaded() {
    let refers = document("{$ref: 'parts/example.yaml#/one'}");
    let part = |n: u32| format!("one: {{value: {n}}}\n");
    let gateway =
        Setup::with(CONFIG).file("specs/api.yaml", refers).file("specs/parts/example.yaml", part(1)).run();
    wait_for_answer(&gateway, 1);
    gateway.folder.write("specs/parts/example.yaml", part(2));
    wait_for_answer(&gateway, 2);
}

#[test]
fn an_invalid_specification_changes_nothing() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).run();
    gateway.folder.write("specs/api.yaml", "openapi: 3.0.0\npaths: [\n");
    gateway.wait_for_log("the last good configuration stays live");
    gateway.wait_for_log("specs/api.yaml:2:");
    let error = gateway.status()["configuration"]["last_error"]["diagnostics"][0].clone();
    assert!(error["file"].as_str().unwrap().ends_with("specs/api.yaml"), "{error}");
    gateway.get("/a").assert_response(200, "1");
    std::fs::remove_file(gateway.folder.at("specs/api.yaml")).unwrap();
    gateway.wait_for_log("cannot read 'api.yaml'");
    gateway.get("/a").assert_response(200, "1");
    gateway.folder.write("specs/api.yaml", value(2));
    wait_for_answer(&gateway, 2);
}

#[test]
fn a_specification_may_appear_after_the_configuration_that_names_it() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).run();
    gateway.folder.write("kong.yaml", CONFIG.replace("api.yaml", "later.yaml"));
    gateway.wait_for_log("cannot read 'later.yaml'");
    gateway.get("/a").assert_response(200, "1");
    gateway.folder.write("specs/later.yaml", value(2));
    wait_for_answer(&gateway, 2);
}

#[test]
fn a_specification_that_is_no_longer_named_is_not_watched() {
    let gateway = Setup::with(CONFIG).file("specs/api.yaml", value(1)).file("specs/b.yaml", value(2)).run();
    gateway.folder.write("kong.yaml", CONFIG.replace("api.yaml", "b.yaml"));
    wait_for_answer(&gateway, 2);
    gateway.folder.write("specs/api.yaml", "broken: [");
    gateway.folder.write("specs/b.yaml", value(3));
    wait_for_answer(&gateway, 3);
    assert_eq!(gateway.status()["configuration"]["failures"], 0);
}

#[test]
fn changed_specifications_of_a_config_map_are_loaded() {
    let files = |n: u32| [("kong.yaml", CONFIG.to_owned()), ("api.yaml", value(n))];
    let setup = Setup::new();
    update_config_map(&setup.folder, 1, &files(1));
    let listen = ["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--specs", "."];
    let gateway = setup.start(&listen);
    wait_for_answer(&gateway, 1);
    for n in 2..=5 {
        update_config_map(&gateway.folder, u64::from(n), &files(n));
        wait_for_answer(&gateway, n);
    }
}
