//! Kong Manager (open source): a page on another port, for which browsers send preflight requests. The requests are
//! those that were recorded on the wire.

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
};

const PAGE: &str = "http://127.0.0.1:8002";
const SPEC: &str = r#"{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{"/stock/historical":{"get":
{"responses":{"200":{"description":"ok","content":{"application/json":{"example":{"price":91.92}}}}}}}}}"#;

fn start() -> Gateway {
    Setup::with("_format_version: \"3.0\"\n")
        .file("specs/stock-0.1.json", SPEC)
        .env("KONG_ADMIN_GUI_URL", PAGE)
        .run()
}

/// Sends a request as a script of the page does.
#[track_caller]
fn request_from_page(gateway: &Gateway, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let text = body.map(Value::to_string);
    let mut headers = vec![("origin", PAGE)];
    headers.extend(text.is_some().then_some(("content-type", "application/json")));
    let text = text.or((method == "PUT").then(String::new));
    let url = gateway.admin_url(path);
    let answer = Client::fresh().send(method, &url, &headers, text.as_deref().map(str::as_bytes)).unwrap();
    assert_eq!(answer.header("access-control-allow-origin"), PAGE, "{method} {path}");
    answer
}

/// Gets a resource that must be answered with 200.
#[track_caller]
fn get(gateway: &Gateway, path: &str) -> Value {
    let answer = request_from_page(gateway, "GET", path, None);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[track_caller]
fn send(gateway: &Gateway, method: &str, path: &str, body: &Value, status: u16) -> Value {
    let answer = request_from_page(gateway, method, path, Some(body));
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    answer.json()
}

fn id(entity: &Value) -> &str {
    entity["id"].as_str().unwrap()
}

#[test]
fn preflight_requests_of_the_page_are_allowed() {
    let gateway = start();
    for (path, method) in [("/services", "POST"), ("/services/a", "PATCH"), ("/routes/r/plugins/p", "DELETE")]
    {
        let headers = [
            ("origin", PAGE),
            ("access-control-request-method", method),
            ("access-control-request-headers", "content-type,kong-admin-token"),
        ];
        let answer = Client::fresh().send("OPTIONS", &gateway.admin_url(path), &headers, None).unwrap();
        assert_eq!(answer.status, 204);
        assert!(answer.header("access-control-allow-methods").contains(method), "{path}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-headers"), "content-type,kong-admin-token");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
    }
}

#[test]
fn the_requests_of_every_page_are_answered() {
    let gateway = start();
    let node = get(&gateway, "/");
    for at in [
        "/version",
        "/edition",
        "/hostname",
        "/configuration/admin_listeners/0/port",
        "/configuration/admin_gui_listeners",
        "/configuration/proxy_listeners/0/ssl",
        "/configuration/database",
        "/configuration/role",
        "/plugins/available_on_server/mocking",
        "/plugins/enabled_in_cluster",
    ] {
        assert!(node.pointer(at).is_some(), "{at}");
    }
    for list in [
        "services",
        "routes",
        "plugins",
        "consumers",
        "upstreams",
        "vaults",
        "certificates",
        "snis",
        "keys",
        "key-sets",
        "ca_certificates",
    ] {
        let page = get(&gateway, &format!("/{list}?sort_desc=1&size=30"));
        assert_eq!(page, json!({"data": [], "next": null}), "{list}");
    }
    assert_eq!(request_from_page(&gateway, "GET", "/services/what-was-typed", None).status, 404);
    for name in node["plugins"]["available_on_server"].as_object().unwrap().keys() {
        let schema = get(&gateway, &format!("/schemas/plugins/{name}"));
        let fields = schema["fields"].as_array().unwrap();
        assert!(fields.iter().any(|field| field["config"]["fields"].is_array()), "{name}");
    }
}

