//! The gateway of Supabase's self-hosted stack: its client matrix against services that record what they get.
//!
//! The configuration is `tests/supabase/kong.yml`, or the published one where the variable `SUPABASE_DOCKER` names a
//! checkout's folder `docker`.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use crate::{
    client::Answer,
    gateway::{Gateway, Setup},
    nameserver::Nameserver,
    upstream::{Upstream, sum},
    web_socket_peer::{Echo, TEXT, WebSocket},
};

const ANON: &str = "anon.legacy.jwt";
const SERVICE: &str = "service.legacy.jwt";
const PUBLISHABLE: &str = "sb_publishable_1";
const SECRET: &str = "sb_secret_1";
const ANON_INTERNAL: &str = "anon.internal.jwt";
const SERVICE_INTERNAL: &str = "service.internal.jwt";

/// Names and ports of the services.
const SERVICES: [(&str, u16); 6] = [
    ("auth", 9999),
    ("rest", 3000),
    ("storage", 5000),
    ("functions", 9000),
    ("meta", 8080),
    ("studio", 3000),
];
const REALTIME: &str = "realtime-dev.supabase-realtime";

/// The services of the stack, and a gateway in front of them.
struct Stack {
    gateway: Gateway,
    services: HashMap<&'static str, Upstream>,
    realtime: Echo,
    _names: Nameserver,
}

/// The program that substitutes the variables in the configuration.
#[derive(Clone, Copy, PartialEq)]
enum Substitution {
    /// A script before the gateway starts, with awk and sed.
    Entrypoint,
    /// The gateway.
    Gateway,
}

/// The expressions that the entrypoint exports for the transformer.
fn expressions(has_new_keys: bool) -> [(&'static str, String); 3] {
    let given = "headers.authorization ~= nil and headers.authorization:sub(1, 10) ~= 'Bearer sb_' and headers.authorization";
    if !has_new_keys {
        return [
            ("LUA_AUTH_EXPR", format!("$(({given}) or headers.apikey)")),
            ("LUA_RT_WS_EXPR", "$(query_params.apikey)".to_owned()),
            ("LUA_FUNCTIONS_EXPR", "$(nil)".to_owned()),
        ];
    }
    let either = |of: &str, prefix: &str| {
        format!(
            "({of} == '{prefix}{SECRET}' and '@{SERVICE_INTERNAL}') or ({of} == '{prefix}{PUBLISHABLE}' and '@{ANON_INTERNAL}')"
        )
    };
    let keys = |of: &str| either(of, "");
    let bearer = keys("headers.apikey").replace('@', "Bearer ");
    let plain = |text: String| text.replace('@', "");
    let query = plain(keys("query_params.apikey"));
    let function =
        plain(format!("{} or {}", keys("headers.apikey"), either("headers.authorization", "Bearer ")));
    [
        ("LUA_AUTH_EXPR", format!("$(({given}) or {bearer} or headers.apikey)")),
        ("LUA_RT_WS_EXPR", format!("$({query} or query_params.apikey)")),
        ("LUA_FUNCTIONS_EXPR", format!("$({function} or nil)")),
    ]
}

/// The variables of the stack's compose file, without those of Kong.
fn variables(has_new_keys: bool) -> Vec<(&'static str, String)> {
    let new = |value: &str| if has_new_keys { value.to_owned() } else { String::new() };
    let mut variables = vec![
        ("SUPABASE_ANON_KEY", ANON.to_owned()),
        ("SUPABASE_SERVICE_KEY", SERVICE.to_owned()),
        ("SUPABASE_PUBLISHABLE_KEY", new(PUBLISHABLE)),
        ("SUPABASE_SECRET_KEY", new(SECRET)),
        ("ANON_KEY_ASYMMETRIC", new(ANON_INTERNAL)),
        ("SERVICE_ROLE_KEY_ASYMMETRIC", new(SERVICE_INTERNAL)),
        ("DASHBOARD_USERNAME", "supabase".to_owned()),
        ("DASHBOARD_PASSWORD", "123456".to_owned()),
        ("JWT_ISSUER", "http://localhost:8000/auth/v1".to_owned()),
        ("WELL_KNOWN_OAUTH_PATH", "/.well-known/oauth-authorization-server/auth/v1".to_owned()),
    ];
    variables.extend(expressions(has_new_keys));
    variables
}

/// The configuration, and the published entrypoint if there is one.
fn files() -> (String, Option<String>) {
    match std::env::var("SUPABASE_DOCKER") {
        Ok(folder) => {
            let read = |name: &str| std::fs::read_to_string(format!("{folder}/volumes/api/{name}")).unwrap();
            (read("kong.yml"), Some(read("kong-entrypoint.sh")))
        }
        Err(_) => (include_str!("../supabase/kong.yml").to_owned(), None),
    }
}

/// The work of the entrypoint before Kong starts: variables by awk, and no key-auth credentials without a key.
const ENTRYPOINT: &str = r#"awk '{
  text = ""
  while (match($0, /\$[A-Za-z_][A-Za-z_0-9]*/)) {
    name = substr($0, RSTART + 1, RLENGTH - 1)
    text = text substr($0, 1, RSTART - 1) (name in ENVIRON ? ENVIRON[name] : "$" name)
    $0 = substr($0, RSTART + RLENGTH)
  }
  print text $0
}' /home/kong/temp.yml > "$KONG_DECLARATIVE_CONFIG"
sed -i '/^ *- key: *$/d' "$KONG_DECLARATIVE_CONFIG"
"#;

