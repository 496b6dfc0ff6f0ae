//! Settings: flag, then environment, then `kong.conf`, then default; warnings about unknown names.

use crate::gateway::{Gateway, Setup};

const EMPTY: &str = "_format_version: \"3.0\"\n";

/// Starts with these flags and without an Admin API.
#[track_caller]
fn start(setup: Setup, flags: &[&str]) -> Gateway {
    setup.start(&[&["run"], flags].concat())
}

#[test]
fn flags_take_precedence_over_the_environment_and_that_over_the_file() {
    // Each layer has an address of its own.
    let setup = || {
        Setup::with(EMPTY)
            .file(
                "my.conf",
                "proxy_listen = 127.0.0.4:0\nadmin_listen = 127.0.0.4:0\nstatus_listen = 127.0.0.4:0\n",
            )
            .env("KONG_PROXY_LISTEN", "127.0.0.3:0")
            .env("KONG_ADMIN_LISTEN", "127.0.0.3:0")
    };
    let gateway = start(setup(), &["-c", "my.conf", "--proxy-listen", "127.0.0.2:0"]);
    let places =
        ["proxy", "admin", "status"].map(|name| gateway.address(name).split(':').next().unwrap().to_owned());
    assert_eq!(places, ["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    let gateway = start(setup(), &["--proxy-listen", "127.0.0.2:0"]);
    assert!(!gateway.greeting.contains("status"), "off by default: {}", gateway.greeting);
}

#[test]
fn listeners_have_the_syntax_of_kong() {
    let listen = "127.0.0.1:0 reuseport backlog=16384, 127.0.0.2:0";
    let gateway = start(Setup::with(EMPTY), &["--proxy-listen", listen, "--admin-listen", "off"]);
    assert_eq!(gateway.greeting.matches("proxy http://127.0.0.").count(), 2, "{}", gateway.greeting);
    assert!(!gateway.greeting.contains("admin"), "{}", gateway.greeting);
}

#[test]
fn the_status_listener_answers_only_status_paths() {
    let flags = ["--proxy-listen", "127.0.0.1:0", "--admin-listen", "off", "--status-listen", "127.0.0.1:0"];
    let gateway = start(Setup::with(EMPTY), &flags);
    let ask = |path: &str| {
        let url = format!("http://{}{path}", gateway.address("status"));
        crate::client::Client::fresh().send("GET", &url, &[], None).unwrap().status
    };
    assert_eq!(["/status", "/status/ready", "/services", "/config", "/"].map(ask), [200, 503, 404, 404, 404]);
}

#[test]
fn unknown_and_unsupported_names_are_warnings() {
    let setup = Setup::with("_format_version: \"3.0\"\nservices: [{name: s, url: 'http://a.example'}]\n")
        .env("KONG_PROXY_LISTNE", "127.0.0.1:1")
        .env("KONG_SSL_DHPARAM", "/dh.pem")
        .env("KONG_DATABASE", "off")
        .env("KONG_PG_HOST", "db")
        .env("KONG_PROXY_SERVICE_HOST", "10.0.0.1");
    let gateway = setup.run();
    gateway.wait_for_log(
        "WARN KONG_PROXY_LISTNE is not a setting and is ignored; did you mean KONG_PROXY_LISTEN?",
    );
    gateway.wait_for_log("WARN known to Kong but not supported, and ignored: KONG_SSL_DHPARAM");
    assert_eq!(gateway.log().matches("WARN").count(), 2, "{}", gateway.log());
}

#[test]
fn the_log_level_hides_lines_below_it() {
    let gateway = Setup::with(EMPTY).env("KONG_LOG_LEVEL", "error").env("KONG_NOT_THERE", "1").run();
    gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\nservices: 1\n");
    gateway.wait_for_log("ERROR kong.yaml has 1 error");
    assert!(!gateway.log().contains("WARN") && !gateway.log().contains("INFO"), "{}", gateway.log());
}

#[test]
fn the_headers_of_the_gateway_can_be_chosen() {
    let gateway = Setup::with(EMPTY).env("KONG_HEADERS", "off").run();
    let answer = gateway.get("/");
    for name in ["server", "x-kong-response-latency", "x-kong-request-id"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    let gateway = Setup::with(EMPTY).env("KONG_HEADERS", "server_tokens").run();
    let answer = gateway.get("/");
    assert!(answer.header("server").starts_with("mynah/"), "{answer:?}");
    assert_eq!(answer.header("x-kong-request-id"), "");
}

#[test]
fn all_invalid_values_are_reported() {
    let setup = Setup::with(EMPTY)
        .file("my.conf", "log_level = loud\n")
        .env("KONG_DATABASE", "postgres")
        .env("KONG_PROXY_LISTEN", "nonsense");
    let refused = setup.call(&["run", "-c", "my.conf"]);
    refused.is_refusal("database is 'postgres', but mynah is DB-less and uses no database");
    insta::assert_snapshot!(refused.stderr);
}

#[test]
fn a_configuration_in_place_of_its_path_is_refused() {
    for text in ["{\"_format_version\": \"3.0\"}", "_format_version: \"3.0\"\nservices: []\n", " [\"a\"]"] {
        let refused = Setup::with(EMPTY).env("KONG_DECLARATIVE_CONFIG", text).call(&["run"]);
        refused.is_refusal("declarative_config is a text, not the path of a file");
        refused.is_refusal("KONG_DECLARATIVE_CONFIG_STRING");
    }
}

#[test]
fn error_templates_come_from_files() {
    let config = "_format_version: \"3.0\"\nservices:\n- {name: s, url: 'http://127.0.0.1:1', retries: 0, routes: [{name: r, paths: [/]}]}\n";
    let gateway = Setup::with(config)
        .file("e.html", "<title>Sorry</title><p>%s</p><small>%s</small>")
        .file("e.json", "{\"errors\": [{\"detail\": \"%s\", \"id\": \"%s\"}]}")
        .file("e.xml", "<sorry id='%s'/>")
        .file("e.txt", "100%% sorry: %s\n")
        .env("KONG_ERROR_TEMPLATE_HTML", "e.html")
        .env("KONG_ERROR_TEMPLATE_JSON", "e.json")
        .env("KONG_ERROR_TEMPLATE_XML", "e.xml")
        .env("KONG_ERROR_TEMPLATE_PLAIN", "e.txt")
        .run();
    let message = "An invalid response was received from the upstream server";
    for (accept, content_type, expected) in [
        ("text/html", "text/html", format!("<title>Sorry</title><p>{message}</p><small><id></small>")),
        (
            "application/json",
            "application/json",
            format!("{{\"errors\": [{{\"detail\": \"{message}\", \"id\": \"<id>\"}}]}}"),
        ),
        ("application/xml", "application/xml", format!("<sorry id='{message}'/>")),
        ("text/plain", "text/plain", format!("100% sorry: {message}\n")),
    ] {
        let answer = gateway.ask("GET", "/", &[("accept", accept)]);
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("content-type"), format!("{content_type}; charset=utf-8"));
        assert_eq!(answer.text().replace(answer.header("x-kong-request-id"), "<id>"), expected);
    }
    let mut raw = crate::raw::Raw::connect(gateway.address("proxy"));
    raw.send("nonsense\r\n\r\n");
    let answer = raw.read_to_end();
    assert!(answer.ends_with("\r\n\r\n100% sorry: Bad request\n"), "{answer}");
}

#[test]
fn an_invalid_error_template_prevents_the_start() {
    let run = ["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off"];
    let setup = Setup::with(EMPTY).env("KONG_ERROR_TEMPLATE_HTML", "missing.html");
    setup.call(&run).is_refusal("error_template_html: missing.html is not an error template: No such file");
    let setup = Setup::with(EMPTY).file("e.txt", "%s %s %s").env("KONG_ERROR_TEMPLATE_PLAIN", "e.txt");
    setup
        .call(&run)
        .is_refusal("error_template_plain: e.txt is not an error template: it has 3 placeholders (`%s`)");
}

#[test]
fn plugins_that_the_setting_leaves_out_cannot_be_used() {
    let config = "_format_version: \"3.0\"\nplugins:\n- name: cors\n";
    for (plugins, expected) in
        [("bundled", true), ("cors, key-auth", true), ("key-auth", false), ("off", false)]
    {
        let checked = Setup::with(config).env("KONG_PLUGINS", plugins).call(&["check", "kong.yaml"]);
        assert_eq!(checked.code == Some(0), expected, "{plugins}: {checked:?}");
        if !expected {
            checked.is_refusal("plugin 'cors' not enabled; add it to the 'plugins' configuration property");
            checked.is_refusal("the setting `plugins` (KONG_PLUGINS) does not name it");
        }
    }
    let gateway = Setup::with(EMPTY).env("KONG_PLUGINS", "key-auth").run();
    let form = |path: &str| gateway.admin_form("POST", path, "name=cors").status;
    assert_eq!((form("/plugins"), form("/schemas/plugins/validate")), (400, 400));
    let posted = gateway.admin_json(
        "POST",
        "/config",
        serde_json::json!({"_format_version": "3.0", "plugins": [{"name": "cors"}]}),
    );
    assert_eq!(posted.status, 400);
    assert_eq!(gateway.admin_form("POST", "/plugins", "name=key-auth").status, 201);
}

#[test]
fn fields_of_nginx_are_added_to_responses() {
    let value = "X-Served-By gateway; add_header X-Frame-Options DENY always";
    let gateway = Setup::with(
        "_format_version: \"3.0\"\nroutes:\n- {name: r, paths: [/a], plugins: [{name: request-termination, config: {status_code: 200}}]}\n",
    )
    .env("KONG_NGINX_PROXY_ADD_HEADER", value)
    .run();
    for (path, status, served_by) in [("/a", 200, "gateway"), ("/none", 404, "")] {
        let answer = gateway.get(path);
        let fields = (answer.status, answer.header("x-served-by"), answer.header("x-frame-options"));
        assert_eq!(fields, (status, served_by, "DENY"));
    }
}

#[test]
fn a_vault_has_the_prefix_of_the_setting() {
    let pem = include_str!("rsa.pem");
    let key = include_str!("rsa.key");
    let config = "_format_version: \"3.0\"\ncertificates:\n- {cert: '{vault://env/cert}', key: '{vault://env/key}', snis: [{name: a.example}]}\n";
    let checked = |prefix: &str| {
        Setup::with(config)
            .env("KONG_VAULT_ENV_PREFIX", prefix)
            .env("MINE_CERT", pem)
            .env("MINE_KEY", key)
            .call(&["check", "kong.yaml"])
    };
    assert!(checked("OTHER_").stderr.contains("unable to resolve reference"));
    let found = checked("mine_");
    assert!(!found.stderr.contains("unable to resolve reference"), "{found:?}");
}
