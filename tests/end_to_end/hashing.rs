//! Consistent hashing: equal requests go to the same target, and few change their target when the set of targets changes.

use std::collections::BTreeSet;

use crate::{
    balancing::{config, start},
    eventually,
    gateway::{Gateway, Setup},
    targets::{Target, ask, count, target_name},
};

/// The request of the client with this number: a path with a segment that its Route captures, and header fields.
type Request = fn(u32) -> (String, Vec<(&'static str, String)>);

/// Which parts of a request depend on the client: all, or only the named one.
const ALL: Request = |n| {
    let fields = vec![("x-user", format!("u{n}")), ("cookie", format!("a=b; session=s{n}"))];
    (format!("/item/{n}?user=q{n}&user=r{n}&page={n}"), fields)
};
const PATH: Request = |n| (format!("/{n}"), vec![]);
const CAPTURE: Request = |n| (format!("/item/{n}"), vec![]);
const QUERY: Request = |n| (format!("/x?page={n}&user=q{n}"), vec![]);
const HEADER: Request = |n| ("/x".into(), vec![("x-user", format!("u{n}"))]);
const COOKIE: Request = |n| ("/x".into(), vec![("cookie", format!("session=s{n}"))]);
const NOTHING: Request = |_| ("/x".into(), vec![]);

/// Distribution of the clients over the targets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spread {
    /// Over several targets.
    Wide,
    /// All at one target.
    None,
}

/// The target of each client.
fn targets_of(gateway: &Gateway, clients: u32, request: Request) -> Vec<String> {
    let one = |n| {
        let (path, fields) = request(n);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        target_name(gateway, &path, &fields)
    };
    (0..clients).map(one).collect()
}

#[test]
fn equal_requests_go_to_the_same_target() {
    let targets = ["a", "b", "c", "d"].map(Target::start);
    let all: Vec<(&Target, u32)> = targets.iter().map(|target| (target, 100)).collect();
    let header = "hash_on: header, hash_on_header: X-User";
    let query = "hash_on: query_arg, hash_on_query_arg: user";
    let capture = "hash_on: uri_capture, hash_on_uri_capture: id";
    let cookie = "hash_on: cookie, hash_on_cookie: session";
    let table: [(&str, &str, Request, Spread); 24] = [
        (header, "", HEADER, Spread::Wide),
        (header, "", NOTHING, Spread::None),
        (query, "", QUERY, Spread::Wide),
        (query, "", HEADER, Spread::None),
        (capture, "", CAPTURE, Spread::Wide),
        (capture, "", NOTHING, Spread::None),
        (cookie, "", COOKIE, Spread::Wide),
        ("hash_on: path", "", PATH, Spread::Wide),
        ("hash_on: path", "", QUERY, Spread::None),
        ("hash_on: ip", "", ALL, Spread::None),
        ("hash_on: consumer", "", ALL, Spread::None),
        // The fallback applies if the request lacks the input.
        (header, "hash_fallback: path", PATH, Spread::Wide),
        (header, "hash_fallback: ip", PATH, Spread::None),
        (header, "hash_fallback: query_arg, hash_fallback_query_arg: user", QUERY, Spread::Wide),
        (header, "hash_fallback: uri_capture, hash_fallback_uri_capture: id", CAPTURE, Spread::Wide),
        (header, "hash_fallback: header, hash_fallback_header: Cookie", COOKIE, Spread::Wide),
        (header, "hash_fallback: cookie, hash_on_cookie: session", COOKIE, Spread::Wide),
        (header, "hash_fallback: consumer", PATH, Spread::None),
        (query, "hash_fallback: header, hash_fallback_header: X-User", HEADER, Spread::Wide),
        (capture, "hash_fallback: header, hash_fallback_header: X-User", HEADER, Spread::Wide),
        ("hash_on: consumer", "hash_fallback: header, hash_fallback_header: X-User", HEADER, Spread::Wide),
        ("hash_on: consumer", "hash_fallback: cookie, hash_on_cookie: session", COOKIE, Spread::Wide),
        // The input takes precedence over the fallback.
        ("hash_on: path", "hash_fallback: header, hash_fallback_header: X-User", HEADER, Spread::None),
        ("hash_on: ip", "hash_fallback: path", PATH, Spread::None),
    ];
    for (on, fallback, request, spread) in table {
        let fields = if fallback.is_empty() { on.to_owned() } else { format!("{on}, {fallback}") };
        let gateway = start(&fields, &all);
        let first = targets_of(&gateway, 16, request);
        assert_eq!(first, targets_of(&gateway, 16, request), "{fields}");
        let different: BTreeSet<&String> = first.iter().collect();
        let found = if different.len() > 1 { Spread::Wide } else { Spread::None };
        assert_eq!(found, spread, "{fields}: {first:?}");
        assert!(different.iter().all(|hosts| hosts.len() == 1), "{fields}: {first:?}");
    }
}

#[test]
fn consistent_hashing_without_hash_on_is_round_robin() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start("algorithm: consistent-hashing", &[(&a, 100), (&b, 100)]);
    let met = ask(&gateway, "/x", 10);
    assert_eq!(count(&met, "a"), 5, "without an input, targets take turns: {met:?}");
}

