//! decK, as far as its behaviour is known: it requests the version, dumps all collections page by page, and syncs
//! with `PUT` under its own ids. The tests assert what it needs; decK itself is not run.

use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Setup},
    pem::Authority,
};

/// Collections that a dump requests; those of Kong's Enterprise edition may be missing.
const DUMPED: &[&str] = &[
    "services",
    "routes",
    "plugins",
    "certificates",
    "snis",
    "ca_certificates",
    "consumers",
    "upstreams",
    "vaults",
    "key-auths",
    "basic-auths",
    "hmac-auths",
    "jwts",
    "acls",
    "oauth2",
    "keys",
    "key-sets",
    "filter-chains",
];

/// An id with this number.
fn id(n: u8) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// All entities of a collection, paginated as by decK.
#[track_caller]
fn dump(gateway: &Gateway, path: &str, tags: &str) -> Vec<Value> {
    let mut next = format!("{path}?size=1000&tags={tags}");
    if tags.is_empty() {
        next = format!("{path}?size=1000");
    }
    let mut all = Vec::new();
    loop {
        let answer = gateway.admin("GET", &next);
        assert_eq!(answer.status, 200, "{next}: {}", answer.text());
        let page = answer.json();
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(path) => path.clone_into(&mut next),
            None => return all,
        }
    }
}

/// The entities that a sync creates, parents first: path and body.
fn desired_entities() -> Vec<(String, Value)> {
    let authority = Authority::new("ours");
    let signed = authority.issue("a.example");
    let below = |parent: &str, parent_id: u8, child: &str, child_id: u8| {
        format!("/{parent}/{}/{child}/{}", id(parent_id), id(child_id))
    };
    let tags = json!(["team", "prod"]);
    vec![
        (
            format!("/certificates/{}", id(1)),
            json!({"id": id(1), "cert": signed.certificate, "key": signed.key, "tags": tags}),
        ),
        (
            format!("/snis/{}", id(2)),
            json!({"id": id(2), "name": "a.example", "certificate": {"id": id(1)}, "tags": tags}),
        ),
        (
            format!("/ca_certificates/{}", id(3)),
            json!({"id": id(3), "cert": authority.certificate(), "tags": tags}),
        ),
        (
            format!("/services/{}", id(4)),
            json!({"id": id(4), "name": "shop", "host": "shop.upstream", "port": 80, "protocol": "http",
            "connect_timeout": 60000, "read_timeout": 60000, "write_timeout": 60000, "retries": 5, "enabled": true, "tags": tags}),
        ),
        (
            format!("/routes/{}", id(5)),
            json!({"id": id(5), "name": "items", "paths": ["/items"], "protocols": ["http", "https"],
            "strip_path": true, "preserve_host": false, "regex_priority": 0, "https_redirect_status_code": 426,
            "path_handling": "v0", "service": {"id": id(4), "name": "shop"}, "tags": tags}),
        ),
        (
            format!("/plugins/{}", id(6)),
            json!({"id": id(6), "name": "key-auth", "enabled": true, "protocols": ["http", "https"],
            "config": {"key_names": ["apikey"], "hide_credentials": false}, "route": {"id": id(5)}, "tags": tags}),
        ),
        (
            format!("/consumers/{}", id(7)),
            json!({"id": id(7), "username": "bob", "custom_id": "c1", "tags": tags}),
        ),
        (
            below("consumers", 7, "key-auth", 8),
            json!({"id": id(8), "key": "secret", "consumer": {"id": id(7)}, "tags": tags}),
        ),
        (
            below("consumers", 7, "acls", 9),
            json!({"id": id(9), "group": "g", "consumer": {"id": id(7)}, "tags": tags}),
        ),
        (
            format!("/upstreams/{}", id(10)),
            json!({"id": id(10), "name": "shop.upstream", "slots": 10000, "tags": tags,
            "healthchecks": {"active": {"healthy": {"interval": 0}}, "threshold": 0}}),
        ),
        (
            below("upstreams", 10, "targets", 11),
            json!({"id": id(11), "target": "127.0.0.1:9", "weight": 100,
            "upstream": {"id": id(10)}, "tags": tags}),
        ),
        (
            format!("/vaults/{}", id(12)),
            json!({"id": id(12), "name": "env", "prefix": "my-env", "config": {"prefix": "X_"}, "tags": tags}),
        ),
        (format!("/key-sets/{}", id(13)), json!({"id": id(13), "name": "set", "tags": tags})),
    ]
}

