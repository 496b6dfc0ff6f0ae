//! Last good configuration: kept in the prefix, and served after a restart with a source that cannot be used.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use crate::{
    eventually,
    folder::Folder,
    gateway::{Gateway, Setup},
};

const FILE: &str = "prefix/last-good-configuration";

/// A configuration whose only route answers with this text.
fn config(text: &str) -> String {
    format!(
        "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - name: request-termination\n    \
         config: {{status_code: 200, body: {text}, content_type: text/plain}}\n"
    )
}

/// A gateway whose configuration and prefix are in a folder that outlives it.
fn setup(folder: &Folder) -> Setup {
    Setup::new()
        .env("KONG_DECLARATIVE_CONFIG", folder.at("kong.yaml").to_str().unwrap())
        .env("KONG_PREFIX", folder.at("prefix").to_str().unwrap())
        .env("KONG_DECLARATIVE_CONFIG_LAST_GOOD", "on")
}

fn last_good(gateway: &Gateway) -> Value {
    gateway.status()["configuration"]["last_good"].clone()
}

/// Waits until the file holds this text.
#[track_caller]
fn wait_until_kept(folder: &Folder, text: &str) {
    eventually("it is kept", || {
        fs::read_to_string(folder.at(FILE)).is_ok_and(|kept| kept.contains(text)).then_some(())
    });
}

/// Ends a gateway without a chance to finish anything.
fn kill(gateway: Gateway) {
    gateway.signal("KILL");
    drop(gateway.outcome());
}

#[track_caller]
fn serves(gateway: &Gateway, text: &str) {
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.text()), (200, text), "{}", gateway.log());
}

