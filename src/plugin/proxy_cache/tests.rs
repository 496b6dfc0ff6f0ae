//! Tests of the cache: stored responses, and the requests that they answer.

use std::collections::VecDeque;

use http::header::AUTHORIZATION;
use http_body::Frame;

use super::*;
use crate::{body::BodyError, plugin::test_support};

const JSON: &str = "200\ncontent-type: application/json\n\n{\"a\":1}";

/// The plugin of a test, and the responses that were asked of its upstream.
struct Cached {
    plugin: Arc<dyn Plugin>,
}

/// What a client got.
#[derive(Debug, PartialEq)]
struct Got {
    status: u16,
    /// `X-Cache-Status`; empty if there is none.
    cache: String,
    body: String,
}

impl Cached {
    fn new(config: &str) -> Self {
        let config = format!("{{strategy: memory, {config}}}");
        Self { plugin: test_support::plugin(&DEF, &config) }
    }

    /// Sends a request; `upstream` is the response if the cache has none: a status, fields, an empty line and a body.
    fn ask(&self, request: &str, upstream: &str) -> (Got, HeaderMap) {
        self.ask_as(request, upstream, |_| ())
    }

    fn ask_as(&self, request: &str, upstream: &str, change: impl FnOnce(&mut Exchange)) -> (Got, HeaderMap) {
        let mut exchange = test_support::request(request);
        exchange.matched = Some(test_support::matched());
        change(&mut exchange);
        let mut response =
            test_support::access(&*self.plugin, &mut exchange).unwrap_or_else(|| response(upstream));
        self.plugin.store_response(&mut exchange, &mut response);
        let (head, body) = response.into_parts();
        let cache = head.headers.get(&X_CACHE_STATUS).map(|value| value.to_str().unwrap().to_owned());
        let body = test_support::text(body);
        (Got { status: head.status.as_u16(), cache: cache.unwrap_or_default(), body }, head.headers)
    }

    /// What the cache says to a request.
    fn status(&self, request: &str, upstream: &str) -> String {
        self.ask(request, upstream).0.cache
    }
}

fn response(text: &str) -> HttpResponse {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut response = http::Response::builder().status(lines.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        response = response.header(name, value.trim());
    }
    response.body(Body::full(body.to_owned())).unwrap()
}

/// Checks what the cache says to two equal requests, of which the upstream answers the first one so.
#[track_caller]
fn check_response(config: &str, upstream: &str, expected: [&str; 2]) {
    let cached = Cached::new(config);
    let request = "GET /a\nHost: a.example";
    let said = [cached.status(request, upstream), cached.status(request, upstream)];
    assert_eq!(said, expected, "{config}\n{upstream}");
}

#[test]
fn a_response_is_stored_by_its_status_and_its_media_type() {
    let (stored, passed) = (["Miss", "Hit"], ["Bypass", "Bypass"]);
    check_response("", JSON, stored);
    check_response("", "404\ncontent-type: application/json", stored);
    check_response("", "301\ncontent-type: text/plain", stored);
    check_response("", "201\ncontent-type: application/json", passed);
    check_response("response_code: [201]", "201\ncontent-type: application/json", stored);
    check_response("response_code: [206, 304]", "206\ncontent-type: application/json", passed);
    check_response("response_code: [206, 304]", "304\ncontent-type: application/json", passed);
    check_response("", "200\ncontent-type: application/json; charset=utf-8", passed);
    check_response(
        "content_type: [application/json; charset=utf-8]",
        "200\ncontent-type: application/json; charset=utf-8",
        stored,
    );
    check_response("content_type: ['*/*', b a d]", "200\ncontent-type: text/html", stored);
    check_response("", "200", passed);
    check_response("", "200\ncontent-type: text/plain\ncontent-type: text/plain", passed);
    check_response("", "200\ncontent-type: bad", passed);
}

#[test]
fn a_response_for_one_client_is_not_stored() {
    let json = "content-type: application/json";
    let passed = ["Bypass", "Bypass"];
    check_response("", &format!("200\n{json}\nset-cookie: a=b"), passed);
    check_response("", &format!("200\n{json}\nvary: *"), passed);
    check_response("", &format!("200\n{json}\nvary: accept, *"), passed);
    check_response("", &format!("200\n{json}\nvary: a b"), passed);
}