#[test]
fn the_version_and_all_collections_can_be_read() {
    let gateway =
        Setup::with("_format_version: \"3.0\"\nservices: [{name: a, host: h, tags: [team]}]\n").run();
    let node = gateway.admin("GET", "/").json();
    let version: Vec<u32> =
        node["version"].as_str().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(version[0] == 3 && version.len() == 3, "decK goes by the version: {version:?}");
    for collection in DUMPED {
        let found = dump(&gateway, &format!("/{collection}"), "");
        assert_eq!(found.len(), usize::from(*collection == "services"), "{collection}");
    }
    for missing in ["/consumer_groups", "/licenses", "/rbac/roles", "/workspaces/default", "/mtls-auths"] {
        gateway.admin("GET", missing).assert_message(404, "Not found");
    }
    for schema in
        ["services", "routes", "upstreams", "targets", "consumers", "plugins/key-auth", "vaults/env"]
    {
        let answer = gateway.admin("GET", &format!("/schemas/{schema}"));
        assert_eq!(answer.status, 200, "{schema}");
        assert!(answer.json()["fields"].is_array(), "{schema}");
    }
}

#[test]
fn a_whole_configuration_is_synced_and_removed_again() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let wanted = desired_entities();
    for round in ["new", "again"] {
        for (path, body) in &wanted {
            let answer = gateway.admin_json("PUT", path, body.clone());
            assert_eq!(answer.status, 200, "{round} {path}: {}", answer.text());
            assert_eq!(answer.json()["id"], body["id"], "{path}");
        }
    }
    for (collection, expected) in [
        ("services", 1),
        ("routes", 1),
        ("plugins", 1),
        ("consumers", 1),
        ("snis", 1),
        ("certificates", 1),
        ("ca_certificates", 1),
        ("key-auths", 1),
        ("acls", 1),
        ("upstreams", 1),
        ("vaults", 1),
        ("key-sets", 1),
    ] {
        assert_eq!(dump(&gateway, &format!("/{collection}"), "team,prod").len(), expected, "{collection}");
        assert_eq!(dump(&gateway, &format!("/{collection}"), "team,other").len(), 0, "{collection}");
    }
    assert_eq!(dump(&gateway, &format!("/upstreams/{}/targets", id(10)), "").len(), 1);
    // A second sync compares with a dump, so the dump must contain what was written.
    let service = &dump(&gateway, "/services", "")[0];
    assert_eq!((&service["retries"], &service["tags"]), (&json!(5), &json!(["team", "prod"])));
    let mut changed = service.clone();
    changed["retries"] = 7.into();
    let answer = gateway.admin_json("PUT", &format!("/services/{}", id(4)), changed.clone());
    assert_eq!((answer.status, &answer.json()["retries"]), (200, &json!(7)));
    assert_eq!(gateway.admin_json("PATCH", &format!("/services/{}", id(4)), changed).status, 200);
    // The ids are the same after a restart.
    let again = Setup::with(&gateway.folder.read("kong.yaml")).run();
    for (path, body) in &wanted {
        assert_eq!(again.admin("GET", path).json()["id"], body["id"], "{path}");
    }
    for (path, _) in wanted.iter().rev() {
        assert_eq!(gateway.admin("DELETE", path).status, 204, "{path}");
    }
    for collection in DUMPED {
        assert_eq!(dump(&gateway, &format!("/{collection}"), "").len(), 0, "{collection}");
    }
}

#[test]
fn a_target_is_created_under_an_id_and_not_under_an_address() {
    let gateway = Setup::with("_format_version: \"3.0\"\nupstreams: [{name: up}]\n").run();
    let by_address = gateway.admin_json("PUT", "/upstreams/up/targets/a.example:80", json!({"weight": 10}));
    by_address.assert_message(404, "Not found");
    let without =
        gateway.admin_json("PUT", &format!("/upstreams/up/targets/{}", id(1)), json!({"weight": 10}));
    without.assert_message(404, "Not found");
}
