//! The pages: files, caching, the Admin API below them, login, and who may ask.

use std::net::TcpListener;

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "_format_version: \"3.0\"\nservices:\n- name: a\n  host: a.example\n";

fn setup() -> Setup {
    Setup::with(CONFIG)
        .env("KONG_PORTAL_GUI_LISTEN", "127.0.0.1:0")
        .env("KONG_ADMIN_GUI_LISTEN", "127.0.0.1:0")
}

#[track_caller]
fn ask(gateway: &Gateway, page: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let url = format!("http://{}{path}", gateway.address(page));
    Client::fresh().send(method, &url, headers, None).unwrap()
}

#[track_caller]
fn status(gateway: &Gateway, page: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    ask(gateway, page, method, path, headers).status
}

#[test]
fn both_pages_are_served_with_a_strict_policy() {
    let gateway = setup().run();
    for page in ["portal", "manager"] {
        let answer = ask(&gateway, page, "GET", "/", &[]);
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), "no-cache");
        let policy = answer.header("content-security-policy");
        let proxy = format!("connect-src 'self' http://{};", gateway.address("proxy"));
        assert!(policy.contains(&proxy), "{policy}");
        for part in
            ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value);
        }
    }
}

#[test]
fn files_are_compressed_and_kept_by_the_browser() {
    let gateway = setup().run();
    let page = ask(&gateway, "portal", "GET", "/", &[]);
    let links: Vec<&str> =
        page.text().split("=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let files = links.iter().filter(|link| link.starts_with("assets/"));
    assert!(files.clone().count() > 8, "{links:?}");
    for link in files {
        let path = format!("/{link}");
        let answer = ask(&gateway, "portal", "GET", &path, &[("accept-encoding", "gzip")]);
        assert_eq!(answer.status, 200, "{link}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "{link}");
        let tag = answer.header("etag");
        assert!(tag.starts_with('"'), "{link}: {tag}");
        let known = [("accept-encoding", "gzip"), ("if-none-match", tag)];
        let again = ask(&gateway, "portal", "GET", &path, &known);
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag), "{link}");
        let head = ask(&gateway, "portal", "HEAD", &path, &[("accept-encoding", "gzip")]);
        assert_eq!((head.status, head.body.len()), (200, 0), "{link}");
        assert_eq!(head.header("content-length"), answer.header("content-length"), "{link}");
        let known = [("accept-encoding", "br"), ("if-none-match", tag)];
        let other = ask(&gateway, "portal", "GET", &path, &known).status;
        // A text that has no Brotli form is the same for both.
        assert!(matches!(other, 200 | 304), "{link}");
    }
    let module = links.iter().find(|link| link.ends_with("vendor/preact.js")).unwrap();
    for (accepted, coding) in [("br", "br"), ("gzip", "gzip"), ("identity", "")] {
        let answer = ask(&gateway, "portal", "GET", &format!("/{module}"), &[("accept-encoding", accepted)]);
        assert_eq!(answer.header("content-encoding"), coding);
        assert_eq!(answer.header("vary"), "Accept-Encoding");
    }
    let wrong = module.replace("vendor", "../vendor");
    for path in ["/nothing", "/assets/", "/assets/0000/js/ui.js", &format!("/{wrong}"), "/-/nothing", "/-"] {
        assert_eq!(status(&gateway, "portal", "GET", path, &[]), 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(&gateway, "portal", method, "/", &[]);
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[test]
fn the_admin_api_is_below_the_pages() {
    let gateway = setup().run();
    for page in ["portal", "manager"] {
        let name = format!("of-{page}");
        let url = format!("http://{}/-/api/services", gateway.address(page));
        let headers = [("content-type", "application/json")];
        let body = format!(r#"{{"name":"{name}","host":"b.example"}}"#);
        let answer = Client::fresh().send("POST", &url, &headers, Some(body.as_bytes())).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        let listed = ask(&gateway, page, "GET", "/-/api/services?size=100", &[]).json();
        assert!(
            listed["data"].as_array().unwrap().iter().any(|service| service["name"] == name.as_str()),
            "{listed}"
        );
        assert!(gateway.folder.read("kong.yaml").contains(&name));
        assert_eq!(status(&gateway, page, "GET", "/-/api/nothing", &[]), 404);
    }
    let page = ask(&gateway, "portal", "GET", "/-/page", &[]).json();
    assert_eq!(page["page"], "portal");
    assert_eq!(page["writes"], true);
    assert_eq!(page["manager"], format!("http://{}/", gateway.address("manager")));
    assert_eq!(page["proxy"][0], format!("http://{}", gateway.address("proxy")));
}

#[test]
fn other_sites_and_rebound_names_are_refused() {
    let gateway = setup().env("MYNAH_ADMIN_TOKEN", "s3cret").run();
    for page in ["portal", "manager"] {
        let host = gateway.address(page).to_owned();
        // A link from another site leads to the page; a script of that site reads nothing of it.
        assert_eq!(status(&gateway, page, "GET", "/", &[("sec-fetch-site", "cross-site")]), 200);
        for path in ["/", "/-/page", "/-/api/services", "/-/login"] {
            let headers = [("host", "evil.example"), ("authorization", "Bearer s3cret")];
            let method = if path == "/-/login" { "POST" } else { "GET" };
            assert_eq!(status(&gateway, page, method, path, &headers), 403, "{page} {path}");
        }
        for path in ["/-/page", "/-/api/services", "/-/login"] {
            let method = if path == "/-/login" { "POST" } else { "GET" };
            for foreign in [
                ("origin", "http://evil.example"),
                ("origin", "http://localhost:3000"),
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
            ] {
                let headers = [("authorization", "Bearer s3cret"), foreign];
                assert_eq!(status(&gateway, page, method, path, &headers), 403, "{page} {path} {foreign:?}");
            }
            let own = format!("http://{host}");
            let headers = [("authorization", "Bearer s3cret"), ("origin", &*own)];
            assert!(status(&gateway, page, method, path, &headers) < 300, "{page} {path}");
        }
    }
}

#[test]
fn a_session_replaces_the_token() {
    let gateway = setup().env("MYNAH_ADMIN_TOKEN", "s3cret").run();
    let described = ask(&gateway, "manager", "GET", "/-/page", &[]).json();
    assert_eq!(described["login"], serde_json::json!({ "required": true, "done": false }));
    assert_eq!(status(&gateway, "manager", "GET", "/-/api/services", &[]), 401);
    for wrong in ["Bearer wrong", "Bearer", "Basic s3cret"] {
        let answer = ask(&gateway, "manager", "POST", "/-/login", &[("authorization", wrong)]);
        assert_eq!((answer.status, answer.header("set-cookie")), (401, ""), "{wrong}");
    }
    assert_eq!(status(&gateway, "manager", "GET", "/-/login", &[]), 405);
    let answer = ask(&gateway, "manager", "POST", "/-/login", &[("authorization", "Bearer s3cret")]);
    let cookie = answer.header("set-cookie");
    assert_eq!(answer.status, 204);
    assert!(
        cookie.contains("; Path=/-/; HttpOnly; SameSite=Strict") && !cookie.contains("s3cret"),
        "{cookie}"
    );
    let session = ("cookie", cookie.split(';').next().unwrap());
    assert_eq!(status(&gateway, "manager", "GET", "/-/api/services", &[session]), 200);
    // Both pages of a gateway share the session; the Admin API itself does not know it.
    assert_eq!(status(&gateway, "portal", "GET", "/-/api/services", &[session]), 200);
    let admin = Client::fresh().send("GET", &gateway.admin_url("/services"), &[session], None).unwrap();
    assert_eq!(admin.status, 401);
    for foreign in [("origin", "http://evil.example"), ("sec-fetch-site", "same-site")] {
        assert_eq!(status(&gateway, "manager", "GET", "/-/api/services", &[session, foreign]), 403);
    }
    let host = ("host", "evil.example");
    assert_eq!(status(&gateway, "manager", "GET", "/-/api/services", &[session, host]), 403);
    let ended = ask(&gateway, "manager", "POST", "/-/logout", &[session]);
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "{ended:?}");
    assert_eq!(status(&gateway, "manager", "GET", "/-/api/services", &[session]), 401);
}

#[test]
fn a_portal_for_readers_has_no_admin_api() {
    for (listen, writes, is_open) in [
        ("127.0.0.1:0", "", true),
        ("127.0.0.1:0", "off", false),
        ("0.0.0.0:0", "", false),
        ("0.0.0.0:0", "on", true),
    ] {
        let gateway =
            setup().env("KONG_PORTAL_GUI_LISTEN", listen).env("KONG_PORTAL_GUI_WRITES", writes).run();
        let expected = if is_open { 200 } else { 403 };
        let local = gateway.address("portal").replace("0.0.0.0", "127.0.0.1");
        let send = |method: &str, path: &str| {
            Client::fresh().send(method, &format!("http://{local}{path}"), &[], None).unwrap()
        };
        let case = format!("{listen} {writes}");
        assert_eq!(send("GET", "/").status, 200, "{case}");
        assert_eq!(send("GET", "/-/page").json()["writes"], is_open, "{case}");
        for path in ["/-/api/services", "/-/api/consumers", "/-/api/config", "/-/api/", "/-/api"] {
            let status = send("GET", path).status;
            assert!(status == expected || path == "/-/api" && status == 404, "{case} {path}: {status}");
        }
        assert_eq!(send("DELETE", "/-/api/services/a").status, if is_open { 204 } else { 403 }, "{case}");
        assert_eq!(
            gateway.log().contains("open to every client"),
            is_open && listen.starts_with('0'),
            "{case}"
        );
    }
}

#[test]
fn a_page_follows_the_admin_api_off() {
    let gateway = setup().start(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off"]);
    assert!(!gateway.greeting.contains("manager"), "{}", gateway.greeting);
    gateway.wait_for_log("the manager is off, as admin_listen is");
    assert_eq!(status(&gateway, "portal", "GET", "/-/api/services", &[]), 403);
}

#[test]
fn the_manager_has_a_path() {
    let gateway = setup().env("KONG_ADMIN_GUI_PATH", "/gui/m").run();
    let led = ask(&gateway, "manager", "GET", "/", &[]);
    assert_eq!((led.status, led.header("location")), (307, "/gui/m/"));
    assert_eq!(ask(&gateway, "manager", "GET", "/gui/m", &[]).header("location"), "/gui/m/");
    assert_eq!(status(&gateway, "manager", "GET", "/gui/m/", &[]), 200);
    assert_eq!(status(&gateway, "manager", "GET", "/gui/m/-/api/services", &[]), 200);
    assert_eq!(status(&gateway, "manager", "GET", "/-/api/services", &[]), 404);
    let page = ask(&gateway, "portal", "GET", "/-/page", &[]).json();
    assert_eq!(page["manager"], format!("http://{}/gui/m/", gateway.address("manager")));
}

#[test]
fn a_port_that_is_set_and_taken_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["KONG_PORTAL_GUI_LISTEN", "KONG_ADMIN_GUI_LISTEN"] {
        let outcome = setup().env(setting, &address).call(&["run", "--proxy-listen", "127.0.0.1:0"]);
        outcome.is_refusal(&setting["KONG_".len()..].to_lowercase());
    }
}

#[test]
fn a_mock_has_a_portal() {
    let spec = r#"{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{}}"#;
    let gateway = Setup::new()
        .file("t.json", spec)
        .env("KONG_PORTAL_GUI_LISTEN", "127.0.0.1:0")
        .start(&["mock", "t.json", "--port", "0"]);
    assert_eq!(status(&gateway, "portal", "GET", "/", &[]), 200);
    assert_eq!(ask(&gateway, "portal", "GET", "/-/page", &[]).json()["writes"], false);
}
