//! The commands of Kong's Mocking tutorial, unchanged except for the port, with curl and with `HTTPie`; and those of
//! `README.md` and `docs/admin-api.md`, which quote the resulting file.

use std::process::Command;

use crate::gateway::{Gateway, Setup};

const EMPTY: &str = "_format_version: \"3.0\"\n";
const SPEC: &str = r#"{"openapi":"3.0.0","info":{"title":"Stock API","version":"0.1"},"paths":{"/stock/historical":{"get":
{"responses":{"200":{"description":"ok","content":{"application/json":{"example":{"price":91.92}}}}}}}}}"#;

fn start() -> Gateway {
    Setup::with(EMPTY).file("specs/stock-0.1.json", SPEC).run()
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs a command line of the tutorial.
#[track_caller]
fn run(gateway: &Gateway, line: &str) -> String {
    let admin = gateway.address("admin");
    let line = line
        .replace("localhost:8001", admin)
        .replace("127.0.0.1:8001", admin)
        .replace(":8001", &format!("http://{admin}"))
        .replace("localhost:8000", gateway.address("proxy"));
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The file after the tutorial, with either client.
const AFTERWARDS: &str = "\
_format_version: \"3.0\"
services:
- name: Stock-Service
  url: http://httpbin.org/anything
  routes:
  - name: getStockQuote
    paths:
    - /stock/historical
    plugins:
    - name: mocking
      enabled: false
      config:
        api_specification_filename: stock-0.1.json
    - name: cors
      config:
        origins:
        - '*'
";

fn id_of_the_mock(gateway: &Gateway) -> String {
    let plugins = gateway.admin("GET", "/routes/getStockQuote/plugins").json();
    let all = plugins["data"].as_array().unwrap();
    let mock = all.iter().find(|plugin| plugin["name"] == "mocking").unwrap();
    mock["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_tutorial_works_with_curl() {
    if !is_installed("curl") {
        return;
    }
    let gateway = start();
    for line in [
        "curl -sf -i -X POST http://localhost:8001/services --data name='Stock-Service' --data url='http://httpbin.org/anything'",
        "curl -sf -i -X POST http://localhost:8001/services/Stock-Service/routes --data 'name=getStockQuote' --data paths='/stock/historical'",
        "curl -sf -i -X POST http://localhost:8001/routes/getStockQuote/plugins --data name=mocking --data config.api_specification_filename='stock-0.1.json'",
        "curl -sf -i -X POST http://localhost:8001/routes/getStockQuote/plugins --data name=cors --data config.origins='*'",
    ] {
        assert!(run(&gateway, line).starts_with("HTTP/1.1 201 Created"), "{line}");
    }
    assert_eq!(run(&gateway, "curl -sf http://localhost:8000/stock/historical"), "{\"price\":91.92}");
    let id = id_of_the_mock(&gateway);
    let off = format!(
        "curl -sf -i -X PATCH http://localhost:8001/plugins/{id} --data name=mocking --data enabled=false"
    );
    assert!(run(&gateway, &off).starts_with("HTTP/1.1 200 OK"));
    assert_eq!(gateway.folder.read("kong.yaml"), AFTERWARDS);
}

#[test]
fn the_tutorial_works_with_httpie() {
    if !is_installed("http") {
        return;
    }
    let gateway = start();
    for line in [
        "http --ignore-stdin --check-status -h :8001/services name='Stock-Service' url='http://httpbin.org/anything'",
        "http --ignore-stdin --check-status -h -f :8001/services/Stock-Service/routes name='getStockQuote' paths='/stock/historical'",
        "http --ignore-stdin --check-status -h -f :8001/routes/getStockQuote/plugins name='mocking' config.api_specification_filename='stock-0.1.json'",
        "http --ignore-stdin --check-status -h -f :8001/routes/getStockQuote/plugins name=cors config.origins='*'",
    ] {
        assert!(run(&gateway, line).contains("201"), "{line}");
    }
    let id = id_of_the_mock(&gateway);
    let off = format!(
        "http --ignore-stdin --check-status -h -f PATCH :8001/plugins/{id} name=mocking enabled=false"
    );
    assert!(run(&gateway, &off).contains("200"));
    assert_eq!(gateway.folder.read("kong.yaml"), AFTERWARDS);
}

#[test]
fn the_readme_quotes_the_resulting_file() {
    if !is_installed("curl") {
        return;
    }
    let readme = include_str!("../../README.md");
    let tour = readme.split("\n## Admin API\n").nth(1).unwrap();
    let block = |start: &str, n: usize| tour.split(start).nth(n).unwrap().split("```").next().unwrap();
    let spec = include_str!("../../specs/stock-0.1.json");
    let gateway = Setup::with(EMPTY).file("specs/stock-0.1.json", spec).run();
    let commands: Vec<&str> = block("```sh\n", 2).lines().collect();
    assert_eq!(commands.len(), 6, "{commands:?}");
    for line in commands {
        let id = if line.contains("PLUGIN_ID") { id_of_the_mock(&gateway) } else { String::new() };
        let answer = run(&gateway, &line.replace("curl ", "curl -sf ").replace("PLUGIN_ID", &id));
        assert!(!line.contains("localhost:8000") || answer.contains("AAPL"), "{answer}");
    }
    assert_eq!(gateway.folder.read("kong.yaml"), block("```yaml\n", 1));
    assert_eq!(AFTERWARDS, block("```yaml\n", 1));
}

#[test]
fn the_guide_quotes_the_resulting_file() {
    if !is_installed("curl") {
        return;
    }
    let guide = include_str!("../../docs/admin-api.md");
    let gateway = start();
    let block = |start: &str| guide.split(start).nth(1).unwrap().split("```").next().unwrap();
    for line in block("```sh\n").replace("\\\n", " ").lines() {
        run(&gateway, &line.replace("curl ", "curl -sf "));
    }
    assert_eq!(gateway.folder.read("kong.yaml"), block("```yaml\n"));
}

#[test]
fn a_whole_specification_can_be_posted() {
    if !is_installed("curl") {
        return;
    }
    let gateway = start();
    gateway.admin_form("POST", "/routes", "name=r&paths=/stock");
    let file = gateway.folder.at("specs/stock-0.1.json");
    let line = format!(
        "curl -sf -i -X POST http://localhost:8001/routes/r/plugins -F name=mocking -F 'config.api_specification=<{}'",
        file.display()
    );
    assert!(run(&gateway, &line).starts_with("HTTP/1.1 201"), "{line}");
    assert!(gateway.folder.read("kong.yaml").contains("api_specification: |-\n"));
    assert_eq!(run(&gateway, "curl -sf http://localhost:8000/stock/historical"), "{\"price\":91.92}");
}
