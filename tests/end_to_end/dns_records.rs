//! DNS answers: CNAME, A and AAAA records, answers too long for UDP, and the order of queries.

use crate::{
    dns::three,
    eventually,
    gateway::{Gateway, Setup},
    nameserver::Nameserver,
    targets::{Target, ask, count, wait_for_targets},
};

/// A gateway that uses this name server; `/host` goes to `shop.test`, `/up` to an Upstream with that target.
fn start(server: &Nameserver, port: u16, settings: &[(&str, &str)]) -> Gateway {
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- {{name: host, host: shop.test, port: {port}, retries: 0, routes: [{{name: host, paths: [/host]}}]}}
- {{name: up, host: up.upstream, retries: 0, routes: [{{name: up, paths: [/up]}}]}}
upstreams:
- {{name: up.upstream, targets: [{{target: 'shop.test:{port}'}}]}}
"
    );
    let setup = Setup::with(&config)
        .file("hosts", "127.0.0.1 file.test\n")
        .env("KONG_DNS_RESOLVER", &server.address.to_string())
        .env("KONG_DNS_HOSTSFILE", "hosts")
        .env("KONG_DNS_ERROR_TTL", "0.05")
        .env("KONG_DNS_NOT_FOUND_TTL", "0.05");
    settings.iter().fold(setup, |setup, (name, value)| setup.env(name, value)).run()
}

/// Checks that the Service's host and the Upstream's target both lead to this target.
#[track_caller]
fn assert_both_reach(gateway: &Gateway, name: &str) {
    for path in ["/host", "/up"] {
        wait_for_targets(gateway, path, &[name]);
    }
}

#[test]
fn aliases_are_followed() {
    let (server, a) = (Nameserver::start(), Target::start("a"));
    server.cname("shop.test", 300, "first.test");
    server.cname("first.test", 300, "second.test");
    server.a("second.test", 300, &["127.0.0.1"]);
    assert_both_reach(&start(&server, a.address.port(), &[]), "a");
}

/// The shortest lifetime in the chain of aliases counts, so a changed alias takes effect.
#[test]
fn a_changed_alias_is_followed() {
    let (server, (_targets, port)) = (Nameserver::start(), three());
    server.a("one.test", 300, &["127.0.0.1"]);
    server.a("two.test", 300, &["127.0.0.2"]);
    server.cname("shop.test", 1, "one.test");
    let gateway = start(&server, port, &[]);
    assert_both_reach(&gateway, "a");
    server.cname("shop.test", 1, "two.test");
    assert_both_reach(&gateway, "b");
}

#[test]
fn a_cycle_of_aliases_has_no_address() {
    let server = Nameserver::start();
    server.cname("shop.test", 300, "other.test");
    server.cname("other.test", 300, "shop.test");
    let gateway = start(&server, 9, &[]);
    let json = [("accept", "application/json")];
    gateway.ask("GET", "/host", &json).assert_message(503, "name resolution failed");
    gateway.ask("GET", "/up", &json).assert_message(503, "failure to get a peer from the ring-balancer");
}

#[test]
fn a_truncated_answer_is_queried_again_over_tcp() {
    let (server, a) = (Nameserver::start(), Target::start("a"));
    server.a("shop.test", 300, &["127.0.0.1"]);
    server.truncate();
    assert_both_reach(&start(&server, a.address.port(), &[]), "a");
    assert!(server.tcp_queries() > 0);
}

#[test]
fn ipv6_addresses_are_queried_if_the_order_has_them() {
    let server = Nameserver::start();
    let six = Target::start_at("six", "::1".parse().unwrap(), 0);
    server.a("shop.test", 300, &["::1"]);
    let port = six.address.port();
    let json = [("accept", "application/json")];
    start(&server, port, &[]).ask("GET", "/host", &json).assert_message(503, "name resolution failed");
    assert_both_reach(&start(&server, port, &[("KONG_DNS_ORDER", "SRV,A,AAAA")]), "six");
}

#[test]
fn the_first_type_of_records_in_the_order_is_used() {
    let server = Nameserver::start();
    let four = Target::start("four");
    let port = four.address.port();
    let Ok(listener) = std::net::TcpListener::bind(("::1", port)) else {
        // Another process uses this port.
        return;
    };
    drop(listener);
    let _six = Target::start_at("six", "::1".parse().unwrap(), port);
    let srv = Target::start("srv");
    server.a("shop.test", 300, &["127.0.0.1"]);
    server.a("shop.test", 300, &["::1"]);
    server.srv("shop.test", 300, &[(1, 1, srv.address.port(), "localhost")]);
    for (order, name) in [("LAST,SRV,A,CNAME", "srv"), ("A,AAAA,SRV", "four"), ("AAAA,A", "six")] {
        assert_both_reach(&start(&server, port, &[("KONG_DNS_ORDER", order)]), name);
    }
}

#[test]
fn a_record_of_weight_zero_has_a_share_too() {
    let server = Nameserver::start();
    let (a, b) = (Target::start("a"), Target::start("b"));
    server.srv(
        "shop.test",
        300,
        &[(1, 3, a.address.port(), "localhost"), (1, 0, b.address.port(), "localhost")],
    );
    let gateway = start(&server, 9, &[]);
    for path in ["/host", "/up"] {
        let met = ask(&gateway, path, 8);
        assert_eq!([count(&met, "a"), count(&met, "b")], [6, 2], "{path}: {met:?}");
    }
}

#[test]
fn a_name_server_that_does_not_answer_is_skipped() {
    let (server, a) = (Nameserver::start(), Target::start("a"));
    server.a("shop.test", 300, &["127.0.0.1"]);
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let both = format!("{gone}, {}", server.address);
    assert_both_reach(&start(&server, a.address.port(), &[("KONG_DNS_RESOLVER", &both)]), "a");
}

#[test]
fn a_removed_name_is_not_used_any_more() {
    let (server, a) = (Nameserver::start(), Target::start("a"));
    server.a("shop.test", 1, &["127.0.0.1"]);
    let gateway = start(&server, a.address.port(), &[]);
    assert_both_reach(&gateway, "a");
    server.a("shop.test", 1, &[]);
    for path in ["/host", "/up"] {
        eventually("it is answered with 503", || (gateway.get(path).status == 503).then_some(()));
    }
    server.a("shop.test", 1, &["127.0.0.1"]);
    assert_both_reach(&gateway, "a");
}

#[test]
fn without_a_name_server_names_do_not_resolve() {
    let server = Nameserver::start();
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let gateway = start(&server, 9, &[("KONG_DNS_RESOLVER", &gone)]);
    let json = [("accept", "application/json")];
    gateway.ask("GET", "/host", &json).assert_message(503, "name resolution failed");
    let answer = gateway.ask("GET", "/up", &json);
    answer.assert_message(503, "failure to get a peer from the ring-balancer");
    assert_eq!(answer.header("x-kong-upstream-latency"), "");
}
