//! The file behind the Admin API: concurrent editors, permissions, and its content after a crash.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use crate::{
    client::Client,
    eventually,
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "_format_version: \"3.0\"\nservices:\n- name: a # the first\n  host: a.example\n";

fn saved(gateway: &Gateway) -> String {
    gateway.folder.read("kong.yaml")
}

#[test]
fn a_concurrent_change_of_the_file_is_not_overwritten() {
    let gateway = Setup::with(CONFIG).run();
    for n in 0..20 {
        // The watcher may not have noticed the change yet; the write must.
        let text = format!("{}# edit {n}\n- name: e{n}\n  host: e.example\n", saved(&gateway));
        gateway.folder.write("kong.yaml", &text);
        let answer = gateway.admin_form("POST", "/services", &format!("name=w{n}&host=w.example"));
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert!(saved(&gateway).starts_with(&text));
        assert_eq!(gateway.admin("GET", &format!("/services/e{n}")).status, 200);
    }
    assert_eq!(gateway.admin("GET", "/services?size=1000").json()["data"].as_array().unwrap().len(), 41);
}

#[test]
fn an_invalid_file_is_not_overwritten() {
    let gateway = Setup::with(CONFIG).run();
    gateway.folder.write("kong.yaml", "services: [");
    let answer = gateway.admin_form("POST", "/services", "name=w&host=w.example");
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(saved(&gateway), "services: [");
    assert_eq!(gateway.admin("GET", "/services/a").status, 200);
}

#[test]
fn an_own_write_causes_no_reload() {
    let gateway = Setup::with(CONFIG).run();
    for n in 0..10 {
        assert_eq!(gateway.admin_form("POST", "/services", &format!("name=w{n}&host=w")).status, 201);
    }
    gateway.folder.write("kong.yaml", format!("{}# done\n", saved(&gateway)));
    eventually("the last change is loaded", || {
        (gateway.status()["configuration"]["loads"] == 12).then_some(())
    });
}

#[test]
fn concurrent_writes_all_succeed() {
    let gateway = Setup::with(CONFIG).run();
    let url = gateway.admin_url("/services");
    std::thread::scope(|scope| {
        for n in 0..16 {
            let url = url.clone();
            scope.spawn(move || {
                let body = format!("name=w{n}&host=w.example");
                let headers = [("content-type", "application/x-www-form-urlencoded")];
                let answer = Client::fresh().send("POST", &url, &headers, Some(body.as_bytes())).unwrap();
                assert_eq!(answer.status, 201, "{}", answer.text());
            });
        }
    });
    assert_eq!(saved(&gateway).matches("- name: w").count(), 16);
    assert!(saved(&gateway).starts_with(CONFIG));
}

#[test]
fn links_and_permissions_are_kept() {
    let setup = Setup::new().file("real/conf.yaml", CONFIG);
    let (link, real) = (setup.folder.path().join("kong.yaml"), setup.folder.path().join("real/conf.yaml"));
    std::os::unix::fs::symlink("real/conf.yaml", &link).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let gateway = setup.run();
    assert_eq!(gateway.admin_form("PATCH", "/services/a", "retries=1").status, 200);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&real).unwrap().contains("retries: 1"));
}

#[test]
fn a_configuration_in_memory_is_written_in_memory() {
    let gateway = Setup::with(CONFIG).run();
    let config = json!({ "_format_version": "3.0", "services": [{ "name": "m", "host": "m" }] });
    assert_eq!(gateway.admin_json("POST", "/config", config).status, 201);
    assert_eq!(gateway.admin_form("POST", "/services/m/routes", "name=r&paths=/r").status, 201);
    assert_eq!(gateway.admin_form("PATCH", "/services/m", "retries=2").json()["retries"], 2);
    assert_eq!(gateway.admin("GET", "/routes/r/service").json()["name"], "m");
    assert_eq!(saved(&gateway), CONFIG);
}

#[test]
fn a_json_file_stays_json() {
    let text = "{\n  \"_format_version\": \"3.0\",\n  \"services\": [\n    {\n      \"name\": \"a\",\n      \"host\": \"a\"\n    }\n  ]\n}\n";
    let setup = Setup::new().file("kong.json", text).env("KONG_DECLARATIVE_CONFIG", "kong.json");
    let gateway = setup.run();
    assert_eq!(gateway.admin_form("POST", "/services/a/routes", "name=r&paths=/r").status, 201);
    assert_eq!(gateway.admin_form("PATCH", "/services/a", "retries=2").status, 200);
    let saved: serde_json::Value = serde_json::from_str(&gateway.folder.read("kong.json")).unwrap();
    assert_eq!(saved["services"][0]["routes"][0]["paths"], json!(["/r"]));
    assert_eq!(saved["services"][0]["retries"], 2);
}

#[test]
fn a_killed_gateway_leaves_the_old_text_or_the_new_one() {
    for round in 0..12 {
        let gateway = Setup::with(CONFIG).run();
        let url = gateway.admin_url("/services");
        let writer = std::thread::spawn(move || {
            let mut made = 0;
            loop {
                let body = format!("name=w{made}&host=w.example");
                let headers = [("content-type", "application/x-www-form-urlencoded")];
                match Client::fresh().send("POST", &url, &headers, Some(body.as_bytes())) {
                    Ok(answer) if answer.status == 201 => made += 1,
                    _ => return made,
                }
            }
        });
        eventually("a write is saved", || {
            (saved(&gateway).matches("- name: w").count() > round).then_some(())
        });
        gateway.signal("KILL");
        let made = writer.join().unwrap();
        let text = saved(&gateway);
        let there = text.matches("- name: w").count();
        // The last write may have been saved and not answered.
        assert!(there == made || there == made + 1, "{made} answered, {there} saved");
        let mut expected = CONFIG.to_owned();
        for n in 0..there {
            expected.extend([format!("- name: w{n}\n").as_str(), "  host: w.example\n"]);
        }
        assert_eq!(text, expected);
    }
}
