//! DNS resolution: lookup, cache, and changes of addresses.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use mynah::dns::{DnsError, DnsOptions, DnsResolver};

use crate::{
    eventually,
    gateway::{Gateway, Setup},
    nameserver::Nameserver,
    targets::{Target, ask, count, wait_for_targets},
};

/// Three targets on the same port of different addresses of this machine.
pub(crate) fn three() -> (Vec<Target>, u16) {
    let address = |n: u8| IpAddr::from(Ipv4Addr::new(127, 0, 0, n));
    eventually("three targets have a port", || {
        let first = Target::start_at("a", address(1), 0);
        let port = first.address.port();
        // Another process may use the port on the other addresses.
        let free = |n| std::net::TcpListener::bind((address(n), port)).is_ok();
        if !free(2) || !free(3) {
            return None;
        }
        let others = [("b", 2), ("c", 3)].map(|(name, n)| Target::start_at(name, address(n), port));
        Some(([first].into_iter().chain(others).collect(), port))
    })
}

/// A gateway that uses this name server; `/host` goes to `shop.test`, `/up` to an Upstream with `more.test`.
fn start(server: &Nameserver, port: u16, upstream: &str) -> Gateway {
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- {{name: host, host: shop.test, port: {port}, retries: 0, routes: [{{name: host, paths: [/host]}}]}}
- {{name: up, host: up.upstream, routes: [{{name: up, paths: [/up]}}]}}
upstreams:
- {{name: up.upstream, {upstream}, targets: [{{target: 'more.test:{port}'}}]}}
"
    );
    setup(server, &config).run()
}

fn setup(server: &Nameserver, config: &str) -> Setup {
    Setup::with(config)
        .file("hosts", "127.0.0.3 file.test\n")
        .env("KONG_DNS_RESOLVER", &server.address.to_string())
        .env("KONG_DNS_HOSTSFILE", "hosts")
        .env("KONG_DNS_ERROR_TTL", "0.05")
        .env("KONG_DNS_NOT_FOUND_TTL", "0.05")
}

#[test]
fn the_addresses_of_a_name_take_turns() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    server.a("shop.test", 300, &["127.0.0.1", "127.0.0.2"]);
    server.a("more.test", 300, &["127.0.0.2", "127.0.0.3"]);
    let gateway = start(&server, port, "slots: 10");
    let met = ask(&gateway, "/host", 10);
    assert_eq!([count(&met, "a"), count(&met, "b")], [5, 5], "{met:?}");
    let met = ask(&gateway, "/up", 10);
    assert_eq!([count(&met, "b"), count(&met, "c")], [5, 5], "{met:?}");
    assert_eq!(server.queries("shop.test"), 1, "one answer does for all requests");
    gateway.get("/up").assert_response(
        200,
        &format!("{} more.test:{port}", if count(&met[..1], "b") == 1 { "b" } else { "c" }),
    );
}

#[test]
fn changed_records_take_effect_without_a_reload() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    server.a("shop.test", 1, &["127.0.0.1"]);
    server.a("more.test", 1, &["127.0.0.1"]);
    let gateway = start(&server, port, "slots: 10");
    wait_for_targets(&gateway, "/host", &["a"]);
    wait_for_targets(&gateway, "/up", &["a"]);
    server.a("shop.test", 1, &["127.0.0.2"]);
    server.a("more.test", 1, &["127.0.0.2", "127.0.0.3"]);
    wait_for_targets(&gateway, "/host", &["b"]);
    wait_for_targets(&gateway, "/up", &["b", "c"]);
}

#[test]
fn an_expired_answer_is_used_if_the_name_server_fails() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    server.a("shop.test", 1, &["127.0.0.1"]);
    server.a("more.test", 1, &["127.0.0.1"]);
    let gateway = start(&server, port, "slots: 10");
    wait_for_targets(&gateway, "/host", &["a"]);
    wait_for_targets(&gateway, "/up", &["a"]);
    server.set_failing(true);
    let asked = server.queries("shop.test");
    eventually("it was asked again, in vain", || {
        wait_for_targets(&gateway, "/host", &["a"]);
        wait_for_targets(&gateway, "/up", &["a"]);
        (server.queries("shop.test") > asked + 2).then_some(())
    });
    server.set_failing(false);
    server.a("shop.test", 1, &["127.0.0.2"]);
    wait_for_targets(&gateway, "/host", &["b"]);
}

#[test]
fn a_name_that_is_created_later_is_found() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    let gateway = start(&server, port, "slots: 10");
    let json = [("accept", "application/json")];
    gateway.ask("GET", "/host", &json).assert_message(503, "name resolution failed");
    gateway.ask("GET", "/up", &json).assert_message(503, "failure to get a peer from the ring-balancer");
    let health = gateway.admin("GET", "/upstreams/up.upstream/health").json();
    assert_eq!(health["data"][0]["health"], "DNS_ERROR");
    server.a("shop.test", 300, &["127.0.0.1"]);
    server.a("more.test", 300, &["127.0.0.2"]);
    eventually("both are found", || {
        (gateway.get("/host").status == 200 && gateway.get("/up").status == 200).then_some(())
    });
}

