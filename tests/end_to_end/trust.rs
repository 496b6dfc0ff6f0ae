//! Trust boundary of requests: a client cannot forge fields of the gateway or its plugins, in HTTP/1.1 and HTTP/2.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use crate::{
    PATIENCE, eventually,
    frames::{DATA, END_HEADERS, END_STREAM, End, Frames, HEADERS, fields},
    gateway::{Gateway, Setup},
    raw::Raw,
};

/// A service that records every request byte for byte, and gives all the same response.
struct Recorder {
    address: SocketAddr,
    requests: Receiver<String>,
}

impl Recorder {
    fn start() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }

    fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = whole(&mut stream);
                let _ = stream.write_all(answer.as_bytes());
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    /// The next request.
    #[track_caller]
    fn next(&self) -> Request {
        Request(self.requests.recv_timeout(PATIENCE).unwrap())
    }
}

/// One request, read until its end.
fn whole(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 8192]);
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let chunked = head.contains("\r\ntransfer-encoding: chunked");
            let length = head.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            let ended =
                body.ends_with("\r\n\r\n") && (body.starts_with("0\r\n") || body.contains("\r\n0\r\n"));
            if (chunked && ended) || (!chunked && body.len() >= length) {
                return text;
            }
        }
        let read = stream.read(&mut buffer).unwrap();
        if read == 0 {
            return text;
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}

/// A request as the service received it.
#[derive(Debug)]
struct Request(String);

impl Request {
    /// All values of a field, with bars between; trailers count, too.
    fn field(&self, name: &str) -> String {
        let fields = self.0.lines().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(field_name, _)| *field_name == name)
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
            .join("|")
    }

    #[track_caller]
    fn assert_has(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            assert_eq!(self.field(name), *value, "{name} in {}", self.0);
        }
    }

    /// Checks that the request does not contain a text.
    #[track_caller]
    fn assert_lacks(&self, text: &str) {
        assert!(!self.0.to_ascii_lowercase().contains(text), "{text} in {}", self.0);
    }
}

fn config(recorder: &Recorder) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: s
  url: http://{}
  routes:
  - {{name: bare, paths: [/bare]}}
  - {{name: host, hosts: [internal.example], paths: [/host], preserve_host: true}}
  - name: members
    paths: [/members]
    plugins:
    - {{name: key-auth, config: {{hide_credentials: true, run_on_preflight: false, key_names: [x-api-key, apikey]}}}}
    - {{name: acl, config: {{deny: [nobody], hide_groups_header: false}}, enabled: false}}
    - {{name: correlation-id, config: {{generator: uuid#counter}}}}
    - name: request-transformer
      config:
        add: {{headers: ['X-Tenant:gold', 'X-Told:$(headers.x_consumer_username)']}}
        replace: {{headers: ['Authorization:Bearer $(headers.x_consumer_username)']}}
  - name: guests
    paths: [/guests]
    plugins: [{{name: key-auth, config: {{anonymous: guest}}}}]
  - name: passwords
    paths: [/passwords]
    plugins: [{{name: basic-auth, config: {{hide_credentials: true, anonymous: guest}}}}]
  - name: rewritten
    paths: [/rewritten]
    plugins:
    - name: request-transformer
      config: {{replace: {{uri: '$(query_params.p)$(query_params.p)', headers: ['host:$(query_params.h)']}}}}
consumers:
- username: alice
  keyauth_credentials: [{{key: alice-key}}]
- username: guest
",
        recorder.address
    )
}

fn start() -> (Recorder, Gateway) {
    let recorder = Recorder::start();
    let gateway = Setup::with(&config(&recorder)).run();
    (recorder, gateway)
}

/// Fields as lines of HTTP/1.1.
fn lines(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect()
}

/// The protocol of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    One,
    Two,
}

const BOTH: [Protocol; 2] = [Protocol::One, Protocol::Two];

/// Sends a request; names of fields are in lower case.
#[track_caller]
fn send(gateway: &Gateway, protocol: Protocol, method: &str, path: &str, sent: &[(&str, &str)]) {
    if protocol == Protocol::One {
        let mut raw = Raw::connect(gateway.address("proxy"));
        let lines = lines(sent);
        raw.send(&format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"));
        raw.read_until("HTTP/1.1 200");
        return;
    }
    let head = [(":method", method), (":scheme", "http"), (":authority", "a.example"), (":path", path)];
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&[&head[..], sent].concat()));
    assert_eq!(frames.end_of(1), End::Answered(200, Vec::new()));
}