#[test]
fn services_and_routes_are_created_changed_and_disabled() {
    let gateway = start();
    let form = json!({"name": "shop", "tags": null, "read_timeout": 60000, "retries": 5, "connect_timeout": 60000,
        "ca_certificates": null, "client_certificate": null, "write_timeout": 60000, "port": 8080,
        "url": "http://httpbin.org:8080/anything", "enabled": true});
    let service = send(&gateway, "POST", "/services", &form, 201);
    assert_eq!((&service["host"], &service["port"]), (&json!("httpbin.org"), &json!(8080)));
    assert_eq!(
        send(&gateway, "POST", "/services", &form, 409)["message"],
        "UNIQUE violation detected on '{name=\"shop\"}'"
    );
    let own = format!("/services/{}", id(&service));
    // The switch in the list sends the whole entity back, with all read-only fields.
    let mut whole = get(&gateway, &own);
    whole["enabled"] = false.into();
    let off = send(&gateway, "PATCH", &own, &whole, 200);
    assert_eq!((&off["enabled"], &off["created_at"]), (&json!(false), &service["created_at"]));
    whole["enabled"] = true.into();
    send(&gateway, "PATCH", &own, &whole, 200);
    let mut route = json!({"name": "stock", "protocols": ["https"], "tags": [], "service": {"id": id(&service)},
        "https_redirect_status_code": 426, "strip_path": true, "preserve_host": false, "request_buffering": true,
        "response_buffering": true, "methods": null, "hosts": null, "paths": ["/stock/historical"], "headers": null,
        "regex_priority": 0, "path_handling": "v0", "sources": null, "destinations": null, "snis": null});
    let made = send(&gateway, "POST", &format!("{own}/routes"), &route, 201);
    assert_eq!(gateway.get("/stock/historical").status, 426);
    route["protocols"] = json!(["http", "https"]);
    route["methods"] = json!(["POST"]);
    send(&gateway, "PATCH", &format!("/routes/{}", id(&made)), &route, 200);
    assert_eq!(gateway.get("/stock/historical").status, 404);
    assert_eq!(
        get(&gateway, &format!("{own}/routes?sort_desc=1&size=30"))["data"].as_array().unwrap().len(),
        1
    );
    let kept = request_from_page(&gateway, "DELETE", &own, None);
    assert_eq!((kept.status, &kept.json()["fields"]["@referenced_by"]), (400, &json!("routes")));
}

#[test]
fn plugins_are_created_disabled_and_removed_below_their_route() {
    let gateway = start();
    let route = send(
        &gateway,
        "POST",
        "/routes",
        &json!({"name": "stock", "paths": ["/stock/historical"], "strip_path": false}),
        201,
    );
    let plugins = format!("/routes/{}/plugins", id(&route));
    let form = json!({"name": "mocking", "enabled": true, "route": {"id": id(&route)},
        "protocols": ["grpc", "grpcs", "http", "https"], "config": {"api_specification_filename": "stock-0.1.json",
        "include_base_path": false, "max_delay_time": 1, "min_delay_time": 0.001, "random_delay": false,
        "random_examples": false, "random_status_code": false}});
    let plugin = send(&gateway, "POST", &plugins, &form, 201);
    gateway.get("/stock/historical").assert_response(200, "{\"price\":91.92}");
    let nested = format!("{plugins}/{}", id(&plugin));
    let own = format!("/plugins/{}", id(&plugin));
    assert_eq!(get(&gateway, &format!("{own}?expand_partials=true"))["id"], plugin["id"]);
    let mut whole = get(&gateway, &nested);
    for (path, enabled, status) in
        [(&nested, false, 503), (&own, true, 200), (&own, false, 503), (&nested, true, 200)]
    {
        whole["enabled"] = enabled.into();
        assert_eq!(send(&gateway, "PATCH", path, &whole, 200)["enabled"], enabled, "{path}");
        assert_eq!(gateway.get("/stock/historical").status, status, "{path} {enabled}");
    }
    assert_eq!(request_from_page(&gateway, "DELETE", &nested, None).status, 204);
    assert_eq!(get(&gateway, "/plugins?sort_desc=1&size=30")["data"], json!([]));
    assert!(!gateway.folder.read("kong.yaml").contains("mocking"));
}

#[test]
fn the_pages_of_consumers_and_upstreams_are_answered() {
    let gateway = start();
    let consumer =
        send(&gateway, "POST", "/consumers", &json!({"username": "u", "custom_id": null, "tags": []}), 201);
    for kind in ["acls", "key-auth", "basic-auth", "jwt", "hmac-auth", "oauth2"] {
        get(&gateway, &format!("/consumers/{}/{kind}?sort_desc=1&size=30", id(&consumer)));
    }
    get(&gateway, "/schemas/keyauth_credentials");
    let key =
        send(&gateway, "POST", &format!("/consumers/{}/key-auth", id(&consumer)), &json!({"ttl": 0}), 201);
    assert_eq!(key["key"].as_str().unwrap().len(), 32, "one is made up");
    let mut upstream = send(&gateway, "POST", "/upstreams", &json!({"name": "up", "tags": []}), 201);
    let own = format!("/upstreams/{}", id(&upstream));
    let target = json!({"target": "127.0.0.1:9", "weight": 100, "tags": []});
    let target = send(&gateway, "POST", &format!("{own}/targets"), &target, 201);
    assert_eq!(get(&gateway, &format!("{own}/health"))["data"][0]["health"], "HEALTHCHECKS_OFF");
    upstream["healthchecks"]["passive"]["unhealthy"]["http_failures"] = 1.into();
    send(&gateway, "PATCH", &own, &upstream, 200);
    let place = format!("{own}/targets/{}", id(&target));
    assert_eq!(request_from_page(&gateway, "PUT", &format!("{place}/unhealthy"), None).status, 204);
    assert_eq!(get(&gateway, &format!("{own}/health"))["data"][0]["health"], "UNHEALTHY");
    assert_eq!(send(&gateway, "PATCH", &place, &json!({"weight": 10}), 200)["weight"], 10);
}