#[test]
fn cache_control_of_a_response_counts_if_the_setting_says_so() {
    let (stored, passed) = (["Miss", "Hit"], ["Bypass", "Bypass"]);
    for (directives, with) in [
        ("cache-control: max-age=60", stored),
        ("cache-control: public, s-maxage=60", stored),
        ("cache-control: max-age=60, s-maxage=0", passed),
        ("cache-control: max-age=0", passed),
        ("cache-control: public", passed),
        ("cache-control: private, max-age=60", passed),
        ("cache-control: no-store, max-age=60", passed),
        ("cache-control: no-cache=\"x\", max-age=60", passed),
        ("cache-control: max-age=60\nage: 60", passed),
        ("cache-control: max-age=60\nage: 59", stored),
        ("expires: Tue, 01 Dec 2099 12:00:00 GMT", stored),
        ("expires: 0", passed),
        ("x: none", passed),
    ] {
        let upstream = format!("200\ncontent-type: text/plain\n{directives}\n\nx");
        check_response("cache_control: true", &upstream, with);
        check_response("", &upstream, stored);
    }
}

/// Checks what the cache says to a second request after a first one.
#[track_caller]
fn check_pair(config: &str, first: &str, second: &str, expected: &str) {
    let cached = Cached::new(config);
    cached.ask(first, JSON);
    assert_eq!(cached.status(second, JSON), expected, "{config}\n{first}\n{second}");
}

#[test]
fn a_response_answers_requests_for_the_same_resource() {
    let host = "Host: a.example";
    let get = |target: &str| format!("GET {target}\n{host}");
    for (config, first, second, expected) in [
        ("", get("/a?x=1&y=2"), get("/a?y=2&x=1"), "Hit"),
        ("", get("/a?x=1"), get("/a?x=2"), "Miss"),
        ("", get("/a?x"), get("/a?x="), "Miss"),
        ("", get("/a?x=1&x=2"), get("/a?x=2&x=1"), "Miss"),
        ("", get("/a?x=1:y=2"), get("/a?x=1&y=2"), "Miss"),
        ("", get("/a"), get("/A"), "Miss"),
        ("ignore_uri_case: true", get("/a?x=1"), get("/A?x=1"), "Hit"),
        ("ignore_uri_case: true", get("/a?x=a"), get("/A?x=A"), "Miss"),
        ("vary_query_params: [x]", get("/a?x=1&y=2"), get("/a?x=1&y=3"), "Hit"),
        ("vary_query_params: [x]", get("/a?x=1&y=2"), get("/a?x=2&y=2"), "Miss"),
        ("vary_query_params: [a b]", get("/a?a+b=1"), get("/a?a%20b=2"), "Miss"),
        ("", get("/a"), "GET /a\nHost: A.Example".to_owned(), "Hit"),
        ("", get("/a"), "GET /a\nHost: b.example".to_owned(), "Miss"),
        ("", get("/a"), format!("HEAD /a\n{host}"), "Miss"),
        ("", get("/a"), format!("GET /a\n{host}\nAccept: x"), "Hit"),
        ("vary_headers: [accept]", get("/a"), format!("GET /a\n{host}\nAccept: x"), "Miss"),
        ("vary_headers: [accept]", get("/a"), format!("GET /a\n{host}\nOther: x"), "Hit"),
        ("", get("/a"), format!("GET /a\n{host}\nAuthorization: x"), "Miss"),
        (
            "",
            format!("GET /a\n{host}\nAuthorization: x"),
            format!("GET /a\n{host}\nAuthorization: y"),
            "Miss",
        ),
        ("", format!("GET /a\n{host}\nAuthorization: x"), format!("GET /a\n{host}\nAuthorization: x"), "Hit"),
        ("", get("/a"), format!("POST /a\n{host}"), "Bypass"),
        ("", get("/a"), format!("GET /a\n{host}\nIf-Match: x"), "Bypass"),
        ("", get("/a"), format!("GET /a\n{host}\nRange: bytes=0-1"), "Bypass"),
        ("", get("/a"), format!("GET /a\n{host}\nConnection: upgrade\nUpgrade: websocket"), "Bypass"),
        ("request_method: [POST]", format!("POST /a\n{host}\n\nx"), format!("POST /a\n{host}\n\nx"), "Hit"),
        ("request_method: [POST]", format!("POST /a\n{host}\n\nx"), format!("POST /a\n{host}\n\ny"), "Miss"),
    ] {
        check_pair(config, &first, &second, expected);
    }
}