#[test]
fn a_client_without_a_cookie_gets_one_and_returns_to_its_target() {
    let targets = ["a", "b", "c", "d"].map(Target::start);
    let all: Vec<(&Target, u32)> = targets.iter().map(|target| (target, 100)).collect();
    for fields in [
        "hash_on: cookie, hash_on_cookie: session, hash_on_cookie_path: /y",
        "hash_on: header, hash_on_header: X-User, hash_fallback: cookie, hash_on_cookie: session, hash_on_cookie_path: /y",
    ] {
        let gateway = start(fields, &all);
        for _ in 0..10 {
            let answer = gateway.get("/x");
            let (cookie, rest) = answer.header("set-cookie").split_once(';').unwrap();
            assert_eq!(rest, " Path=/y; SameSite=Lax; HttpOnly");
            let again = gateway.ask("GET", "/x", &[("cookie", cookie)]);
            assert_eq!(again.text().split(' ').next(), answer.text().split(' ').next());
            assert_eq!(again.header("set-cookie"), "");
        }
    }
}

#[test]
fn requests_of_a_consumer_go_to_one_target() {
    let targets = ["a", "b", "c", "d"].map(Target::start);
    let all: Vec<(&Target, u32)> = targets.iter().map(|target| (target, 100)).collect();
    let consumers: Vec<String> =
        (0..8).map(|n| format!("{{username: user{n}, keyauth_credentials: [{{key: key{n}}}]}}")).collect();
    let more = format!("plugins: [{{name: key-auth}}]\nconsumers: [{}]\n", consumers.join(", "));
    let gateway = Setup::with(&(config("hash_on: consumer, hash_fallback: ip", &all) + &more)).run();
    let ask = |n: u32| target_name(&gateway, "/x", &[("apikey", &format!("key{n}"))]);
    let first: Vec<String> = (0..8).map(ask).collect();
    assert_eq!(first, (0..8).map(ask).collect::<Vec<_>>());
    assert!(first.iter().any(|answer| *answer != first[0]), "{first:?}");
}

/// A new target takes its share from the others; the share of a removed or unhealthy target goes to the others. No
/// other client changes its target.
#[test]
fn few_clients_change_their_target_when_targets_change() {
    const CLIENTS: u32 = 60;
    let [a, b, c, d] = ["a", "b", "c", "d"].map(Target::start);
    let fields =
        "hash_on: header, hash_on_header: X-User, healthchecks: {passive: {unhealthy: {http_failures: 1}}}";
    let three = [(&a, 100), (&b, 100), (&c, 100)];
    let gateway = start(fields, &three);
    let before = targets_of(&gateway, CLIENTS, HEADER);
    assert!(["a", "b", "c"].iter().all(|name| count(&before, name) > 0), "{before:?}");

    gateway.folder.write("kong.yaml", config(fields, &[(&d, 100), (&c, 100), (&a, 100), (&b, 100)]));
    gateway.wait_for_log("(generation 2)");
    let more = targets_of(&gateway, CLIENTS, HEADER);
    for (old, new) in before.iter().zip(&more) {
        assert!(old == new || new == "d", "a client of {old} moved to {new}");
    }
    let moved = count(&more, "d");
    assert!((1..CLIENTS as usize / 2).contains(&moved), "{moved} of {CLIENTS} moved");

    let place = format!("/upstreams/shop.upstream/targets/{}/unhealthy", d.address);
    let put = crate::client::Client::fresh().send("PUT", &gateway.admin_url(&place), &[], Some(b""));
    assert_eq!(put.unwrap().status, 204);
    assert_eq!(targets_of(&gateway, CLIENTS, HEADER), before, "the same as without the unhealthy target");

    gateway.folder.write("kong.yaml", config(fields, &[(&b, 100), (&c, 100)]));
    eventually("a is gone", || (gateway.log().contains("(generation 3)")).then_some(()));
    let fewer = targets_of(&gateway, CLIENTS, HEADER);
    for (old, new) in before.iter().zip(&fewer) {
        assert!(old == new || old == "a", "a client of {old} moved to {new}");
    }
}
