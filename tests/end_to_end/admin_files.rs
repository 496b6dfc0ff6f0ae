//! Files of the portal in the folder of specs, and paths below a workspace.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use crate::{
    eventually,
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "\
_format_version: \"3.0\"
services:
- name: stock
  host: stock.example
  routes:
  - name: history
    paths: [/stock]
    strip_path: false
    plugins:
    - name: mocking
      config: {api_specification_filename: used.yaml}
";

fn spec(price: &str) -> String {
    format!(
        "openapi: 3.0.0\ninfo: {{title: t, version: '1'}}\npaths:\n  /stock:\n    get:\n      responses:\n        \
         '200':\n          description: ok\n          content: {{application/json: {{example: {{price: {price}}}}}}}\n"
    )
}

fn setup() -> Setup {
    Setup::with(CONFIG).file("specs/used.yaml", spec("1"))
}

#[track_caller]
fn post(gateway: &Gateway, path: &str, contents: &str) -> (u16, Value) {
    let answer = gateway.admin_json("POST", "/files", json!({ "path": path, "contents": contents }));
    (answer.status, answer.json())
}

#[test]
fn a_saved_file_that_is_in_use_is_live() {
    let gateway = setup().run();
    gateway.get("/stock").assert_response(200, "{\"price\":1}");
    let answer = gateway.admin_json("PATCH", "/files/specs/used.yaml", json!({ "contents": spec("2") }));
    assert_eq!((answer.status, &answer.json()["in_use"]), (200, &json!(true)), "{}", answer.text());
    eventually("the mock answers from the saved file", || {
        (gateway.get("/stock").text() == "{\"price\":2}").then_some(())
    });
    let refused = gateway.admin("DELETE", "/files/specs/used.yaml");
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("by the plugin mocking of the route history"), "{}", refused.text());
    assert_eq!(gateway.admin("DELETE", "/files/specs/used.yaml?force=true").status, 204);
    assert!(!gateway.folder.at("specs/used.yaml").exists());
    // Its configuration stays live, as after any change that cannot be loaded.
    gateway.get("/stock").assert_response(200, "{\"price\":2}");
}

#[test]
fn a_text_that_is_no_document_is_saved_by_force_only() {
    let gateway = setup().run();
    for contents in ["openapi: [", "just a text", "{\"openapi\":\"9.9.9\"}", ""] {
        let (status, answer) = post(&gateway, "specs/new.yaml", contents);
        assert_eq!(status, 400, "{contents}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains("?force=true"), "{answer}");
        assert!(answer["lint"]["errors"].as_u64() > Some(0), "{answer}");
        assert!(!gateway.folder.at("specs/new.yaml").exists());
    }
    let body = json!({ "path": "specs/new.yaml", "contents": "openapi: [" });
    let forced = gateway.admin_json("POST", "/files?force=true", body);
    assert_eq!((forced.status, forced.json()["lint"]["errors"].as_u64()), (201, Some(1)));
    assert_eq!(gateway.folder.read("specs/new.yaml"), "openapi: [");
    // Findings that leave the document readable do not keep it from being saved.
    let body = json!({ "contents": spec("1").replace("'200'", "'999'") });
    let warned = gateway.admin_json("PUT", "/files/specs/new.yaml", body);
    assert_eq!(warned.status, 200, "{}", warned.text());
    assert!(!warned.json()["lint"]["diagnostics"].as_array().unwrap().is_empty());
}

#[test]
fn paths_stay_in_the_folder() {
    let gateway = setup().file("outside.yaml", "secret: true\n").run();
    symlink("../outside.yaml", gateway.folder.at("specs/link.yaml")).unwrap();
    symlink("..", gateway.folder.at("specs/up")).unwrap();
    symlink("nowhere.yaml", gateway.folder.at("specs/broken.yaml")).unwrap();
    for path in [
        "specs/../outside.yaml",
        "specs/link.yaml",
        "specs/up/outside.yaml",
        "specs/up/new.yaml",
        "specs/broken.yaml",
        "specs//x.yaml",
        "specs/.hidden.yaml",
        "specs/x.html",
        "specs/",
        "specs",
        "/etc/x.yaml",
        "partials/header.yaml",
        "content/x.yaml",
        "",
    ] {
        let (status, answer) = post(&gateway, path, &spec("1"));
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(answer["fields"]["path"].is_string(), "{path}: {answer}");
    }
    for path in
        ["specs%2F..%2Foutside.yaml", "specs/link.yaml", "specs/up/outside.yaml", "partials/header.html", "x"]
    {
        let answer = gateway.admin("GET", &format!("/files/{path}"));
        assert!(matches!(answer.status, 400 | 404) && !answer.text().contains("secret"), "{}", answer.text());
        let body = json!({ "contents": spec("1") });
        assert!(matches!(gateway.admin_json("PUT", &format!("/files/{path}"), body).status, 400 | 404));
        assert!(matches!(gateway.admin("DELETE", &format!("/files/{path}")).status, 400 | 404));
    }
    assert_eq!(gateway.folder.read("outside.yaml"), "secret: true\n");
    assert!(!gateway.folder.at("new.yaml").exists());
    // An encoded slash is one of the path.
    assert_eq!(gateway.admin("GET", "/files/specs%2Fused.yaml").status, 200);
    let listed = gateway.admin("GET", "/files").json();
    let paths: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["specs/used.yaml"]);
    let id = listed["data"][0]["id"].as_str().unwrap();
    assert_eq!(gateway.admin("GET", &format!("/files/{id}")).json()["path"], "specs/used.yaml");
}