#[test]
fn each_consumer_and_each_scheme_has_its_own_responses() {
    let cached = Cached::new("");
    let consumers = test_support::consumers();
    let request = "GET /a\nHost: a.example";
    let ask = |key: &str| {
        let found = consumers.find_by_key(key).cloned();
        cached.ask_as(request, JSON, |exchange| exchange.identity = found).0.cache
    };
    assert_eq!(
        ["", "", "alice-key", "alice-key", "bob-key"].map(ask),
        ["Miss", "Hit", "Miss", "Hit", "Miss"]
    );
    let over_tls = cached.ask_as(request, JSON, |exchange| exchange.tls = true).0.cache;
    assert_eq!(over_tls, "Miss");
    // A credential that a plugin hides from the upstream does not count.
    let hidden = |value: &str| {
        let request = format!("{request}\nAuthorization: {value}");
        cached.ask_as(&request, JSON, |exchange| exchange.upstream.remove_field(AUTHORIZATION)).0.cache
    };
    assert_eq!(["x", "y"].map(hidden), ["Hit", "Hit"]);
}

#[test]
fn directives_of_a_request_count_if_the_setting_says_so() {
    let upstream = "200\ncontent-type: text/plain\ncache-control: max-age=60\nage: 10\n\nx";
    let request = |directives: &str| format!("GET /a\nHost: a\nCache-Control: {directives}");
    for (directives, expected) in [
        ("", "Hit"),
        ("max-age=10", "Hit"),
        ("max-age=9", "Refresh"),
        ("max-age=0, max-stale", "Refresh"),
        ("min-fresh=40", "Hit"),
        ("min-fresh=51", "Refresh"),
        ("only-if-cached", "Hit"),
        ("no-cache", "Bypass"),
        ("no-store", "Bypass"),
    ] {
        for (config, expected) in [("cache_control: true", expected), ("", "Hit")] {
            let cached = Cached::new(config);
            cached.ask("GET /a\nHost: a", upstream);
            assert_eq!(cached.status(&request(directives), upstream), expected, "{config} {directives}");
        }
    }
    let cached = Cached::new("cache_control: true");
    assert_eq!(cached.ask(&request("only-if-cached"), upstream).0.status, 504);
    // Neither waits for a response that is on its way to another request.
    assert_eq!(cached.status("GET /a\nHost: a", upstream), "Miss");
}

#[test]
fn responses_to_requests_with_credentials_are_stored_if_they_allow_it() {
    for (directives, expected) in [
        ("max-age=60", "Bypass"),
        ("max-age=60, public", "Hit"),
        ("s-maxage=60", "Hit"),
        ("max-age=60, must-revalidate", "Hit"),
    ] {
        let cached = Cached::new("cache_control: true");
        let upstream = format!("200\ncontent-type: text/plain\ncache-control: {directives}\n\nx");
        let request = "GET /a\nHost: a\nAuthorization: Bearer x";
        cached.ask(request, &upstream);
        assert_eq!(cached.status(request, &upstream), expected, "{directives}");
    }
}

