//! A configuration in several files, and what is said of files that can be loaded and are probably wrong.

use crate::gateway::Setup;

const ONE: &str = "_format_version: \"3.0\"\nservices:\n- {name: a, host: a.example}\n";
const TWO: &str = "_format_version: \"3.0\"\nservices:\n- name: b\n  host: b.example\nroutes:\n- {name: r, paths: [/], service: a}\n";

#[test]
fn a_folder_is_one_configuration() {
    let setup = Setup::new().file("conf.d/10-a.yaml", ONE).file("conf.d/20-b.yml", TWO);
    let setup = setup.file("conf.d/notes.txt", "no yaml: [").file("conf.d/.hidden.yaml", "[");
    for name in ["conf.d", "conf.d/*-?.y*ml"] {
        let checked = setup.call(&["check", name]);
        assert_eq!((checked.code, &*checked.stderr), (Some(0), ""), "{name}: {checked:?}");
        assert_eq!(checked.stdout, format!("{name}: ok: 2 services, 1 route, 0 plugins\n"));
    }
}

#[test]
fn what_stands_twice_is_told_with_both_places() {
    let again = ONE.replace("a.example", "b.example");
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", again);
    let checked = setup.call(&["check", "conf.d"]);
    checked.is_refusal("uniqueness violation: 'services' entity with name set to 'a' already declared");
    checked.is_refusal("--> conf.d/b.yaml:3:10");
    checked.is_refusal("the first one is services[0] in conf.d/a.yaml");
}

#[test]
fn a_fault_is_drawn_in_its_file() {
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", TWO.replace("host:", "hots:"));
    let checked = setup.call(&["check", "conf.d"]);
    checked.is_refusal("--> conf.d/b.yaml:4:3");
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", "services: [");
    setup.call(&["check", "conf.d"]).is_refusal("conf.d/b.yaml:1:");
    Setup::new()
        .file("conf.d/a.txt", "")
        .call(&["check", "conf.d"])
        .is_refusal("no configuration is in here");
}

#[test]
fn a_folder_is_served() {
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", TWO);
    let setup = setup.env("KONG_DECLARATIVE_CONFIG", "conf.d");
    let gateway = setup.start(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert!(gateway.greeting.contains("2 services, 1 route"), "{}", gateway.greeting);
}

/// What is said of a configuration that can be loaded.
#[track_caller]
fn check(text: &str, expected: &str) {
    let checked = Setup::with(&format!("_format_version: \"3.0\"\n{text}\n")).call(&["check", "kong.yaml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stderr.contains(expected), "{expected} is not in {checked:?}");
}

#[test]
fn what_is_probably_wrong_is_told() {
    check("routes: [{name: r, paths: ['/users/{id}']}]", "write it as `~/users/(?<id>[^/]+)$`");
    check("routes: [{name: r, paths: ['/re/\\d+']}]", "an expression is `~/re/\\d+`");
    check(
        "routes: [{name: r, paths: [/a]}, {name: s, paths: [/a]}]",
        "this route never matches: `r` asks for the same and stands before it",
    );
    check(
        "routes: [{name: r, paths: [/a], protocols: [http], plugins: [{name: cors, protocols: [grpc]}]}]",
        "this plugin never runs: it is for grpc, its route for http",
    );
}

#[test]
fn files_of_deck_load() {
    check(
        "_workspace: default\n_konnect: {control_plane_name: x}\nconsumer_groups: [{name: g}]",
        "decK's own",
    );
    let text = "_format_version: \"3.0\"
_info: {select_tags: [t], defaults: {service: {retries: 1}}}
_plugin_configs: {shared: {max_age: 5}}
services:
- name: ${{ env \"DECK_NAME\" }}
  host: h
  plugins: [{name: cors, _config: shared, config: {credentials: true}}]
";
    let setup = Setup::with(text).env("DECK_NAME", "made");
    let gateway = setup.run();
    let service = gateway.admin("GET", "/services/made").json();
    assert_eq!((&service["retries"], &service["tags"]), (&1.into(), &serde_json::json!(["t"])));
    let plugin = &gateway.admin("GET", "/plugins").json()["data"][0];
    assert_eq!((&plugin["config"]["max_age"], &plugin["config"]["credentials"]), (&5.into(), &true.into()));
    Setup::with(text).call(&["check", "kong.yaml"]).is_refusal("environment variable 'DECK_NAME' present");
}