#[test]
fn fields_nominated_by_connection_are_hop_by_hop() {
    let (recorder, gateway) = start();
    let nominated = "X-Consumer-Username, X-Consumer-ID, X-Credential-Identifier, X-Anonymous-Consumer, X-Tenant, \
                     X-Told, Authorization, Kong-Request-ID, X-Kong-Request-Id, X-Real-IP, X-Forwarded-For, \
                     X-Forwarded-Proto, X-Forwarded-Host, Via, Host, Content-Length, Accept";
    for connection in [nominated.to_owned(), nominated.to_ascii_lowercase(), format!("close,{nominated}")] {
        let sent = [
            ("connection", &*connection),
            ("apikey", "alice-key"),
            ("authorization", "Basic x"),
            ("accept", "a/b"),
            ("x-kept", "1"),
            ("kong-request-id", "mine"),
        ];
        send(&gateway, Protocol::One, "GET", "/members", &sent);
        let request = recorder.next();
        request.assert_has(&[
            ("x-consumer-username", "alice"),
            ("x-tenant", "gold"),
            ("x-told", "alice"),
            ("x-real-ip", "127.0.0.1"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "a.example"),
            ("x-kept", "1"),
            ("accept", ""),
            // The field is nominated, so there is no value to replace.
            ("authorization", ""),
        ]);
        for name in
            ["x-consumer-id", "x-credential-identifier", "x-kong-request-id", "kong-request-id", "via"]
        {
            assert!(!request.field(name).is_empty(), "{name} in {}", request.0);
        }
        // A nominated id is removed, and the request gets another one.
        request.assert_lacks("mine");
        request.assert_lacks("alice-key");
    }
    let nominated = [("connection", "x-anonymous-consumer, x-consumer-username")];
    send(&gateway, Protocol::One, "GET", "/guests", &nominated);
    recorder.next().assert_has(&[("x-anonymous-consumer", "true"), ("x-consumer-username", "guest")]);
}

#[test]
fn fields_of_the_gateway_are_removed_on_every_route() {
    let (recorder, gateway) = start();
    let claims: Vec<(&str, &str)> = [
        "x-consumer-id",
        "x-consumer-username",
        "x_consumer_username",
        "x-consumer_username",
        "x.consumer.username",
        "x-consumer-custom-id",
        "x-consumer-groups",
        "x_consumer_groups",
        "x-credential-identifier",
        "x_credential_identifier",
        "x-anonymous-consumer",
        "x_anonymous_consumer",
        "x-authenticated-groups",
        "x-authenticated-scope",
        "x-authenticated-userid",
        "x_authenticated_userid",
        "x_forwarded_for",
        "x-forwarded_for",
        "x_forwarded_proto",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-ssl",
        "x-real-ip",
        "x_real_ip",
        "x-kong-request-id",
        "x_kong_request_id",
        "forwarded",
    ]
    .map(|name| (name, "forged"))
    .into();
    let sent = [&claims[..], &[("x_custom", "1"), ("x-mine", "2"), ("x-kong-mocking-delay", "0")]].concat();
    for protocol in BOTH {
        for (method, path) in [("GET", "/bare"), ("OPTIONS", "/members"), ("GET", "/guests")] {
            send(&gateway, protocol, method, path, &sent);
            let request = recorder.next();
            request.assert_lacks("forged");
            request.assert_has(&[
                ("x_custom", "1"),
                ("x-mine", "2"),
                ("x-kong-mocking-delay", "0"),
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-proto", "http"),
                ("x-real-ip", "127.0.0.1"),
            ]);
            let expected = if path == "/guests" { "guest" } else { "" };
            assert_eq!(request.field("x-consumer-username"), expected);
        }
        send(&gateway, protocol, "GET", "/bare", &[("x-forwarded-for", "192.0.2.1")]);
        recorder.next().assert_has(&[("x-forwarded-for", "192.0.2.1, 127.0.0.1")]);
    }
}

