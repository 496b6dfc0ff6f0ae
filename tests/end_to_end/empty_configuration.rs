//! Start without a configuration, or with one that declares nothing: 404 until one is loaded.

use serde_json::json;

use crate::{eventually, gateway::Setup, upstream::Upstream};

/// A configuration with one Route to this address.
fn config(address: std::net::SocketAddr) -> String {
    format!(
        "{{_format_version: \"3.0\", services: [{{name: s, url: 'http://{address}', routes: [{{name: r, paths: [/]}}]}}]}}"
    )
}

#[test]
fn the_gateway_waits_for_a_configuration() {
    let upstream = Upstream::start();
    let cases = [
        ("no file", Setup::new(), "copy kong.yaml.example to kong.yaml"),
        ("no file, as Kong's charts say it", Setup::new().env("KONG_DATABASE", "off"), "POST /config"),
        ("an empty file", Setup::with(""), "kong.yaml declares nothing"),
        (
            "an empty file that is named",
            Setup::new().file("a.yml", "").env("KONG_DECLARATIVE_CONFIG", "a.yml"),
            "a.yml",
        ),
        ("comments", Setup::with("\u{feff}# nothing\n---\n\n...\n"), "declares nothing"),
        ("only a version", Setup::with("_format_version: \"3.0\"\n"), "declares nothing"),
    ];
    for (case, setup, log) in cases {
        let gateway = setup.run();
        gateway.wait_for_log(log);
        assert_eq!(gateway.get("/").status, 404, "{case}");
        let status = gateway.status();
        assert_eq!(status["configuration_hash"], "0".repeat(32), "{case}");
        assert_eq!(status["configuration"]["last_error"], json!(null), "{case}");
        gateway
            .admin("GET", "/status/ready")
            .assert_message(503, "no configuration available (empty configuration present)");
        let answer = gateway.admin_json("POST", "/config", json!({ "config": config(upstream.address) }));
        assert_eq!(answer.status, 201, "{case}: {}", answer.text());
        assert_eq!(gateway.get("/").status, 200, "{case}");
        gateway.admin("GET", "/status/ready").assert_message(200, "ready");
    }
}

#[test]
fn an_empty_file_is_loaded_once_it_is_filled() {
    let upstream = Upstream::start();
    let gateway = Setup::with("# to be filled\n").run();
    gateway.folder.write("kong.yaml", config(upstream.address));
    eventually("it is loaded", || (gateway.get("/").status == 200).then_some(()));
    assert_eq!(gateway.status()["configuration"]["failures"], 0);
}

#[test]
fn other_commands_need_a_configuration() {
    for command in [&["export"][..], &["explain", "GET", "/"]] {
        let outcome = Setup::new().call(command);
        assert_eq!(outcome.code, Some(1), "{command:?}");
        assert!(outcome.stderr.contains("copy kong.yaml.example to kong.yaml"), "{}", outcome.stderr);
    }
}
