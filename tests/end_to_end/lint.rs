//! `mynah lint`: exit codes for CI, positions for editors, and the table of a folder.

use serde_json::{Value, json};

use crate::gateway::Setup;

const DOCUMENT: &str = "\
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  /name:
    get:
      responses:
        '200': {description: '', content: {application/json: {example: NAME, schema: {type: string, DEFAULT}}}}
        '404': {description: ''}
        '500': {description: '', content: {application/json: {schema: {type: integer}}}}
";

fn document(name: &str, default: &str) -> String {
    DOCUMENT.replace("NAME", name).replace("DEFAULT", default)
}

#[track_caller]
fn check(arguments: &[&str], code: i32, summary: &str) {
    let setup = Setup::new()
        .file("good.yaml", document("Ada", "default: Ada"))
        .file("warned.yaml", document("Ada", "default: 5"))
        .file("wrong.yaml", document("5", "default: Ada"));
    let outcome = setup.call(&[&["lint"], arguments].concat());
    assert_eq!((outcome.code, outcome.stdout.trim_end()), (Some(code), summary), "{}", outcome.stderr);
}

#[test]
fn errors_fail_and_warnings_only_where_they_are_denied() {
    check(&["good.yaml"], 0, "good.yaml: 1 operation, 0 errors, 0 warnings");
    check(&["warned.yaml"], 0, "warned.yaml: 1 operation, 0 errors, 1 warning");
    check(&["--deny-warnings", "warned.yaml"], 1, "warned.yaml: 1 operation, 0 errors, 1 warning");
    check(&["--deny-warnings", "good.yaml"], 0, "good.yaml: 1 operation, 0 errors, 0 warnings");
    check(&["wrong.yaml"], 1, "wrong.yaml: 1 operation, 1 error, 0 warnings");
}

#[test]
fn errors_are_rendered_as_text_and_as_json() {
    let setup = Setup::new().file("wrong.yaml", document("5", "default: Ada"));
    let message = "this example breaks its schema: `type` asks for a string, this is a number";
    let drawn = setup.call(&["lint", "wrong.yaml"]).stderr;
    assert!(drawn.contains(message) && drawn.contains("wrong.yaml:7:"), "{drawn}");
    let drawn_line = document("5", "default: Ada").lines().nth(6).unwrap().to_owned();
    let report = setup.call(&["lint", "--format", "json", "wrong.yaml"]).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        report,
        json!([{
            "file": "wrong.yaml", "line": 7, "column": 72, "length": 1, "severity": "error", "message": message,
            "help": null, "path": "paths./name.get.responses.200.content.application/json.example",
            "source": [{ "line": 7, "text": drawn_line }],
        }])
    );
}

/// The rows for a folder, from the JSON output.
fn rows(setup: &Setup) -> Vec<Value> {
    let outcome = setup.call(&["lint", "--bulk", ".", "--format", "json"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_document_of_a_folder_is_a_row_even_if_invalid() {
    let setup = Setup::new()
        .file("a.yaml", document("Ada", "default: Ada"))
        .file("b/c.yml", document("5", "default: Ada"))
        .file("broken.json", "{\"openapi\": ")
        .file("nested.json", "[".repeat(100_000))
        .file("package.json", "{\"name\": \"x\"}")
        .file("read.me", "not looked at");
    let rows = rows(&setup);
    let files: Vec<_> = rows.iter().map(|row| row["file"].as_str().unwrap_or("total")).collect();
    assert_eq!(files, ["a.yaml", "b/c.yml", "broken.json", "nested.json", "package.json", "total"]);
    let counts = |row: &Value| {
        ["operations", "examples", "samples", "empty", "other", "unanswered"]
            .map(|key| row[key].as_u64().unwrap())
    };
    assert_eq!(counts(&rows[0]), [1, 1, 1, 1, 0, 0]);
    assert_eq!(rows[0]["invalid"], json!({"examples": 0, "samples": 0}));
    assert_eq!(rows[1]["invalid"], json!({"examples": 1, "samples": 0}));
    assert_eq!(rows[1]["wrong"][0]["operation"], "GET /name");
    for refused in &rows[2..5] {
        assert_eq!(refused["loaded"], false);
        assert!(!refused["refused"].as_str().unwrap().is_empty());
    }
    let total = &rows[5]["total"];
    assert_eq!(counts(total), [2, 2, 2, 2, 0, 0]);
    assert_eq!((&total["documents"], &total["loaded"], &total["refused"]), (&json!(5), &json!(2), &json!(3)));
}

#[test]
fn the_text_output_for_a_folder_is_a_table() {
    let setup = Setup::new().file("a.yaml", document("5", "default: Ada")).file("b.json", "[]");
    let table = setup.call(&["lint", "--bulk", "."]).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("document") && lines[1].starts_with("a.yaml"), "{table}");
    assert_eq!(
        lines[2].trim(),
        "GET /name 200 application/json (example): `type` asks for a string, this is a number"
    );
    assert!(lines[3].starts_with("b.json  refused: "), "{table}");
    assert!(table.contains("2 documents: 1 loaded, 1 refused"), "{table}");
    Setup::new().call(&["lint", "--bulk", "nowhere"]).is_refusal("cannot read nowhere");
}