impl Stack {
    fn start(substitution: Substitution, has_new_keys: bool) -> Self {
        // Each test has its own addresses of the loopback network, as ports are those of the services.
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let process = std::process::id().to_be_bytes();
        let number = NEXT.fetch_add(1, Relaxed);
        let address = |host: u8| Ipv4Addr::new(127, 1 + process[3] % 250, number, host);
        let names = Nameserver::start();
        let mut services = HashMap::new();
        for ((name, port), host) in SERVICES.into_iter().zip(1..) {
            let address = address(host);
            names.a(name, 300, &[&address.to_string()]);
            services.insert(name, Upstream::start_at(SocketAddr::new(IpAddr::V4(address), port)));
        }
        names.a(REALTIME, 300, &[&address(100).to_string()]);
        let realtime = Echo::start_at(SocketAddr::new(IpAddr::V4(address(100)), 4000));
        let (config, entrypoint) = files();
        let mut setup = Setup::new().file("temp.yml", config);
        let variables = variables(has_new_keys);
        if substitution == Substitution::Entrypoint {
            let script = entrypoint.unwrap_or_else(|| ENTRYPOINT.to_owned());
            let folder = setup.folder.path().display().to_string();
            let script = script.replace("/home/kong", &folder).replace("exec /entrypoint.sh", "exec true");
            let file = setup.folder.at("entrypoint.sh");
            setup = setup.file("entrypoint.sh", script);
            let status = Command::new("/bin/sh")
                .arg(&file)
                .envs(variables.iter().map(|(name, value)| (name, value)))
                .env("KONG_DECLARATIVE_CONFIG", setup.folder.at("kong.yml"))
                .status();
            assert!(status.unwrap().success());
            setup = setup.env("KONG_DECLARATIVE_CONFIG", "kong.yml");
        } else {
            setup = setup.env("KONG_DECLARATIVE_CONFIG", "temp.yml").env("KONG_ENV_SUBSTITUTION", "on");
        }
        for (name, value) in &variables {
            setup = setup.env(name, value);
        }
        for (name, value) in [
            ("KONG_DATABASE", "off"),
            ("KONG_ROUTER_FLAVOR", "expressions"),
            ("KONG_DNS_ORDER", "LAST,A,CNAME"),
            ("KONG_DNS_NOT_FOUND_TTL", "1"),
            ("KONG_DNS_VALID_TTL", "5"),
            (
                "KONG_PLUGINS",
                "request-transformer,cors,key-auth,acl,basic-auth,request-termination,ip-restriction,post-function",
            ),
            ("KONG_NGINX_PROXY_PROXY_BUFFER_SIZE", "160k"),
            ("KONG_NGINX_PROXY_PROXY_BUFFERS", "64 160k"),
            ("KONG_PROXY_ACCESS_LOG", "/dev/stdout combined"),
            ("KONG_DNS_RESOLVER", &names.address.to_string()),
        ] {
            setup = setup.env(name, value);
        }
        Self { gateway: setup.run(), services, realtime, _names: names }
    }

    /// Sends a request, and checks its answer: a status, or the target and the fields that a service gets.
    #[track_caller]
    fn check(&self, request: &str, fields: &[(&str, &str)], expected: &Expected<'_>) {
        let (method, target) = request.split_once(' ').unwrap();
        let answer = self.gateway.ask(method, target, fields);
        match expected {
            Status(status) => assert_eq!(answer.status, *status, "{request} {fields:?}: {answer:?}"),
            Sent(target, sent) => check_sent(request, &answer, target, sent),
        }
    }
}