#[test]
fn faults_of_a_request_name_their_fields() {
    let gateway = setup().run();
    for (method, path, body, field) in [
        ("POST", "/files", json!({ "contents": "x" }), "path"),
        ("POST", "/files", json!({ "path": "specs/x.yaml" }), "contents"),
        ("POST", "/files", json!({ "path": 1, "contents": "x" }), "path"),
        ("POST", "/files", json!({ "path": "specs/x.yaml", "contents": {} }), "contents"),
        (
            "POST",
            "/files",
            json!({ "path": "specs/x.yaml", "contents": "x".repeat((8 << 20) + 1) }),
            "contents",
        ),
        ("PUT", "/files/specs/x.yaml", json!({ "path": "specs/y.yaml", "contents": "x" }), "path"),
        ("PUT", "/files/specs/x.yaml", json!({}), "contents"),
    ] {
        let answer = gateway.admin_json(method, path, body);
        assert_eq!((answer.status, answer.json()["code"].as_i64()), (400, Some(2)), "{}", answer.text());
        assert!(answer.json()["fields"][field].is_string(), "{}", answer.text());
    }
    let missing = gateway.admin_json("PATCH", "/files/specs/x.yaml", json!({ "contents": spec("1") }));
    assert_eq!(missing.status, 404);
    assert_eq!(gateway.admin("GET", "/files/specs/x.yaml").status, 404);
    assert_eq!(gateway.admin("DELETE", "/files/specs/x.yaml").status, 204);
    assert_eq!(gateway.admin("POST", "/files/specs/x.yaml").status, 405);
    assert_eq!(gateway.admin_json("POST", "/files?force=perhaps", json!({})).status, 400);
    // HTTPie and curl send forms.
    let form = gateway.admin_form(
        "POST",
        "/files",
        &format!(
            "path=specs/x.yaml&contents={}",
            "openapi: 3.0.0%0Ainfo: {title: t, version: '1'}%0Apaths: {}%0A"
        ),
    );
    assert_eq!(form.status, 201, "{}", form.text());
}