#[test]
fn srv_records_give_port_and_weight() {
    let server = Nameserver::start();
    let (a, b) = (Target::start("a"), Target::start("b"));
    let hosts = |other: u16| {
        [
            (1, 30, a.address.port(), "one.test"),
            (1, 10, b.address.port(), "two.test"),
            (2, 99, other, "none.test"),
        ]
    };
    server.srv("shop.test", 300, &hosts(1));
    server.srv("more.test", 300, &hosts(1));
    server.a("one.test", 300, &["127.0.0.1"]);
    server.a("two.test", 300, &["127.0.0.1"]);
    server.a("none.test", 300, &["127.0.0.9"]);
    let gateway = start(&server, 9, "use_srv_name: true");
    for path in ["/host", "/up"] {
        let met = ask(&gateway, path, 8);
        assert_eq!([count(&met, "a"), count(&met, "b")], [6, 2], "{path}: {met:?}");
    }
    let mut hosts: Vec<String> = (0..8).map(|_| gateway.get("/up").text().to_owned()).collect();
    hosts.sort();
    hosts.dedup();
    let of = |name: &str, target: &Target| format!("{name}:{}", target.address.port());
    assert_eq!(hosts, [format!("a {}", of("one.test", &a)), format!("b {}", of("two.test", &b))]);
    let mut hosts: Vec<String> = (0..8).map(|_| gateway.get("/host").text().to_owned()).collect();
    hosts.sort();
    hosts.dedup();
    assert_eq!(hosts, [format!("a {}", of("shop.test", &a)), format!("b {}", of("shop.test", &b))]);
}

#[test]
fn names_in_the_hosts_file_need_no_query() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- {{name: file, host: file.test, port: {port}, routes: [{{name: file, paths: [/file]}}]}}
- {{name: local, host: localhost, port: {port}, routes: [{{name: local, paths: [/local]}}]}}
"
    );
    let gateway = setup(&server, &config).run();
    assert_eq!(ask(&gateway, "/file", 1), ["c"]);
    assert_eq!(ask(&gateway, "/local", 1), ["a"]);
    assert_eq!(server.queries("file.test") + server.queries("localhost"), 0);
}

#[test]
fn a_file_of_names_that_changes_is_read_again() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: file, host: file.test, port: {port}, routes: [{{name: file, paths: [/file]}}]}}\n"
    );
    let gateway = setup(&server, &config).run();
    assert_eq!(ask(&gateway, "/file", 1), ["c"]);
    std::fs::write(gateway.folder.at("hosts"), "127.0.0.2 file.test\n").unwrap();
    eventually("the new address is used", || (ask(&gateway, "/file", 1) == ["b"]).then_some(()));
}

fn resolver(server: &Nameserver) -> DnsResolver {
    DnsResolver::new(DnsOptions { servers: vec![server.address], ..DnsOptions::default() })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn concurrent_lookups_share_one_query() {
    let server = Nameserver::start();
    server.a("shop.test", 300, &["127.0.0.1"]);
    let resolver = resolver(&server);
    block_on(async {
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let resolver = resolver.clone();
                tokio::spawn(async move { resolver.resolve("Shop.Test.").await })
            })
            .collect();
        for answer in asking {
            assert_eq!(answer.await.unwrap().unwrap().hosts.len(), 1);
        }
        assert_eq!(server.queries("shop.test"), 1);
    });
}

#[test]
fn negative_answers_are_cached() {
    let server = Nameserver::start();
    let resolver = resolver(&server);
    block_on(async {
        assert_eq!(resolver.resolve("shop.test").await, Err(DnsError::NotFound));
        let asked = server.queries("shop.test");
        server.a("shop.test", 300, &["127.0.0.1"]);
        assert_eq!(resolver.resolve("shop.test").await, Err(DnsError::NotFound));
        assert_eq!(server.queries("shop.test"), asked);
    });
}

#[test]
fn an_answer_is_cached_for_its_ttl() {
    let server = Nameserver::start();
    server.a("shop.test", 1000, &["127.0.0.1"]);
    let options = DnsOptions {
        servers: vec![server.address],
        valid_ttl: Some(Duration::from_secs(7)),
        ..DnsOptions::default()
    };
    for (resolver, expected) in [(resolver(&server), 1000), (DnsResolver::new(options), 7)] {
        let answer = block_on(async { resolver.resolve("shop.test").await.unwrap() });
        let left = answer.expires.saturating_duration_since(tokio::time::Instant::now());
        assert!(
            left <= Duration::from_secs(expected) && left > Duration::from_secs(expected / 2),
            "{left:?}"
        );
    }
}

