//! Configurations in several files, and warnings about files that can be loaded and are probably wrong.

use crate::{
    eventually,
    gateway::{Gateway, Setup},
    reload_edits::update_config_map,
};

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
fn a_duplicate_is_reported_with_both_positions() {
    let again = ONE.replace("a.example", "b.example");
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", again);
    let checked = setup.call(&["check", "conf.d"]);
    checked.is_refusal("uniqueness violation: 'services' entity with name set to 'a' already declared");
    checked.is_refusal("--> conf.d/b.yaml:3:10");
    checked.is_refusal("the first one is services[0] in conf.d/a.yaml");
}

#[test]
fn an_error_is_rendered_with_its_file() {
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", TWO.replace("host:", "hots:"));
    let checked = setup.call(&["check", "conf.d"]);
    checked.is_refusal("--> conf.d/b.yaml:4:3");
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", "services: [");
    setup.call(&["check", "conf.d"]).is_refusal("conf.d/b.yaml:1:");
    Setup::new()
        .file("conf.d/a.txt", "")
        .call(&["check", "conf.d"])
        .is_refusal("no configuration file found");
}

#[test]
fn a_folder_is_served() {
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", TWO);
    let setup = setup.env("KONG_DECLARATIVE_CONFIG", "conf.d");
    let gateway = setup.start(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert!(gateway.greeting.contains("2 services, 1 route"), "{}", gateway.greeting);
}

/// Runs the gateway with a configuration in several files.
fn run(setup: Setup, files: &str) -> Gateway {
    let setup = setup.env("KONG_DECLARATIVE_CONFIG", files);
    setup.start(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
}

/// Waits until exactly these services are declared.
#[track_caller]
fn declares(gateway: &Gateway, expected: &[&str]) {
    eventually(&format!("the services are {expected:?}"), || {
        let all = gateway.admin("GET", "/services").json();
        let names =
            all["data"].as_array().unwrap().iter().map(|entity| entity["name"].as_str().unwrap().to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        (names == expected).then_some(())
    });
}

#[test]
fn added_and_removed_files_are_loaded() {
    let other = ONE.replace("name: a", "name: c");
    for files in ["conf.d", "conf.d/*.yaml"] {
        let setup = Setup::new().file("conf.d/a.yaml", ONE);
        let gateway = run(setup, files);
        declares(&gateway, &["a"]);
        gateway.folder.write("conf.d/c.yaml", &other);
        declares(&gateway, &["a", "c"]);
        gateway.folder.write("conf.d/c.yaml", other.replace("name: c", "name: d"));
        declares(&gateway, &["a", "d"]);
        gateway.folder.write("conf.d/.e.yaml", "[");
        gateway.folder.write("conf.d/notes.txt", "[");
        std::fs::rename(gateway.folder.at("conf.d/c.yaml"), gateway.folder.at("conf.d/c.off")).unwrap();
        declares(&gateway, &["a"]);
        std::fs::rename(gateway.folder.at("conf.d/c.off"), gateway.folder.at("conf.d/b.yaml")).unwrap();
        declares(&gateway, &["a", "d"]);
        std::fs::remove_file(gateway.folder.at("conf.d/a.yaml")).unwrap();
        declares(&gateway, &["d"]);
        assert_eq!(gateway.status()["configuration"]["last_error"], serde_json::Value::Null);
        // Without any file, the last configuration stays live.
        std::fs::remove_file(gateway.folder.at("conf.d/b.yaml")).unwrap();
        gateway.wait_for_log("no configuration file found");
        declares(&gateway, &["d"]);
        gateway.folder.write("conf.d/a.yaml", ONE);
        declares(&gateway, &["a"]);
    }
}

#[test]
fn a_mounted_folder_is_updated() {
    let file = |name: &str| ONE.replace("name: a", &format!("name: {name}"));
    let setup = Setup::new();
    update_config_map(&setup.folder, 1, &[("a.yaml", file("a"))]);
    let gateway = run(setup, ".");
    declares(&gateway, &["a"]);
    update_config_map(&gateway.folder, 2, &[("a.yaml", file("a")), ("b.yaml", file("b"))]);
    declares(&gateway, &["a", "b"]);
    update_config_map(&gateway.folder, 3, &[("b.yaml", file("c"))]);
    std::fs::remove_file(gateway.folder.at("a.yaml")).unwrap();
    declares(&gateway, &["c"]);
}

#[test]
fn a_configuration_in_several_files_is_read_only() {
    let setup = Setup::new().file("conf.d/a.yaml", ONE).file("conf.d/b.yaml", TWO);
    let gateway = run(setup, "conf.d");
    let refused = gateway.admin_form("PATCH", "/services/a", "retries=1");
    assert_eq!(refused.status, 405, "{}", refused.text());
    assert_eq!(refused.json()["why"], "conf.d consists of several files; edit those");
    assert_eq!(
        (gateway.folder.read("conf.d/a.yaml"), gateway.folder.read("conf.d/b.yaml")),
        (ONE.into(), TWO.into())
    );
}

/// Checks the warnings about a configuration that can be loaded.
#[track_caller]
fn check(text: &str, expected: &str) {
    let checked = Setup::with(&format!("_format_version: \"3.0\"\n{text}\n")).call(&["check", "kong.yaml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stderr.contains(expected), "{expected} is not in {checked:?}");
}

#[test]
fn likely_mistakes_are_reported() {
    check("routes: [{name: r, paths: ['/users/{id}']}]", "write it as `~/users/(?<id>[^/]+)$`");
    check("routes: [{name: r, paths: ['/re/\\d+']}]", "an expression is `~/re/\\d+`");
    check(
        "routes: [{name: r, paths: [/a]}, {name: s, paths: [/a]}]",
        "this route never matches: `r` matches all that it does, and goes before it: they rank the same, and its id",
    );
    check(
        "routes: [{name: r, paths: [/a], protocols: [http], plugins: [{name: cors, protocols: [grpc]}]}]",
        "this plugin never runs: it is for grpc, its route for http",
    );
    let mock = |route: &str, config: &str| {
        let document = "{openapi: 3.0.3, info: {title: t, version: v}, servers: [{url: /v1}], paths: {\"/stock/{id}\": {get: {}}, /b: {}}}";
        format!(
            "routes: [{{name: r, paths: [{route}], plugins: [{{name: mocking, config: {{api_specification: '{document}'{config}}}}}]}}]"
        )
    };
    let message = "no path of its routes is a path of its document: the routes have";
    check(&mock("/mock", ""), message);
    check(&mock("/v1/stock", ""), message);
    check(&mock("'~/mock/.*'", ""), message);
    check(&mock("/stock", ", include_base_path: true"), message);
    for (route, config) in [
        ("/", ""),
        ("/stock", ""),
        ("/stock/", ""),
        ("/stock/1/2", ""),
        ("/mock, /st", ""),
        ("'~/stock/\\d+$'", ""),
        ("'~/(a|b)'", ""),
        ("/v1/stock", ", include_base_path: true"),
        ("/x/stock", ", include_base_path: true, custom_base_path: /x"),
    ] {
        let text = format!("_format_version: \"3.0\"\n{}\n", mock(route, config));
        let checked = Setup::with(&text).call(&["check", "kong.yaml"]);
        assert!(checked.code == Some(0) && !checked.stderr.contains(message), "{route}: {checked:?}");
    }
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

/// `ws` and `wss` are of Kong's Enterprise gateway: files may have them, `POST /config` refuses them as the open-source
/// gateway does.
#[test]
fn files_of_the_enterprise_gateway_load() {
    check(
        "services: [{host: h, protocol: wss, routes: [{name: r, paths: [/a], protocols: [ws, wss]}]}]",
        "`ws` and `wss` are read as `http` and `https`",
    );
    let text = "_format_version: \"3.0\"\nservices: [{name: s, url: 'wss://h/a'}]\n";
    let gateway = Setup::with(text).run();
    let service = gateway.admin("GET", "/services/s").json();
    assert_eq!((&service["protocol"], &service["port"]), (&"https".into(), &443.into()));
    let config =
        serde_json::json!({ "_format_version": "3.0", "services": [{ "host": "h", "protocol": "ws" }] });
    let refused = gateway.admin_json("POST", "/config", config);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("expected one of: grpc, grpcs, http, https, tcp"), "{}", refused.text());
}