#[test]
fn look_alikes_of_plugin_headers_are_removed() {
    let (recorder, gateway) = start();
    for protocol in BOTH {
        let sent = [
            ("x-api-key", "alice-key"),
            ("x_api_key", "alice-key"),
            ("apikey", "alice-key"),
            ("x_tenant", "forged"),
            ("x.tenant", "forged"),
            ("x_told", "forged"),
            ("kong_request_id", "forged"),
            ("x_other", "1"),
        ];
        send(&gateway, protocol, "GET", "/members?x-api-key=alice-key&a=%20&apikey=alice-key", &sent);
        let request = recorder.next();
        request.assert_lacks("forged");
        request.assert_lacks("alice-key");
        request.assert_has(&[("x-tenant", "gold"), ("x_other", "1")]);
        assert!(request.0.starts_with("GET /?a=%20 "), "{}", request.0);
        let sent = [("authorization", "Basic Zm9yZ2Vk"), ("proxy_authorization", "Basic Zm9yZ2Vk")];
        send(&gateway, protocol, "GET", "/passwords", &sent);
        let request = recorder.next();
        request.assert_lacks("basic");
        request.assert_has(&[("x-anonymous-consumer", "true")]);
    }
}

#[test]
fn trailers_cannot_forge_fields() {
    let (recorder, gateway) = start();
    let trailers = [
        ("x-consumer-username", "forged"),
        ("x_consumer_username", "forged"),
        ("x-forwarded-for", "forged"),
        ("x-real-ip", "forged"),
        ("x-kong-request-id", "forged"),
        ("x-tenant", "forged"),
        ("x_tenant", "forged"),
        ("x-api-key", "forged"),
        ("kong-request-id", "forged"),
        ("content-length", "3"),
        ("x-sum", "1"),
    ];
    let names = trailers.map(|(name, _)| name).join(", ");
    for (path, left) in [("/bare", true), ("/members", false)] {
        for protocol in BOTH {
            let head = [("te", "trailers"), ("trailer", &*names), ("apikey", "alice-key")];
            if protocol == Protocol::One {
                let mut raw = Raw::connect(gateway.address("proxy"));
                raw.send(&format!(
                    "POST {path} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n{}\r\n1\r\na\r\n0\r\n{}\r\n",
                    lines(&head),
                    lines(&trailers[..9]) + &lines(&trailers[10..])
                ));
                raw.read_until("HTTP/1.1 200");
            } else {
                let pseudo =
                    [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", path)];
                let mut frames = Frames::connect(gateway.address("proxy"), &[]);
                frames.send(HEADERS, END_HEADERS, 1, &fields(&[&pseudo[..], &head[..]].concat()));
                frames.send(DATA, 0, 1, b"a");
                let sent = [&trailers[..9], &trailers[10..]].concat();
                frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&sent));
                assert_eq!(frames.end_of(1), End::Answered(200, Vec::new()));
            }
            let request = recorder.next();
            let body = request.0.split_once("\r\n\r\n").unwrap().1;
            let sent = body.strip_prefix("1\r\na\r\n0\r\n").unwrap();
            let mut sent: Vec<&str> = sent.lines().filter(|line| !line.is_empty()).collect();
            sent.sort_unstable();
            // A field that no plugin sets on this route passes.
            let own = [
                "kong-request-id: forged",
                "x-api-key: forged",
                "x-sum: 1",
                "x-tenant: forged",
                "x_tenant: forged",
            ];
            let expected = if left { &own[..] } else { &own[2..3] };
            assert_eq!(sent, expected, "{path} {protocol:?}");
        }
    }
}

#[test]
fn a_template_yields_a_valid_host_and_path_or_an_error() {
    let (recorder, gateway) = start();
    let own = recorder.address.to_string();
    for (query, line, host) in [
        ("p=%2Fa&h=b.example:81", "GET /a/a?p=%2Fa&h=b.example:81 HTTP/1.1", "b.example:81"),
        ("p=a&h=evil%20x", "GET /aa?p=a&h=evil%20x HTTP/1.1", &*own),
        ("p=*&h=b%0D%0Ax:y", "GET /**?p=*&h=b%0D%0Ax:y HTTP/1.1", &*own),
        (
            "p=%20%0D%0A%00%23&h=b%2Fc",
            "GET /%20%0D%0A%00%23%20%0D%0A%00%23?p=%20%0D%0A%00%23&h=b%2Fc HTTP/1.1",
            &*own,
        ),
        ("h=u@b.example", "GET /?h=u@b.example HTTP/1.1", &*own),
    ] {
        send(&gateway, Protocol::One, "GET", &format!("/rewritten?{query}"), &[]);
        let request = recorder.next();
        assert_eq!((request.0.lines().next(), &*request.field("host")), (Some(line), host), "{query}");
        assert!(!request.0.contains("\nx:y"), "{}", request.0);
    }
    gateway.wait_for_log("sets the invalid Host");
}