#[test]
fn a_stale_response_is_sent_only_to_who_accepts_it() {
    let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
    let check = |response: &str, request: &str, after: Duration, expected: bool| {
        let cache = ResponseCache::new(1 << 20);
        let mut fields = HeaderMap::new();
        fields.insert("cache-control", response.parse().unwrap());
        let now = Instant::now();
        let directives = CacheDirectives::of(&fields);
        let stored = StoredResponse {
            status: StatusCode::OK,
            ttl: directives.lifetime(&fields, std::time::SystemTime::now()),
            headers: fields,
            body: Bytes::new(),
            stored_at: std::time::SystemTime::now(),
            stored: now,
            age_on_arrival: Duration::ZERO,
            expires_at: now + minute * 60,
            must_revalidate: directives.must_revalidate,
            vary: Vec::new(),
            _room: cache.reserve(1).unwrap(),
        };
        let mut fields = HeaderMap::new();
        fields.insert("cache-control", request.parse().unwrap());
        let accepted = stored.is_accepted(&CacheDirectives::of(&fields), true, now + after);
        assert_eq!(accepted, expected, "{response} / {request} after {after:?}");
        assert_eq!(stored.is_accepted(&CacheDirectives::default(), false, now + after), after < stored.ttl);
    };
    check("max-age=60", "x", minute.checked_sub(second).unwrap(), true);
    check("max-age=60", "x", minute, false);
    check("max-age=60", "max-stale", minute * 10, true);
    check("max-age=60", "max-stale=10", minute + second * 10, true);
    check("max-age=60", "max-stale=10", minute + second * 11, false);
    check("max-age=60", "max-stale=10, max-age=65", minute + second * 6, false);
    check("max-age=60, must-revalidate", "max-stale", minute, false);
    check("max-age=60, proxy-revalidate", "max-stale", minute.checked_sub(second).unwrap(), true);
    check("max-age=60", "min-fresh=10, max-stale", minute.checked_sub(second).unwrap(), false);
}

#[test]
fn each_value_of_a_varying_field_has_its_own_response() {
    let cached = Cached::new("");
    let upstream =
        |language: &str| format!("200\ncontent-type: text/plain\nvary: Accept-Language\n\n{language}");
    let request = |language: &str| format!("GET /a\nHost: a\nAccept-Language: {language}");
    let ask = |language: &str| cached.ask(&request(language), &upstream(language)).0;
    for expected in ["Miss", "Hit"] {
        for language in ["de", "fr"] {
            let got = Got { status: 200, cache: expected.to_owned(), body: language.to_owned() };
            assert_eq!(ask(language), got);
        }
    }
    for n in 0..100 {
        ask(&n.to_string());
    }
    assert_eq!(
        (ask("99").cache.as_str(), ask("fr").cache.as_str()),
        ("Hit", "Miss"),
        "the number is limited"
    );
    // An encoded response depends on what the client accepts, whether it says so or not.
    let encoded = "200\ncontent-type: text/plain\ncontent-encoding: gzip\n\nx";
    assert_eq!(cached.status("GET /b\nHost: a\nAccept-Encoding: gzip", encoded), "Miss");
    assert_eq!(cached.status("GET /b\nHost: a\nAccept-Encoding: gzip", encoded), "Hit");
    assert_eq!(cached.status("GET /b\nHost: a", encoded), "Miss");
}

