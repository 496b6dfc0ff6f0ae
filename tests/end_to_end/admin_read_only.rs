//! Read-only Admin APIs answer writes as Kong without a database does: errors in the request come first.

use serde_json::{Value, json};

use crate::gateway::{Gateway, Setup};

const CONFIG: &str = "\
_format_version: \"3.0\"
services:
- name: s
  host: s.example
  routes:
  - name: r
    paths: [/r]
    plugins:
    - {id: 11111111-1111-4111-8111-111111111111, name: cors}
consumers:
- username: bob
  keyauth_credentials: [{key: k}]
  acls: [{group: g}]
upstreams:
- name: u
  targets: [{target: 't.example:80'}]
vaults:
- {name: env, prefix: my-env}
";

/// The answer to a request: its status, and the message of a 405 or the names of invalid fields.
const CASES: &[(&str, &str, &str, u16, &str)] = &[
    ("POST", "/services", "name=a&host=b", 405, "cannot create 'services' entities"),
    ("POST", "/services", "name=s&host=b", 405, "cannot create 'services' entities"),
    ("POST", "/services", "name=a", 400, "host"),
    ("POST", "/services/nope/routes", "paths=/", 404, ""),
    ("POST", "/services/s/routes", "paths=/", 405, "cannot create 'routes' entities"),
    ("POST", "/routes", "paths=~/(?!x)", 400, "@entity"),
    ("POST", "/routes", "paths=/a&service.id=x", 400, "service"),
    ("PATCH", "/services/nope", "host=a", 404, "name"),
    ("PATCH", "/services/a%20b", "host=a", 400, ""),
    ("PATCH", "/services/s", "port=xx", 400, "port"),
    ("PATCH", "/services/s", "", 405, "cannot update 'services' entities by 'name'"),
    ("PATCH", "/services/s", "host=a", 405, "cannot update 'services' entities by 'name'"),
    ("PATCH", "/routes/r/service", "host=a", 405, "cannot update 'services' entities"),
    ("PATCH", "/vaults/my-env", "tags=a", 405, "cannot update 'vaults' entities by 'prefix'"),
    ("PATCH", "/key-auths/k", "tags=a", 405, "cannot update 'keyauth_credentials' entities by 'key'"),
    ("PATCH", "/consumers/bob/key-auth/k", "tags=a", 405, "cannot update 'keyauth_credentials' entities"),
    (
        "PATCH",
        "/plugins/11111111-1111-4111-8111-111111111111",
        "enabled=false",
        405,
        "cannot update 'plugins' entities",
    ),
    ("PATCH", "/upstreams/u/targets/t.example:80", "weight=1", 405, "cannot update 'targets' entities"),
    ("PUT", "/services/new", "host=a", 405, "cannot create or update 'services' entities by 'name'"),
    (
        "PUT",
        "/services/22222222-2222-4222-8222-222222222222",
        "host=a",
        405,
        "cannot create or update 'services' entities",
    ),
    ("PUT", "/services/new", "", 400, "host"),
    ("PUT", "/routes/r/service", "host=x", 405, "cannot create or update 'services' entities"),
    ("DELETE", "/services/nope", "", 204, ""),
    ("DELETE", "/services/s", "", 405, "cannot remove 'services' entities by 'name'"),
    ("DELETE", "/consumers/bob/acls/g", "", 405, "cannot remove 'acls' entities"),
    ("DELETE", "/consumers/bob/acls/nope", "", 404, ""),
];

#[track_caller]
fn check(gateway: &Gateway, why: Option<&str>) {
    for (method, path, form, status, expected) in CASES {
        let answer = gateway.admin_form(method, path, form);
        assert_eq!(answer.status, *status, "{method} {path} {form}: {}", answer.text());
        let body: Value = serde_json::from_str(answer.text()).unwrap_or_default();
        if *status == 405 {
            let message = format!("{expected} when not using a database");
            let mut wanted = json!({"code": 12, "name": "operation unsupported", "message": message});
            if let Some(why) = why {
                wanted["why"] = why.into();
            }
            assert_eq!(body, wanted, "{method} {path} {form}");
        } else if !expected.is_empty() {
            assert!(!body["fields"][expected].is_null(), "{method} {path} {form}: {body}");
        }
    }
}

#[test]
fn writes_are_refused_where_they_are_disabled() {
    check(&Setup::with(CONFIG).env("KONG_ADMIN_WRITES", "off").run(), None);
}

#[test]
fn writes_are_refused_where_the_configuration_is_several_files() {
    let setup = Setup::new().file("conf.d/one.yaml", CONFIG).env("KONG_DECLARATIVE_CONFIG", "conf.d");
    let gateway = setup.file("conf.d/two.yaml", "_format_version: \"3.0\"\n").run();
    check(&gateway, Some("conf.d consists of several files; edit those"));
    assert_eq!(gateway.folder.read("conf.d/one.yaml"), CONFIG);
    // A posted configuration replaces the files in memory and can be written.
    let posted = json!({"_format_version": "3.0", "services": [{"name": "s", "host": "a"}]});
    assert_eq!(gateway.admin_json("POST", "/config", posted).status, 201);
    assert_eq!(gateway.admin_form("PATCH", "/services/s", "port=81").json()["port"], 81);
}