#[test]
fn a_target_that_is_too_long_is_refused_not_truncated() {
    let recorder = Recorder::start();
    let long = "$(query_params.p)".repeat(10);
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{}\n  routes:\n  - name: r\n    paths: [/]\n    plugins: [{{name: request-transformer, config: {{replace: {{uri: '{long}'}}}}}}]\n",
        recorder.address
    );
    let gateway = Setup::with(&config).run();
    let answer = gateway.get(&format!("/x?p={}", "a".repeat(7000)));
    answer.assert_message(414, "the target is too long");
    send(&gateway, Protocol::One, "GET", "/x?p=/b", &[]);
    assert!(recorder.next().0.starts_with("GET /b/b/b/b"));
}

#[test]
fn router_and_upstream_use_the_same_host() {
    let (recorder, gateway) = start();
    for (target, host, sent, forwarded) in [
        ("/host", "internal.example", "internal.example", "internal.example"),
        ("/host", "internal.example.", "internal.example.", "internal.example"),
        ("/host", "Internal.Example.:8000", "Internal.Example.:8000", "internal.example"),
        ("/host", "internal.example:80", "internal.example:80", "internal.example"),
        ("http://internal.example./host", "other.example", "internal.example.", "internal.example"),
        ("http://internal.example:81/host", "other.example", "internal.example:81", "internal.example"),
    ] {
        let mut raw = Raw::connect(gateway.address("proxy"));
        raw.send(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        raw.read_until("HTTP/1.1 200");
        recorder.next().assert_has(&[("host", sent), ("x-forwarded-host", forwarded)]);
    }
    for (target, host) in [
        ("http://other.example/host", "internal.example"),
        ("/host", "internal.example.other"),
        ("/host", ""),
    ] {
        let mut raw = Raw::connect(gateway.address("proxy"));
        raw.send(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        raw.read_until("HTTP/1.1 404");
    }
    let head =
        [(":method", "GET"), (":scheme", "http"), (":authority", "Internal.Example."), (":path", "/host")];
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&head));
    assert_eq!(frames.end_of(1), End::Answered(200, Vec::new()));
    recorder.next().assert_has(&[("host", "Internal.Example."), ("x-forwarded-host", "internal.example")]);
}

#[test]
fn ipv4_addresses_are_equal_to_their_ipv6_mapped_form() {
    let recorder = Recorder::start();
    let route = |name: &str, more: &str| format!("  - {{name: {name}, paths: [/{name}], {more}}}\n");
    let restricted = |list: &str, network: &str| {
        format!("plugins: [{{name: ip-restriction, config: {{{list}: ['{network}']}}}}]")
    };
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{}\n  routes:\n{}{}{}",
        recorder.address,
        route("denied", &restricted("deny", "::ffff:127.0.0.0/104")),
        route("one", &restricted("deny", "::ffff:127.0.0.1")),
        route("allowed", &restricted("allow", "::ffff:127.0.0.0/104")),
    );
    let gateway = Setup::with(&config).env("KONG_TRUSTED_IPS", "::ffff:127.0.0.0/104").run();
    assert_eq!(gateway.get("/denied").status, 403);
    assert_eq!(gateway.get("/one").status, 403);
    let vouched = [("x-forwarded-proto", "https"), ("x-forwarded-ssl", "on")];
    send(&gateway, Protocol::One, "GET", "/allowed", &vouched);
    recorder.next().assert_has(&vouched);
    send(
        &gateway,
        Protocol::One,
        "GET",
        "/allowed",
        &[("x_forwarded_proto", "forged"), ("x-consumer-id", "forged")],
    );
    recorder.next().assert_lacks("forged");
}