#[test]
fn an_answer_from_the_cache_has_the_fields_of_the_response() {
    let cached = Cached::new("");
    let upstream = "200\ncontent-type: application/json\nx-a: 1\nx-a: 2\nserver: s\nage: 7\ncontent-length: 7\n\
                    x-kong-upstream-latency: 9\nx-ratelimit-remaining-minute: 3\n\n{\"a\":1}";
    let (got, first) = cached.ask("GET /a\nHost: a", upstream);
    assert_eq!(got.cache, "Miss");
    let (got, mut second) = cached.ask("GET /a\nHost: a", upstream);
    assert_eq!(got, Got { status: 200, cache: "Hit".into(), body: "{\"a\":1}".into() });
    assert_eq!(second.remove(&X_CACHE_KEY).as_ref(), first.get(&X_CACHE_KEY));
    let mut fields = test_support::headers(&second);
    fields.sort();
    let expected = [
        "age: 7",
        "content-length: 7",
        "content-type: application/json",
        "server: s",
        "x-a: 1",
        "x-a: 2",
        "x-cache-status: Hit",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn fields_about_the_cache_are_shown_as_the_settings_say() {
    let config = "response_headers: {age: false, X-Cache-Status: false, X-Cache-Key: false}";
    let cached = Cached::new(config);
    for shown in [false, false, true] {
        let debug = if shown { "\nKong-Debug: 1" } else { "" };
        let (_, fields) = cached.ask(&format!("GET /a\nHost: a{debug}"), JSON);
        for name in ["age", "x-cache-status", "x-cache-key"] {
            assert_eq!(fields.contains_key(name), shown, "{name}");
        }
    }
}

#[test]
fn a_client_that_has_the_response_gets_304() {
    let date = "Tue, 01 Dec 2026 12:00:00 GMT";
    let fields = format!("content-type: text/plain\netag: W/\"1\"\nlast-modified: {date}\ncontent-length: 4");
    let upstream = format!("200\n{fields}\n\nbody");
    let cached = Cached::new("");
    cached.ask("GET /a\nHost: a", &upstream);
    cached.ask("HEAD /a\nHost: a", &format!("200\n{fields}"));
    for (condition, status, body) in [
        ("If-None-Match: \"1\"", 304, ""),
        ("If-None-Match: \"2\", W/\"1\"", 304, ""),
        ("If-None-Match: *", 304, ""),
        ("If-None-Match: \"2\"", 200, "body"),
        ("If-Modified-Since: Tue, 01 Dec 2026 12:00:00 GMT", 304, ""),
        ("If-Modified-Since: Tue, 01 Dec 2026 11:59:59 GMT", 200, "body"),
        ("If-Modified-Since: Tue, 01 Dec 2026 12:00:00 GMT\nIf-None-Match: \"2\"", 200, "body"),
    ] {
        for (method, body) in [("GET", body), ("HEAD", "")] {
            let (got, fields) = cached.ask(&format!("{method} /a\nHost: a\n{condition}"), "500");
            let expected = Got { status, cache: "Hit".into(), body: body.into() };
            assert_eq!(got, expected, "{method} {condition}");
            let length = fields.get("content-length").map(|value| value.to_str().unwrap());
            assert_eq!(length, (status == 200).then_some("4"), "{method} {condition}");
            assert!(fields.contains_key("etag"));
        }
    }
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        ("{}", "config.strategy: required field missing"),
        ("{strategy: redis}", "config.strategy: expected one of: memory"),
        ("{strategy: memory, response_code: []}", "config.response_code: length must be at least 1"),
        (
            "{strategy: memory, response_code: [99]}",
            "config.response_code[0]: value should be between 100 and 900",
        ),
        ("{strategy: memory, cache_ttl: 0}", "config.cache_ttl: value must be greater than 0"),
        (
            "{strategy: memory, request_method: [DELETE]}",
            "config.request_method[0]: expected one of: HEAD, GET, POST, PATCH, PUT",
        ),
    ] {
        assert_eq!(test_support::diagnostics(&DEF, config), [expected], "{config}");
    }
    test_support::plugin(&DEF, "{strategy: memory, memory: {dictionary_name: other}, storage_ttl: 10}");
}

#[test]
fn memory_is_limited_and_those_that_were_not_used_make_room() {
    let cache = ResponseCache::new(80_000);
    let space = cache.space(uuid::Uuid::nil());
    let now = Instant::now();
    let key = |n: usize| CacheKey::parse(&format!("{n:064x}")).unwrap();
    let store = |n: usize, seconds: u64| {
        let mut buffer = cache.new_buffer(9000);
        assert!(cache.append(&mut buffer, &[b'x'; 9000]));
        let stored = StoredResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: buffer.into_bytes(),
            stored_at: std::time::SystemTime::now(),
            ttl: Duration::from_secs(seconds),
            stored: now,
            age_on_arrival: Duration::ZERO,
            expires_at: now + Duration::from_secs(seconds),
            must_revalidate: false,
            vary: Vec::new(),
            _room: cache.reserve(500).unwrap(),
        };
        space.store(key(n), stored, now);
    };
    let has = |n: usize, after: u64| {
        let found = space.find(key(n), now + Duration::from_secs(after), |_| true);
        matches!(found, CacheLookup::Stored(_))
    };
    for n in 0..100 {
        store(n, 60);
        assert!(has(0, 0), "it was used a moment ago");
        assert!(cache.memory().held() <= 80_000);
    }
    assert!(has(99, 0) && !has(1, 0) && !has(0, 60));
    assert!(cache.reserve(80_001).is_none());
    assert_eq!(cache.memory().held(), 0, "everything has made room");
    store(1, 60);
    assert!(cache.purge(Some(uuid::Uuid::nil()), key(1)) && !cache.purge(None, key(1)));
    store(2, 60);
    cache.purge_all();
    assert_eq!(cache.memory().held(), 0);
    store(3, 60);
    drop(space);
    assert_eq!(cache.memory().held(), 0, "settings that are gone leave nothing");
}

