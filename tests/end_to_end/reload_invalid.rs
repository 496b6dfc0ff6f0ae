//! A version that cannot be used changes nothing: the last good one goes on, and everybody is told why.

use std::fs;

use crate::{eventually, gateway::Gateway, reload::Scene};

/// Waits until a load has failed, and returns what is said about it.
#[track_caller]
fn failed(gateway: &Gateway, failures: u64) -> serde_json::Value {
    eventually("the load fails", || {
        let configuration = gateway.status()["configuration"].clone();
        (configuration["failures"].as_u64() >= Some(failures)).then_some(configuration)
    })
}

/// Puts something in the place of `kong.yaml`, waits until it is refused, and goes back to a valid version.
#[track_caller]
fn check(spoil: impl Fn(&Scene), message: &str, place: &str) {
    let scene = Scene::start();
    let before = scene.gateway.status();
    for n in 2..=3 {
        let loaded = scene.gateway.status();
        spoil(&scene);
        let refused = failed(&scene.gateway, n - 1);
        let error = refused["last_error"]["message"].as_str().unwrap();
        assert!(error.contains(message) && error.starts_with(place), "{error}");
        scene.gateway.logs("the last good configuration stays live");
        scene.gateway.logs(message);
        scene.goes_on();
        assert_eq!(scene.current(), n - 1);
        let now = scene.gateway.status();
        assert_eq!(now["configuration_hash"], loaded["configuration_hash"]);
        for same in ["loaded_at", "generation", "loads"] {
            assert_eq!(now["configuration"][same], loaded["configuration"][same], "{same}");
        }
        let file = scene.gateway.folder.at("kong.yaml");
        if file.is_dir() {
            fs::remove_dir(&file).unwrap();
        }
        fs::write(&file, scene.text(n)).unwrap();
        scene.serves(n);
        assert_eq!(scene.gateway.status()["configuration"]["last_error"], serde_json::Value::Null);
    }
    let gateway = scene.end(3);
    assert_ne!(gateway.status()["configuration_hash"], before["configuration_hash"]);
}

#[test]
fn no_yaml() {
    let spoil = |scene: &Scene| scene.gateway.folder.write("kong.yaml", "services: [");
    check(spoil, "", "kong.yaml:1:");
}

#[test]
fn an_unknown_field() {
    let text = "_format_version: \"3.0\"\nservices:\n- {name: a, hots: b}\n";
    check(|scene| scene.gateway.folder.write("kong.yaml", text), "did you mean `host`?", "kong.yaml:3:13");
}

#[test]
fn a_plugin_that_cannot_be_made() {
    let text =
        "_format_version: \"3.0\"\nplugins:\n- {name: mocking, config: {api_specification: 'hello: 1'}}\n";
    check(|scene| scene.gateway.folder.write("kong.yaml", text), "", "kong.yaml:3:");
}

#[test]
fn nothing() {
    check(|scene| scene.gateway.folder.write("kong.yaml", ""), "expected an object", "kong.yaml:1:1");
}

#[test]
fn no_file() {
    let spoil = |scene: &Scene| fs::remove_file(scene.gateway.folder.at("kong.yaml")).unwrap();
    check(spoil, "cannot read the configuration", "kong.yaml");
}

#[test]
fn a_directory() {
    let spoil = |scene: &Scene| {
        let file = scene.gateway.folder.at("kong.yaml");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    };
    check(spoil, "it is a directory", "kong.yaml");
}

#[test]
fn no_text() {
    check(|scene| scene.gateway.folder.write("kong.yaml", b"\xff\xfe\x00"), "not UTF-8", "kong.yaml");
}

#[test]
fn an_error_after_an_error() {
    let scene = Scene::start();
    scene.gateway.folder.write("kong.yaml", "services: 1\n");
    failed(&scene.gateway, 1);
    scene.gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\nroutes: 2\n");
    failed(&scene.gateway, 2);
    scene.gateway.logs("kong.yaml:2:9");
    scene.gateway.folder.write("kong.yaml", scene.text(2));
    scene.serves(2);
    scene.end(2);
}

#[test]
fn back_to_what_is_served() {
    let scene = Scene::start();
    scene.gateway.folder.write("kong.yaml", "services: 1\n");
    failed(&scene.gateway, 1);
    scene.gateway.folder.write("kong.yaml", scene.text(1));
    eventually("the error is over", || {
        scene.gateway.status()["configuration"]["last_error"].is_null().then_some(())
    });
    scene.end(1);
}