enum Expected<'a> {
    /// The gateway answers.
    Status(u16),
    /// A service gets this target and these fields; a field that is empty here must be absent.
    Sent(&'a str, &'a [(&'a str, &'a str)]),
}

#[track_caller]
fn check_sent(request: &str, answer: &Answer, target: &str, sent: &[(&str, &str)]) {
    assert_eq!(answer.status, 200, "{request}: {answer:?}");
    let echo = answer.json();
    assert_eq!(echo["target"], target, "{request}: {echo:#}");
    for (name, value) in sent {
        match *value {
            "" => assert!(echo["headers"].get(name).is_none(), "{request} sends {name}: {echo:#}"),
            value => assert_eq!(echo["headers"][name], value, "{request}, {name}: {echo:#}"),
        }
    }
}

use Expected::{Sent, Status};

/// Requests that are the same with and without the new keys.
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn check_all_stacks(stack: &Stack) {
    let session = ("authorization", "Bearer user.session.jwt");
    for (request, fields, expected) in [
        // A key is needed, and legacy keys are passed on as they are.
        ("GET /rest/v1/todos?select=*", &[][..], Status(401)),
        ("GET /rest/v1/todos", &[("apikey", "wrong")], Status(401)),
        (
            "GET /rest/v1/todos?select=*",
            &[("apikey", ANON)],
            Sent("/todos?select=*", &[("authorization", ANON)]),
        ),
        (
            "GET /rest/v1/todos",
            &[("apikey", ANON), ("authorization", "Bearer anon.legacy.jwt")],
            Sent("/todos", &[("authorization", "Bearer anon.legacy.jwt")]),
        ),
        (
            "PATCH /rest/v1/todos?id=eq.1",
            &[("apikey", ANON), session],
            Sent("/todos?id=eq.1", &[session, ("apikey", ANON)]),
        ),
        ("GET /auth/v1/user", &[("apikey", ANON), session], Sent("/user", &[session])),
        (
            "GET /auth/v1/verify?token=t&type=signup",
            &[],
            Sent("/verify?token=t&type=signup", &[("authorization", "")]),
        ),
        (
            "POST /graphql/v1",
            &[("apikey", ANON)],
            Sent("/rpc/graphql", &[("authorization", ANON), ("content-profile", "graphql_public")]),
        ),
        ("GET /pg/tables", &[("apikey", ANON)], Status(403)),
        (
            "GET /pg/tables",
            &[("apikey", SERVICE)],
            Sent("/tables", &[("x-consumer-username", "service_role")]),
        ),
        ("GET /realtime/v1/api/openapi", &[("apikey", SERVICE)], Status(403)),
        // Storage: an anonymous request, a signature in the query, one in the field, and a user.
        (
            "GET /storage/v1/object/public/b/cat.png",
            &[],
            Sent("/object/public/b/cat.png", &[("authorization", "")]),
        ),
        (
            "GET /storage/v1/s3/b/f?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=abc",
            &[],
            Sent("/s3/b/f?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=abc", &[("authorization", "")]),
        ),
        (
            "PUT /storage/v1/s3/b/f",
            &[("authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c")],
            Sent(
                "/s3/b/f",
                &[("authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c")],
            ),
        ),
        ("GET /storage/v1/bucket", &[("apikey", ANON), session], Sent("/bucket", &[session])),
        // Functions: identity headers of the client are removed, and no empty field is sent.
        ("POST /functions/v1/hello", &[], Sent("/hello", &[("sb-api-key", ""), ("authorization", "")])),
        (
            "POST /functions/v1/hello",
            &[("sb-api-key", "forged"), session],
            Sent("/hello", &[("sb-api-key", ""), session]),
        ),
        (
            "POST /functions/v1/hello",
            &[("apikey", ANON)],
            Sent("/hello", &[("sb-api-key", ""), ("apikey", ANON)]),
        ),
        // The dashboard.
        ("GET /project/default", &[], Status(401)),
        ("GET /project/default", &[("authorization", "Basic c3VwYWJhc2U6d3Jvbmc=")], Status(401)),
        (
            "GET /project/default?x=1",
            &[("authorization", "Basic c3VwYWJhc2U6MTIzNDU2")],
            Sent("/project/default?x=1", &[("authorization", "")]),
        ),
        ("POST /mcp", &[], Status(403)),
        (
            "OPTIONS /rest/v1/todos",
            &[("origin", "https://app.example"), ("access-control-request-method", "PATCH")],
            Status(200),
        ),
    ] {
        stack.check(request, fields, &expected);
    }
}

