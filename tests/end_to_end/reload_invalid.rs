//! An invalid version changes nothing: the last good configuration stays live, and the error is reported.

use std::fs;

use crate::{eventually, gateway::Gateway, reload::Scene};

/// Waits until a load has failed, and returns the reported configuration status.
#[track_caller]
fn wait_for_failure(gateway: &Gateway, failures: u64) -> serde_json::Value {
    eventually("the load fails", || {
        let configuration = gateway.status()["configuration"].clone();
        (configuration["failures"].as_u64() >= Some(failures)).then_some(configuration)
    })
}

/// Replaces `kong.yaml` by something invalid, waits until it is refused, and restores a valid version.
#[track_caller]
fn check(invalidate: impl Fn(&Scene), message: &str, place: &str) {
    let scene = Scene::start();
    let before = scene.gateway.status();
    for n in 2..=3 {
        let loaded = scene.gateway.status();
        invalidate(&scene);
        let refused = wait_for_failure(&scene.gateway, n - 1);
        let error = refused["last_error"]["message"].as_str().unwrap();
        assert!(error.contains(message) && error.starts_with(place), "{error}");
        scene.gateway.wait_for_log("the last good configuration stays live");
        scene.gateway.wait_for_log(message);
        scene.serves_more_requests();
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
fn a_yaml_error_is_refused() {
    let invalidate = |scene: &Scene| scene.gateway.folder.write("kong.yaml", "services: [");
    check(invalidate, "", "kong.yaml:1:");
}

#[test]
fn an_unknown_field_is_refused() {
    let text = "_format_version: \"3.0\"\nservices:\n- {name: a, hots: b}\n";
    check(|scene| scene.gateway.folder.write("kong.yaml", text), "did you mean `host`?", "kong.yaml:3:13");
}

#[test]
fn an_invalid_plugin_is_refused() {
    let text =
        "_format_version: \"3.0\"\nplugins:\n- {name: mocking, config: {api_specification: 'hello: 1'}}\n";
    check(|scene| scene.gateway.folder.write("kong.yaml", text), "", "kong.yaml:3:");
}

#[test]
fn an_empty_file_is_refused() {
    check(|scene| scene.gateway.folder.write("kong.yaml", ""), "expected an object", "kong.yaml:1:1");
}

#[test]
fn a_missing_file_is_refused() {
    let invalidate = |scene: &Scene| fs::remove_file(scene.gateway.folder.at("kong.yaml")).unwrap();
    check(invalidate, "cannot read the configuration", "kong.yaml");
}

#[test]
fn a_directory_in_place_of_the_file_is_refused() {
    let invalidate = |scene: &Scene| {
        let file = scene.gateway.folder.at("kong.yaml");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    };
    check(invalidate, "the directory holds none", "kong.yaml");
}

#[test]
fn a_file_that_is_not_utf8_is_refused() {
    check(|scene| scene.gateway.folder.write("kong.yaml", b"\xff\xfe\x00"), "not UTF-8", "kong.yaml");
}

#[test]
fn an_error_after_an_error_is_refused() {
    let scene = Scene::start();
    scene.gateway.folder.write("kong.yaml", "services: 1\n");
    wait_for_failure(&scene.gateway, 1);
    scene.gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\nroutes: 2\n");
    wait_for_failure(&scene.gateway, 2);
    scene.gateway.wait_for_log("kong.yaml:2:9");
    scene.gateway.folder.write("kong.yaml", scene.text(2));
    scene.serves(2);
    scene.end(2);
}

#[test]
fn a_restored_file_clears_the_error() {
    let scene = Scene::start();
    scene.gateway.folder.write("kong.yaml", "services: 1\n");
    wait_for_failure(&scene.gateway, 1);
    scene.gateway.folder.write("kong.yaml", scene.text(1));
    eventually("the error is over", || {
        scene.gateway.status()["configuration"]["last_error"].is_null().then_some(())
    });
    scene.end(1);
}