#[test]
fn the_folder_holds_a_limited_number_of_documents() {
    let gateway = setup().run();
    for number in 1..500 {
        gateway.folder.write(&format!("specs/{number}.yaml"), spec("1"));
    }
    let (status, answer) = post(&gateway, "specs/one-more.yaml", &spec("1"));
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().contains("500 documents"), "{answer}");
    let page = gateway.admin("GET", "/files?size=1000").json();
    assert_eq!(page["data"].as_array().unwrap().len(), 500);
}

#[test]
fn files_are_not_written_where_writes_are_off_or_impossible() {
    let off = setup().env("KONG_ADMIN_WRITES", "off").run();
    for (method, path, verb) in [
        ("POST", "/files", "create"),
        ("PUT", "/files/specs/x.yaml", "create or update"),
        ("PATCH", "/files/specs/used.yaml", "update"),
        ("DELETE", "/files/specs/used.yaml", "remove"),
    ] {
        let name = path.strip_prefix("/files/").unwrap_or("specs/x.yaml");
        let answer = off.admin_json(method, path, json!({ "path": name, "contents": spec("1") }));
        let message = format!("cannot {verb} 'files' entities when not using a database");
        assert_eq!((answer.status, answer.json()["message"].as_str()), (405, Some(&*message)));
    }
    assert_eq!(off.admin("GET", "/files/specs/used.yaml").json()["contents"], spec("1"));

    // Also root cannot create files there.
    let read_only = Setup::with("_format_version: \"3.0\"\n").env("KONG_SPECS_DIR", "/sys").run();
    let (status, answer) = post(&read_only, "specs/x.yaml", &spec("1"));
    assert_eq!((status, answer["code"].as_i64()), (405, Some(12)), "{answer}");
    assert!(answer["why"].as_str().unwrap().contains("/sys/x.yaml cannot be written"), "{answer}");
}

#[test]
fn the_folder_is_created_and_a_link_in_it_stays() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    assert_eq!(gateway.admin("GET", "/files").json()["data"], json!([]));
    assert_eq!(post(&gateway, "specs/deep/real.yaml", &spec("1")).0, 201);
    symlink("deep/real.yaml", gateway.folder.at("specs/link.yaml")).unwrap();
    let answer = gateway.admin_json("PUT", "/files/specs/link.yaml", json!({ "contents": spec("2") }));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(gateway.folder.read("specs/deep/real.yaml"), spec("2"));
    assert_eq!(gateway.admin("DELETE", "/files/specs/link.yaml").status, 204);
    let left: Vec<_> = fs::read_dir(gateway.folder.at("specs/deep")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn every_path_exists_below_the_default_workspace() {
    let gateway = setup().run();
    for path in [
        "/services",
        "/services/stock",
        "/services/stock/routes",
        "/status",
        "/schemas/routes",
        "/mynah/apis",
    ] {
        let (plain, below) = (gateway.admin("GET", path), gateway.admin("GET", &format!("/default{path}")));
        assert_eq!((below.status, plain.status), (200, 200), "{path}");
    }
    let services = gateway.admin("GET", "/default/services").json();
    assert_eq!(services["data"][0]["name"], "stock");
    assert_eq!(
        gateway.admin("GET", "/default").json()["version"],
        gateway.admin("GET", "/").json()["version"]
    );
    let created =
        gateway.admin_json("POST", "/default/services", json!({ "name": "a", "host": "b.example" }));
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(gateway.admin("DELETE", "/default/services/a").status, 204);
    let page = gateway.admin_json("POST", "/default/services", json!({ "name": "c", "host": "b.example" }));
    assert_eq!(page.status, 201);
    let next = gateway.admin("GET", "/default/services?size=1").json()["next"].clone();
    assert!(next.as_str().unwrap().starts_with("/default/services?offset="), "{next}");
    for path in
        ["/other", "/other/services", "/other/nothing", "/default/nothing", "/default/default/services"]
    {
        let answer = gateway.admin("GET", path);
        answer.assert_message(404, "Not found");
    }
}
