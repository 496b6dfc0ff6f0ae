//! Hostile input: each is rejected with exit code 1 and at most one screen of text, and nothing panics.

use std::net::TcpListener;

use crate::gateway::{Outcome, Setup};

const EMPTY: &str = "_format_version: \"3.0\"\n";

/// A mock of this document, inline.
fn mocking(specification: &str) -> String {
    let text = serde_json::Value::from(specification);
    format!(
        "{EMPTY}routes:\n- name: r\n  paths: [/]\n  plugins:\n  - name: mocking\n    config: {{api_specification: {text}}}\n"
    )
}

fn run(setup: &Setup) -> Outcome {
    setup.call(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off", "kong.yaml"])
}

/// Checks that both `run` and `check` refuse this file.
#[track_caller]
fn check(content: impl AsRef<[u8]>, text: &str) {
    let setup = Setup::new().file("kong.yaml", content);
    run(&setup).is_refusal(text);
    setup.call(&["check", "kong.yaml"]).is_refusal(text);
}

#[test]
fn a_missing_file_is_refused() {
    let setup = Setup::new();
    run(&setup).is_refusal("cannot read the configuration: No such file or directory");
    setup.call(&["check", "kong.yaml"]).is_refusal("No such file or directory");
}

#[test]
fn a_directory_is_refused() {
    let setup = Setup::new();
    std::fs::create_dir(setup.folder.at("kong.yaml")).unwrap();
    run(&setup).is_refusal("the directory holds none");
    setup.call(&["check", "kong.yaml"]).is_refusal("add files whose names end with .yaml");
}

#[test]
fn an_unreadable_file_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::with(EMPTY);
    let file = setup.folder.at("kong.yaml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything.
    if std::fs::read(&file).is_err() {
        run(&setup).is_refusal("Permission denied");
    }
}

#[test]
fn a_path_that_is_not_a_regular_file_is_refused() {
    let setup = Setup::new();
    std::os::unix::fs::symlink("/dev/zero", setup.folder.at("kong.yaml")).unwrap();
    run(&setup).is_refusal("it is no regular file");
}

#[test]
fn random_bytes_are_refused() {
    // Ten million bytes, computed without a random number generator.
    let mut state: u32 = 1;
    let garbage: Vec<u8> = (0..10_000_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b' ' + u8::try_from((state >> 16) % 95).unwrap()
        })
        .collect();
    let setup = Setup::new().file("kong.yaml", &garbage);
    run(&setup).is_refusal("error: ");
    let binary: Vec<u8> = garbage.iter().map(|byte| byte.wrapping_mul(7)).collect();
    let setup = Setup::new().file("kong.yaml", binary);
    run(&setup).is_refusal("not UTF-8");
}

#[test]
fn a_document_without_a_version_is_refused() {
    for text in ["{}", "services: []\n"] {
        check(text, "error: ");
    }
}

#[test]
fn invalid_utf8_is_refused() {
    check(b"_format_version: \"3.0\"\n# caf\xe9\n", "not UTF-8: no character begins at byte 28, on line 2");
    check(b"\xff\xfe_\0f\0", "not UTF-8");
    check(b"_format_version: \"3.0\"\0\n", "error: ");
}

#[test]
fn deep_nesting_and_alias_bombs_are_refused() {
    let mut bomb = format!("{EMPTY}a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let all = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb = format!("{bomb}a{n}: &a{n} [{all}]\n");
    }
    check(bomb, "expand to more nodes");
    check(format!("{EMPTY}services: {}", "[".repeat(100_000)), "error: ");
    check(format!("{EMPTY}services:\n{}", "- ".repeat(100_000)), "error: ");
    check(format!("{EMPTY}a: &a [*a]\n"), "error: ");
}

#[test]
fn documents_that_are_not_specifications_are_refused() {
    check(mocking("hello"), "error: ");
    check(mocking("[1, 2]"), "error: ");
    check(mocking("{\"openapi\": \"4.0.0\", \"paths\": {}}"), "openapi");
    check(mocking("{\"swagger\": \"1.2\"}"), "swagger");
    check(mocking("openapi: [\n"), "error: ");
    check(mocking(""), "error: ");
}

/// A specification whose only example refers to something.
fn refers(reference: &str, components: &str) -> String {
    mocking(&format!(
        "\
openapi: 3.0.0
info: {{title: t, version: '1'}}
paths:
  /a:
    get:
      responses:
        '200':
          description: d
          content: {{application/json: {{examples: {{one: {{$ref: '{reference}'}}}}}}}}
{components}
"
    ))
}

#[test]
fn unresolvable_references_are_refused() {
    let dangling = run_with_words(&refers("#/components/examples/Nope", ""));
    assert!(dangling.contains("#/components/examples/Nope"), "{dangling}");
    let circle = "components: {examples: {A: {$ref: '#/components/examples/B'}, B: {$ref: '#/components/examples/A'}}}";
    let circle = run_with_words(&refers("#/components/examples/A", circle));
    assert!(circle.contains("#/components/examples/"), "{circle}");
    let outside = run_with_words(&refers("../../secret.yaml#/a", ""));
    assert!(outside.contains("secret.yaml"), "{outside}");
}

/// The output of `check`, whether or not the file is valid.
#[track_caller]
fn run_with_words(config: &str) -> String {
    let checked = Setup::with(config).call(&["check", "kong.yaml"]);
    assert!(matches!(checked.code, Some(0 | 1)), "{checked:?}");
    assert!(checked.stderr.contains("kong.yaml:"), "it says where: {checked:?}");
    checked.stderr
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setup = Setup::with(EMPTY);
    let refused = setup.call(&["run", "--proxy-listen", &address, "--admin-listen", "off"]);
    refused.is_refusal(&format!("cannot listen on {address} (proxy_listen)"));
    refused.is_refusal("another process has this port");
    let refused = setup.call(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", &address]);
    refused.is_refusal("(admin_listen)");
    let refused = setup.call(&["run", "--proxy-listen", "192.0.2.1:80", "--admin-listen", "off"]);
    refused.is_refusal("this machine has no such address");
}

#[test]
fn an_invalid_address_is_refused() {
    let setup = Setup::with(EMPTY);
    for listen in ["nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:80 sll", ":", "127.0.0.1:x"] {
        let refused = setup.call(&["run", "--proxy-listen", listen]);
        refused.is_refusal("proxy_listen");
        refused.is_refusal("the command line");
    }
}

#[test]
fn an_unknown_plugin_is_refused() {
    check(format!("{EMPTY}plugins:\n- name: mokcing\n"), "mocking");
    check(format!("{EMPTY}plugins:\n- name: saml\n"), "saml");
}