#[test]
fn a_restart_with_a_broken_file_serves_what_was_live() {
    let folder = Folder::new();
    folder.write("kong.yaml", config("first"));
    let gateway = setup(&folder).run();
    serves(&gateway, "first");
    folder.write("kong.yaml", config("second"));
    eventually("it is loaded", || (gateway.get("/").text() == "second").then_some(()));
    wait_until_kept(&folder, "body: second");
    assert_eq!(fs::metadata(folder.at(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(last_good(&gateway)["is_live"], false);
    folder.write("kong.yaml", "_format_version: \"3.0\"\nroutes: [{name: r, paths: [/], pahts: [/]}]\n");
    eventually("it is refused", || {
        (!gateway.status()["configuration"]["last_error"].is_null()).then_some(())
    });
    kill(gateway);

    let gateway = setup(&folder).run();
    serves(&gateway, "second");
    assert!(gateway.greeting.contains("from the last good configuration in "), "{}", gateway.greeting);
    gateway.wait_for_log("kong.yaml has 1 error; the last good configuration, kept in");
    gateway.wait_for_log("pahts");
    let configuration = gateway.status()["configuration"].clone();
    assert_eq!(configuration["last_good"]["is_live"], true, "{configuration}");
    assert_eq!(configuration["last_error"]["diagnostics"][0]["line"], 2, "{configuration}");
    assert_eq!(configuration["file"]["is_current"], false, "{configuration}");
    assert_eq!(gateway.admin("GET", "/status/ready").status, 200);
    assert!(gateway.admin("GET", "/metrics").text().contains("mynah_last_good_config_live 1\n"));
    // A further attempt is logged, too.
    gateway.signal("HUP");
    gateway.wait_for_log("the last good configuration stays live");
    // The text that is live is loaded from the file, as every other one.
    folder.write("kong.yaml", config("second"));
    eventually("it is mended", || (last_good(&gateway)["is_live"] == json!(false)).then_some(()));
    assert_eq!(gateway.status()["configuration"]["last_error"], Value::Null);
    assert!(gateway.admin("GET", "/metrics").text().contains("mynah_last_good_config_live 0\n"));
    folder.write("kong.yaml", config("third"));
    eventually("it is loaded", || (gateway.get("/").text() == "third").then_some(()));
    wait_until_kept(&folder, "body: third");
}

#[test]
fn every_source_that_cannot_be_used_is_replaced() {
    let folder = Folder::new();
    folder.write("kong.yaml", config("kept"));
    let gateway = setup(&folder).run();
    // A stop waits until it is kept.
    gateway.signal("TERM");
    assert_eq!(gateway.outcome().code, Some(0));
    for text in [Some("routes: ["), Some(""), Some("# nothing\n"), None] {
        match text {
            Some(text) => folder.write("kong.yaml", text),
            None => fs::remove_file(folder.at("kong.yaml")).unwrap(),
        }
        let gateway = setup(&folder).run();
        serves(&gateway, "kept");
        assert_eq!(last_good(&gateway)["is_live"], true, "{text:?}");
    }
    // The missing file appears.
    let gateway = setup(&folder).run();
    folder.write("kong.yaml", config("new"));
    eventually("it is loaded", || (gateway.get("/").text() == "new").then_some(()));
}

#[test]
fn a_posted_configuration_is_kept() {
    let folder = Folder::new();
    let empty = || {
        Setup::new()
            .env("KONG_PREFIX", folder.at("prefix").to_str().unwrap())
            .env("KONG_DECLARATIVE_CONFIG_LAST_GOOD", "on")
            .run()
    };
    let gateway = empty();
    assert_eq!(gateway.get("/").status, 404);
    let posted = json!({
        "_format_version": "3.0",
        "routes": [{ "name": "r", "paths": ["/"] }],
        "plugins": [{ "name": "request-termination", "config": { "status_code": 200, "body": "posted" } }],
    });
    assert_eq!(gateway.admin_json("POST", "/config", posted).status, 201);
    wait_until_kept(&folder, "posted");
    kill(gateway);
    let gateway = empty();
    serves(&gateway, "posted");
    // Nothing is wrong: no source was named.
    assert_eq!(last_good(&gateway)["is_live"], false);
    assert_eq!(gateway.status()["configuration"]["last_error"], Value::Null);
}

#[test]
fn documents_are_kept_with_the_configuration() {
    let folder = Folder::new();
    let document = |value: u32| {
        format!(
            "openapi: 3.0.3\ninfo: {{title: t, version: '1'}}\npaths:\n  /a:\n    get:\n      responses:\n        '200': \
             {{description: d, content: {{application/json: {{examples: {{one: {{$ref: 'parts/one.yaml#/one'}}}}}}}}}}\n# {value}\n"
        )
    };
    folder.write(
        "kong.yaml",
        "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - {name: mocking, config: \
         {api_specification_filename: api.yaml}}\n",
    );
    folder.write("specs/api.yaml", document(1));
    folder.write("specs/parts/one.yaml", "one: {value: 1}\n");
    let gateway = setup(&folder).run();
    assert_eq!(gateway.get("/a").text(), "1");
    wait_until_kept(&folder, "parts/one.yaml");
    kill(gateway);
    fs::remove_dir_all(folder.at("specs")).unwrap();
    let gateway = setup(&folder).run();
    assert_eq!(gateway.get("/a").text(), "1", "{}", gateway.log());
    assert_eq!(last_good(&gateway)["is_live"], true);
    // The documents of now count as soon as they can be read.
    folder.write("specs/parts/one.yaml", "one: {value: 2}\n");
    folder.write("specs/api.yaml", document(2));
    eventually("they are loaded", || (gateway.get("/a").text() == "2").then_some(()));
    assert_eq!(last_good(&gateway)["is_live"], false);
}

#[test]
fn a_damaged_file_is_ignored() {
    let folder = Folder::new();
    folder.write("kong.yaml", config("good"));
    let gateway = setup(&folder).run();
    wait_until_kept(&folder, "body: good");
    kill(gateway);
    let kept = fs::read(folder.at(FILE)).unwrap();
    folder.write("kong.yaml", "routes: [");
    for (bytes, reason) in [
        (&kept[..kept.len() / 2], "it is cut off"),
        (&*[&kept[..80], b"x", &kept[81..]].concat(), "its checksum is another one"),
        (b"", "its first line is another one"),
    ] {
        fs::write(folder.at(FILE), bytes).unwrap();
        let outcome = setup(&folder).call(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off"]);
        outcome.is_refusal("did not start");
        assert!(outcome.stderr.contains("is ignored") && outcome.stderr.contains(reason), "{outcome:?}");
    }
    // It does no harm where it is not needed, and is replaced.
    folder.write("kong.yaml", config("better"));
    let gateway = setup(&folder).run();
    serves(&gateway, "better");
    wait_until_kept(&folder, "body: better");
}

#[test]
fn a_prefix_that_cannot_be_written_is_reported_once() {
    let folder = Folder::new();
    folder.write("kong.yaml", config("first"));
    // No folder can be made below a file, not even by root.
    folder.write("file", "");
    let gateway = setup(&folder).env("KONG_PREFIX", folder.at("file/prefix").to_str().unwrap()).run();
    gateway.wait_for_log("the live configuration cannot be kept in");
    for text in ["second", "third"] {
        folder.write("kong.yaml", config(text));
        eventually("it is loaded", || (gateway.get("/").text() == text).then_some(()));
    }
    eventually("it has failed again", || {
        let last_good = last_good(&gateway);
        (last_good["failures"].as_u64() >= Some(2) && last_good["error"].is_string()).then_some(())
    });
    assert_eq!(gateway.log().matches("cannot be kept").count(), 1, "{}", gateway.log());
}

#[test]
fn nothing_is_kept_by_default_and_a_folder_is_required() {
    let folder = Folder::new();
    folder.write("kong.yaml", config("first"));
    let off = || setup(&folder).env("KONG_DECLARATIVE_CONFIG_LAST_GOOD", "off");
    let gateway = off().run();
    serves(&gateway, "first");
    assert_eq!(last_good(&gateway), Value::Null);
    drop(gateway);
    assert!(!folder.at(FILE).exists());
    let outcome = Setup::with(&config("x")).env("KONG_DECLARATIVE_CONFIG_LAST_GOOD", "on").call(&["run"]);
    outcome.is_refusal("KONG_PREFIX");
}