/// A body whose frames a test sends, without a known length.
struct SentBody(tokio::sync::mpsc::UnboundedReceiver<Result<Frame<Bytes>, BodyError>>);

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(context)
    }
}

/// What a client reads of a body that is recorded, at most 100 bytes; and what is stored.
async fn record(
    frames: Vec<Result<Frame<Bytes>, BodyError>>,
    client_leaves: bool,
) -> (String, Option<Bytes>) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let (stored, result) = tokio::sync::oneshot::channel();
    let cache = ResponseCache::new(10_000);
    let body = recording::record(Body::boxed(SentBody(receiver)), (cache, 100), None, |whole| {
        let _ = stored.send(whole);
        FlightOutcome::Stored
    });
    let mut body = Some(body).filter(|_| !client_leaves);
    let mut read = String::new();
    let mut frames = VecDeque::from(frames);
    if let Some(frame) = frames.pop_front() {
        sender.send(frame).unwrap();
    }
    if let Some(body) = &mut body {
        // The client gets the first frame while the others have not been sent.
        read += &next(body).await;
    }
    for frame in frames {
        let _ = sender.send(frame);
    }
    drop(sender);
    while let Some(body) = &mut body {
        match next(body).await {
            end if end.is_empty() => break,
            text => read += &text,
        }
    }
    (read, result.await.unwrap())
}

async fn next(body: &mut Body) -> String {
    match http_body_util::BodyExt::frame(body).await {
        None => String::new(),
        Some(Err(_)) => "!".to_owned(),
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
            Err(_) => "trailers".to_owned(),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_recorded_while_its_client_reads_it() {
    let data = |text: &str| Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes())));
    let (read, stored) = record(vec![data("abc"), data("def")], false).await;
    assert_eq!((read.as_str(), stored), ("abcdef", Some(Bytes::from("abcdef"))));
    // The client has left.
    let (_, stored) = record(vec![data("abc"), data("def")], true).await;
    assert_eq!(stored, Some(Bytes::from("abcdef")));
    // The body is too large: the client gets all of it.
    let long = "x".repeat(90);
    let (read, stored) = record(vec![data("abc"), data(&long), data(&long)], false).await;
    assert_eq!((read, stored), (format!("abc{long}{long}"), None));
    // Trailers are not stored.
    let trailers = Ok(Frame::trailers(HeaderMap::new()));
    let (read, stored) = record(vec![data("abc"), trailers], false).await;
    assert_eq!((read.as_str(), stored), ("abctrailers", None));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_not_stored_and_fails_for_its_client() {
    let cache = ResponseCache::new(10_000);
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut body = recording::record(Body::boxed(SentBody(receiver)), (cache.clone(), 100), None, |whole| {
        assert_eq!(whole, None);
        FlightOutcome::NotStored
    });
    sender.send(Ok(Frame::data(Bytes::from_static(b"abc")))).unwrap();
    sender.send(Err(BodyError::ReadTimeout)).unwrap();
    assert_eq!(next(&mut body).await, "abc");
    assert_eq!(next(&mut body).await, "!");
    drop(body);
    tokio::task::yield_now().await;
    assert_eq!(cache.memory().held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_recording_without_a_client_ends_after_some_time() {
    let cache = ResponseCache::new(10_000);
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let body = recording::record(Body::boxed(SentBody(receiver)), (cache, 100), None, |whole| {
        assert_eq!(whole, None);
        FlightOutcome::NotStored
    });
    drop(body);
    tokio::time::timeout(Duration::from_mins(1), sender.closed()).await.unwrap();
}