#[test]
fn logs_show_the_client_request_without_hidden_credentials() {
    let recorder = Recorder::start();
    let plugins = "plugins:\n- name: file-log\n  config: {path: requests.log}\n";
    let gateway = Setup::with(&(config(&recorder) + plugins)).run();
    let sent = [
        ("apikey", "alice-key"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x_consumer_username", "forged"),
        ("x-tenant", "mine"),
    ];
    send(&gateway, Protocol::One, "GET", "/members?x-api-key=alice-key&a=1", &sent);
    recorder.next();
    let entry: serde_json::Value = eventually("an entry is written", || {
        let text = std::fs::read_to_string(gateway.folder.at("requests.log")).ok()?;
        text.ends_with('\n').then(|| serde_json::from_str(&text).unwrap())
    });
    let fields = &entry["request"]["headers"];
    for (name, value) in
        [("x-hop", "1"), ("connection", "x-hop"), ("x_consumer_username", "forged"), ("x-tenant", "mine")]
    {
        assert_eq!(fields[name], value, "{name} in {fields:#}");
    }
    assert_eq!(fields["x-consumer-username"], "alice");
    assert_eq!(entry["request"]["uri"], "/members?a=1");
    assert!(!entry.to_string().contains("alice-key"), "{entry:#}");
}

#[test]
fn plugin_settings_cannot_change_the_framing_of_responses() {
    let recorder =
        Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    let rules = [
        "replace: {headers: ['Content-Length:3']}",
        "append: {headers: ['Content-Length:99']}",
        "remove: {headers: [content-length]}, add: {headers: ['Content-Length:0']}",
        "add: {headers: ['Transfer-Encoding:chunked', 'Connection:upgrade', 'Upgrade:h2c', 'Keep-Alive:x']}",
        "rename: {headers: ['Date:Content-Length']}",
    ];
    let route = |n: usize, rules: &str, more: &str| {
        format!(
            "  - name: r{n}{}\n    paths: [/r{n}{}]\n    plugins: [{{name: response-transformer, config: {{{rules}}}}}{more}]\n",
            more.len(),
            if more.is_empty() { "" } else { "/own" }
        )
    };
    let own =
        ", {name: request-termination, config: {status_code: 200, body: hello, content_type: text/plain}}";
    let routes: String =
        rules.iter().enumerate().map(|(n, rules)| route(n, rules, "") + &route(n, rules, own)).collect();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{}\n  routes:\n{routes}",
        recorder.address
    );
    let gateway = Setup::with(&config).run();
    let mut raw = Raw::connect(gateway.address("proxy"));
    for n in 0..rules.len() {
        for path in [format!("/r{n}"), format!("/r{n}/own")] {
            raw.received.clear();
            raw.send(&format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
            raw.read_until("hello");
            let head = raw.received.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            let lengths: Vec<&str> = head.lines().filter(|line| line.starts_with("content-length")).collect();
            let chunked = head.contains("transfer-encoding: chunked");
            assert!(chunked != (lengths == ["content-length: 5"]), "{path}: {head}");
            assert!(!head.contains("upgrade") && !head.contains("keep-alive: x"), "{path}: {head}");
            if chunked {
                raw.read_until("0\r\n\r\n");
            }
        }
    }
}

#[test]
fn trailers_of_a_response_cannot_forge_fields_of_the_gateway() {
    let answer = "HTTP/1.1 200 OK\r\nTrailer: X-Kong-Request-Id, Via, Set-Cookie, X-Sum\r\nTransfer-Encoding: chunked\r\n\
                  Connection: close\r\n\r\n1\r\na\r\n0\r\nX-Kong-Request-Id: forged\r\nVia: forged\r\nSet-Cookie: forged\r\n\
                  X-Sum: 1\r\n\r\n";
    let recorder = Recorder::answering(answer);
    let gateway = Setup::with(&config(&recorder)).run();
    for te in ["trailers", "Trailers"] {
        let mut raw = Raw::connect(gateway.address("proxy"));
        raw.send(&format!(
            "GET /bare HTTP/1.1\r\nHost: a.example\r\nTE: {te}\r\nConnection: TE, close\r\n\r\n"
        ));
        let received = raw.read_to_end();
        assert!(received.ends_with("\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n"), "{te}: {received}");
    }
}