/// Requests with the new keys.
fn check_new_keys(stack: &Stack) {
    let anon = ("authorization", "Bearer anon.internal.jwt");
    let service = ("authorization", "Bearer service.internal.jwt");
    let session = ("authorization", "Bearer user.session.jwt");
    for (request, fields, expected) in [
        ("GET /rest/v1/todos", &[("apikey", PUBLISHABLE)][..], Sent("/todos", &[anon])),
        (
            "GET /rest/v1/todos",
            &[("apikey", PUBLISHABLE), ("authorization", "Bearer sb_publishable_1")],
            Sent("/todos", &[anon]),
        ),
        ("GET /rest/v1/todos", &[("apikey", SECRET)], Sent("/todos", &[service])),
        ("GET /rest/v1/todos", &[("apikey", PUBLISHABLE), session], Sent("/todos", &[session])),
        ("GET /rest/v1/todos", &[("apikey", "sb_publishable_2")], Status(401)),
        ("GET /pg/tables", &[("apikey", PUBLISHABLE)], Status(403)),
        ("GET /pg/tables", &[("apikey", SECRET)], Sent("/tables", &[("apikey", SECRET)])),
        ("GET /storage/v1/bucket", &[("apikey", SECRET)], Sent("/bucket", &[service])),
        (
            "POST /functions/v1/hello",
            &[("apikey", PUBLISHABLE)],
            Sent("/hello", &[("sb-api-key", ANON_INTERNAL), ("authorization", "")]),
        ),
        (
            "POST /functions/v1/hello",
            &[("authorization", "Bearer sb_secret_1")],
            Sent("/hello", &[("sb-api-key", SERVICE_INTERNAL), ("authorization", "Bearer sb_secret_1")]),
        ),
        (
            "POST /functions/v1/hello",
            &[("apikey", PUBLISHABLE), ("sb-api-key", "forged"), session],
            Sent("/hello", &[("sb-api-key", ANON_INTERNAL), session]),
        ),
    ] {
        stack.check(request, fields, &expected);
    }
}

/// A WebSocket whose key is in the query; `token` is what the service gets in its place.
#[track_caller]
fn check_realtime(stack: &Stack, key: &str, token: &str) {
    let address = stack.gateway.address("proxy");
    let path = format!("/realtime/v1/websocket?apikey={key}&vsn=1.0.0");
    let (mut client, _) = WebSocket::open(address, false, &path, "").unwrap();
    client.assert_echo(TEXT, b"{\"event\":\"phx_join\"}");
    let head = stack.realtime.wait_until(&format!("x-api-key: {token}")).to_ascii_lowercase();
    assert!(head.starts_with("get /socket/websocket?"), "{head}");
    assert!(head.contains(&format!("apikey={token}")) && head.contains("vsn=1.0.0"), "{head}");
    let refused = WebSocket::open(address, false, "/realtime/v1/websocket?apikey=wrong", "").err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
}

#[test]
fn a_stack_with_new_keys_behaves_as_with_kong() {
    for substitution in [Substitution::Entrypoint, Substitution::Gateway] {
        let stack = Stack::start(substitution, true);
        check_all_stacks(&stack);
        check_new_keys(&stack);
        check_realtime(&stack, PUBLISHABLE, ANON_INTERNAL);
        assert!(
            stack.gateway.stdout().contains("\"GET /rest/v1/todos"),
            "the access log is on standard output"
        );
    }
}

#[test]
fn a_stack_with_legacy_keys_behaves_as_with_kong() {
    for substitution in [Substitution::Entrypoint, Substitution::Gateway] {
        let stack = Stack::start(substitution, false);
        check_all_stacks(&stack);
        check_realtime(&stack, ANON, ANON);
    }
}

#[test]
fn a_large_file_is_uploaded_and_stays_out_of_memory() {
    let stack = Stack::start(Substitution::Entrypoint, true);
    let content: Vec<u8> = (0..60 << 20).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[2]).collect();
    let fields = [("authorization", "Bearer user.session.jwt"), ("content-type", "application/octet-stream")];
    let answer = stack.gateway.post("/storage/v1/object/b/large.bin", &fields, &content);
    assert_eq!(answer.status, 200, "{answer:?}");
    let echo = answer.json();
    assert_eq!((&echo["bytes"], &echo["sum"]), (&content.len().into(), &sum(&content).into()));
    assert_eq!(stack.services["storage"].seen().bytes, content.len());
    assert!(stack.gateway.memory() < 60 << 20, "{} bytes", stack.gateway.memory());
}