/// A gateway without idle connections, so that each request connects; `/host` and `/up` as for `start`.
fn start_unpooled(server: &Nameserver, port: u16, retries: u8) -> Gateway {
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- {{name: host, host: shop.test, port: {port}, retries: {retries}, routes: [{{name: host, paths: [/host]}}]}}
- {{name: up, host: up.upstream, routes: [{{name: up, paths: [/up]}}]}}
upstreams:
- {{name: up.upstream, targets: [{{target: 'more.test:{port}'}}]}}
"
    );
    setup(server, &config).env("KONG_UPSTREAM_KEEPALIVE_POOL_SIZE", "0").run()
}

#[test]
fn a_refused_connection_causes_a_new_lookup() {
    for retries in [0, 5] {
        let (server, (targets, port)) = (Nameserver::start(), three());
        server.a("shop.test", 600, &["127.0.0.1"]);
        server.a("more.test", 600, &["127.0.0.1"]);
        let gateway = start_unpooled(&server, port, retries);
        wait_for_targets(&gateway, "/host", &["a"]);
        wait_for_targets(&gateway, "/up", &["a"]);
        let mut targets = targets.into_iter();
        drop(targets.next());
        server.a("shop.test", 600, &["127.0.0.2"]);
        server.a("more.test", 600, &["127.0.0.3"]);
        // A name is looked up at most once a second.
        crate::pause(1100);
        assert_eq!(ask(&gateway, "/host", 5), ["b"; 5], "with {retries} retries");
        assert_eq!(ask(&gateway, "/up", 5), ["c"; 5]);
        gateway.wait_for_log(
            "shop.test has an address that cannot be reached, and was looked up again: 127.0.0.2",
        );
        gateway.wait_for_log(
            "more.test has an address that cannot be reached, and was looked up again: 127.0.0.3",
        );
        assert!(!gateway.log().contains("connect failed"), "{}", gateway.log());
    }
}

#[test]
fn an_unhealthy_target_is_looked_up_again() {
    for (checks, others) in [
        (
            "{active: {healthy: {interval: 0.05, successes: 1}, unhealthy: {interval: 0.05, tcp_failures: 1}}}",
            "",
        ),
        ("{passive: {unhealthy: {tcp_failures: 1}}}", ""),
        ("{passive: {unhealthy: {tcp_failures: 1}}}", ", {target: 'file.test:PORT'}"),
    ] {
        let (server, (targets, port)) = (Nameserver::start(), three());
        server.a("more.test", 600, &["127.0.0.1"]);
        let config = format!(
            "\
_format_version: \"3.0\"
services:
- {{name: up, host: up.upstream, routes: [{{name: up, paths: [/up]}}]}}
upstreams:
- name: up.upstream
  slots: 10
  healthchecks: {checks}
  targets: [{{target: 'more.test:{port}'}}{}]
",
            others.replace("PORT", &port.to_string())
        );
        let gateway = setup(&server, &config).env("KONG_UPSTREAM_KEEPALIVE_POOL_SIZE", "0").run();
        let other = if others.is_empty() { &[][..] } else { &["c"][..] };
        wait_for_targets(&gateway, "/up", &[&["a"], other].concat());
        let mut targets = targets.into_iter();
        drop(targets.next());
        eventually("it is found unhealthy", || {
            gateway.get("/up");
            gateway.log().contains("is unhealthy").then_some(())
        });
        // Only now does the name have another address.
        server.a("more.test", 600, &["127.0.0.2"]);
        wait_for_targets(&gateway, "/up", &[&["b"], other].concat());
    }
}

#[test]
fn a_name_whose_addresses_all_refuse_connections_is_looked_up_at_most_once_a_second() {
    let server = Nameserver::start();
    server.a("shop.test", 600, &["127.0.0.1"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gateway = start_unpooled(&server, free, 5);
    let begin = std::time::Instant::now();
    for _ in 0..40 {
        assert_eq!(gateway.get("/host").status, 502);
    }
    // The first lookup queries two types of records, each further one queries one.
    let most = 3 + usize::try_from(begin.elapsed().as_secs()).unwrap();
    assert!(server.queries("shop.test") <= most, "{} > {most}", server.queries("shop.test"));
    gateway.wait_for_log("the address was a cached answer of DNS for shop.test");
}

#[test]
fn a_name_that_did_not_exist_is_queried_again_soon() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: host, host: shop.test, port: {port}, routes: [{{name: host, \
         paths: [/host]}}]}}\n"
    );
    let gateway = Setup::with(&config)
        .env("KONG_DNS_RESOLVER", &server.address.to_string())
        .env("KONG_DNS_NOT_FOUND_TTL", "3600")
        .run();
    assert_eq!(gateway.get("/host").status, 503);
    server.a("shop.test", 300, &["127.0.0.1"]);
    wait_for_targets(&gateway, "/host", &["a"]);
}
