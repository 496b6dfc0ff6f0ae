//! Command line: help, search path of the configuration, `check`, `mock`.

use serde_json::json;

use crate::{client::Client, eventually, gateway::Setup};

const ONE_SERVICE: &str = "_format_version: \"3.0\"\nservices:\n- {name: a, url: http://a.example}\n";
const ONE_ROUTE: &str = "_format_version: \"3.0\"\nroutes:\n- {name: r, paths: [/r]}\n";

const WRONG: &str = "\
_format_version: \"3.0\"
services:
- name: a
  url: http://a.example
  hots: b.example
  routes:
  - name: r
    path: [/r]
    strip_path: maybe
";

const SPECIFICATION: &str = "\
openapi: 3.0.3
info: {title: Names, version: '1'}
paths:
  /name:
    get:
      responses:
        '200':
          description: a name
          content:
            application/json:
              example: {name: NAME}
";

#[test]
fn help_lists_all_commands() {
    let setup = Setup::new();
    let help = setup.call(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in ["run", "check", "mock", "lint"] {
        assert!(help.stdout.contains(&format!("\n  {word} ")), "{word}: {}", help.stdout);
    }
    let help = setup.call(&["run", "--help"]);
    assert_eq!(help.code, Some(0));
    for text in ["KONG_DECLARATIVE_CONFIG", "./kong.yaml", "--specs", "0.0.0.0:8000", "127.0.0.1:8001"] {
        assert!(help.stdout.contains(text), "{text}: {}", help.stdout);
    }
    let version = setup.call(&["--version"]);
    assert_eq!(version.stdout, format!("mynah {}\n", env!("CARGO_PKG_VERSION")));
    let nothing = setup.call(&[]);
    assert!(nothing.code == Some(2) && nothing.stderr.contains("Usage:"), "{nothing:?}");
    let typo = setup.call(&["chekc"]);
    assert!(typo.code == Some(2) && typo.stderr.contains("'check'"), "{typo:?}");
}

/// Checks from which file a gateway starts.
#[track_caller]
fn check_source(setup: Setup, arguments: &[&str], summary: &str) {
    let all = ["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off"];
    let gateway = setup.start(&[&all, arguments].concat());
    let expected =
        format!("mynah {}: proxy http://{}; {summary}", env!("CARGO_PKG_VERSION"), gateway.address("proxy"));
    assert_eq!(gateway.greeting, expected);
}

#[test]
fn the_file_is_searched_in_the_order_of_kong() {
    let service = "1 service, 0 routes, 0 plugins from";
    let route = "0 services, 1 route, 0 plugins from";
    check_source(Setup::with(ONE_SERVICE), &[], &format!("{service} kong.yaml"));
    check_source(Setup::new().file("kong.yml", ONE_SERVICE), &[], &format!("{service} kong.yml"));
    let both = || Setup::with(ONE_SERVICE).file("kong.yml", ONE_ROUTE);
    check_source(both(), &[], &format!("{service} kong.yaml"));
    let configured =
        || both().file("configured.yaml", ONE_ROUTE).env("KONG_DECLARATIVE_CONFIG", "configured.yaml");
    check_source(configured(), &[], &format!("{route} configured.yaml"));
    check_source(configured(), &["kong.yaml"], &format!("{service} kong.yaml"));
    let text = Setup::with(ONE_SERVICE).env("KONG_DECLARATIVE_CONFIG_STRING", ONE_ROUTE);
    check_source(text, &[], &format!("{route} KONG_DECLARATIVE_CONFIG_STRING"));
}

#[test]
fn without_a_file_the_searched_paths_are_logged() {
    let gateway = Setup::new().run();
    gateway.wait_for_log("there is no ./kong.yaml and no ./kong.yml");
}

#[test]
fn check_accepts_valid_configurations() {
    let setup = Setup::with(ONE_SERVICE).file("b.json", r#"{"_format_version": "3.0"}"#);
    let checked = setup.call(&["check", "kong.yaml", "b.json"]);
    let expected =
        "kong.yaml: ok: 1 service, 0 routes, 0 plugins\nb.json: ok: 0 services, 0 routes, 0 plugins\n";
    assert_eq!((checked.code, &*checked.stdout, &*checked.stderr), (Some(0), expected, ""));
    let machine = setup.call(&["check", "--format", "json", "kong.yaml"]);
    assert_eq!((machine.code, &*machine.stdout), (Some(0), "[]\n"));
}

#[test]
fn check_reports_all_errors() {
    let setup =
        Setup::with(WRONG).file("fine.yaml", ONE_SERVICE).file("more.yaml", "_format_version: \"9\"\n");
    let checked = setup.call(&["check", "kong.yaml", "fine.yaml", "more.yaml"]);
    assert_eq!(checked.code, Some(1));
    assert_eq!(
        checked.stdout,
        "kong.yaml: 3 errors\nfine.yaml: ok: 1 service, 0 routes, 0 plugins\nmore.yaml: 1 error\n\
         help: KONG_DECLARATIVE_CONFIG_ON_ERROR=quarantine (mynah run --quarantine) serves the rest of a configuration; \
         requests that an entity with errors would have guarded are answered with 503; mynah check --quarantine lists \
         what is left out\n"
    );
    insta::assert_snapshot!(checked.stderr);
}

#[test]
fn check_reports_errors_as_json() {
    let checked = Setup::with(WRONG).call(&["check", "--format", "json", "kong.yaml"]);
    assert_eq!(checked.code, Some(1));
    let found: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 3);
    assert_eq!(
        found[0],
        json!({
            "file": "kong.yaml", "line": 5, "column": 3, "length": 4, "path": "services[0].hots", "severity": "error",
            "message": "unknown field", "help": "did you mean `host`?",
            "source": [{ "line": 5, "text": "  hots: b.example" }],
        })
    );
}

#[test]
fn a_warning_is_not_an_error() {
    let twice = format!("{ONE_SERVICE}routes: []\nroutes: []\n");
    let checked = Setup::with(&twice).call(&["check", "kong.yaml"]);
    assert_eq!(checked.code, Some(0));
    assert_eq!(checked.stdout, "kong.yaml: ok: 1 service, 0 routes, 0 plugins, 1 warning\n");
    assert!(checked.stderr.contains("warning: this key stands twice"), "{}", checked.stderr);
}

#[test]
fn mock_serves_one_document_and_reloads_it() {
    let setup = Setup::new().file("names.yaml", SPECIFICATION.replace("NAME", "Ada"));
    let gateway = setup.start(&["mock", "names.yaml", "--port", "0"]);
    assert!(!gateway.greeting.contains("admin"), "{}", gateway.greeting);
    let browser = [("origin", "http://page.example"), ("accept", "application/json")];
    let answer = gateway.ask("GET", "/name", &browser);
    answer.assert_response(200, r#"{"name":"Ada"}"#);
    assert_eq!(answer.header("access-control-allow-origin"), "http://page.example");
    assert_eq!(gateway.get("/other").status, 404);

    gateway.folder.write("names.yaml", SPECIFICATION.replace("NAME", "Grace"));
    eventually("the new document is served", || {
        (gateway.get("/name").text() == r#"{"name":"Grace"}"#).then_some(())
    });

    gateway.folder.write("names.yaml", "openapi: [");
    gateway.wait_for_log("the last good configuration stays live");
    let client = Client::kept();
    client.send("GET", &gateway.url("/name"), &[], None).unwrap().assert_response(200, r#"{"name":"Grace"}"#);
}

#[test]
fn mock_reads_json_documents() {
    let text = r#"{"swagger":"2.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":
        {"200":{"description":"a","examples":{"application/json":{"b":1.50,"a":[]}}}}}}}}"#;
    let gateway = Setup::new().file("a.json", text).start(&["mock", "a.json", "--port", "0"]);
    gateway.get("/a").assert_response(200, r#"{"b":1.50,"a":[]}"#);
}

#[test]
fn mock_rejects_documents_that_are_not_openapi() {
    let setup = Setup::with(ONE_SERVICE);
    setup.call(&["mock", "kong.yaml", "--port", "0"]).is_refusal("openapi");
    setup.call(&["mock", "nowhere.yaml", "--port", "0"]).is_refusal("No such file");
}
