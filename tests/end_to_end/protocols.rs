//! Protocols of plugins: all names of Kong are accepted; plugins of stream protocols handle no request.

use serde_json::json;

use crate::gateway::Setup;

const CONFIG: &str = "\
_format_version: \"3.0\"
routes:
- name: guarded
  paths: [/guarded]
  plugins:
  - {name: ip-restriction, protocols: [http, https, tcp, tls, grpc, grpcs], config: {deny: [127.0.0.1]}}
- name: streams
  paths: [/streams]
  plugins:
  - {name: ip-restriction, protocols: [tcp, tls], config: {deny: [127.0.0.1]}}
  - {name: key-auth, protocols: [tcp, tls_passthrough, udp]}
  - {name: request-termination, protocols: [http, tcp], config: {status_code: 200, message: passed}}
- name: default
  paths: [/default]
  plugins:
  - {name: ip-restriction, config: {deny: [127.0.0.1]}}
";

#[test]
fn protocols_of_streams_are_accepted_and_have_no_requests() {
    let gateway = Setup::with(CONFIG).run();
    for (path, status) in [("/guarded", 403), ("/streams", 200), ("/default", 403)] {
        assert_eq!(gateway.get(path).status, status, "{path}");
    }
    gateway.wait_for_log("request-termination is for HTTP only: it has no effect on tcp");
    let plugin = gateway.admin("GET", "/routes/default/plugins").json()["data"][0].clone();
    assert_eq!(plugin["protocols"], json!(["http", "https", "tcp", "tls", "grpc", "grpcs"]));
}

#[test]
fn requests_name_the_protocols_that_kong_allows_for_the_plugin() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for (name, status) in [("key-auth", 400), ("http-log", 201)] {
        let mut plugin = json!({"name": name, "protocols": ["http", "tcp"]});
        if name == "http-log" {
            plugin["config"] = json!({"http_endpoint": "http://127.0.0.1:1/"});
        }
        let answer = gateway.admin_json("POST", "/plugins", plugin);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    let schema = gateway.admin("GET", "/schemas/plugins/ip-restriction").json();
    let protocols = schema["fields"].as_array().unwrap().iter().find_map(|field| field.get("protocols"));
    let names = json!(["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"]);
    assert_eq!(protocols.unwrap()["elements"]["one_of"], names);
}
