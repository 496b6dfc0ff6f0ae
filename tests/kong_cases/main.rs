//! Requests whose answers a real Kong Gateway gave once, put to the real binary.
//!
//! | module | what it is for |
//! |---|---|
//! | `cases` | a file of cases, and what an answer differs in from the one that was recorded |
//! | `gateway` | the binary on free ports, and its Admin API |
//! | `refusals` | configurations that cannot be used, and how that was told |
//! | `connection` | one request, byte for byte, and its answer |
//! | `echo` | the service behind the gateway: it answers with what it got, or misbehaves as it is asked to |
//!
//! A difference that is meant stands in `tests/waivers.json`, with its reason in `docs/differences.md`.
#![expect(clippy::unwrap_used, reason = "here whatever cannot go on has failed")]

mod cases;
mod connection;
mod echo;
mod gateway;
mod refusals;

use std::collections::BTreeMap;

use cases::Recorded;
use echo::Echo;
use gateway::Gateway;

/// The ports that the recorded cases name.
const ECHO_PORT: &str = "29000";
const PROXY_PORT: &str = "28000";
const TLS_PORT: &str = "28443";

#[test]
fn cors() {
    replay("cors", include_str!("../kong-cases/cors.json"));
}

#[test]
fn cors_with_expressions() {
    replay("cors-regex", include_str!("../kong-cases/cors-regex.json"));
}

#[test]
fn proxying() {
    replay("proxy", include_str!("../kong-cases/proxy.json"));
}

#[test]
fn routing() {
    replay("router", include_str!("../kong-cases/router.json"));
}

#[test]
fn which_of_two_routes_wins() {
    replay("router-pairs", include_str!("../kong-cases/router-pairs.json"));
}

#[test]
fn configurations_that_cannot_be_used() {
    let file: refusals::Refusals =
        serde_json::from_str(include_str!("../kong-cases/declarative-errors.json")).unwrap();
    let gateway = Gateway::start();
    let waivers = waivers();
    let mut wrong = Vec::new();
    for case in &file.cases {
        for (path, status, expected) in case.questions() {
            let label = format!("declarative-errors/{}{}", case.name, path.trim_start_matches("/config"));
            let (got, told) = gateway.post(path, &case.yaml);
            let difference = refusals::difference((status, expected), got, &told);
            match (difference, waivers.contains_key(&label)) {
                (Some(difference), false) => wrong.push(format!("{label}: {difference}")),
                (None, true) => wrong.push(format!("{label}: it agrees, and needs no waiver")),
                _ => (),
            }
        }
    }
    assert!(wrong.is_empty(), "these do not agree:\n{}", wrong.join("\n"));
}

#[test]
fn every_waiver_names_a_difference() {
    let differences = include_str!("../../docs/differences.md");
    for (case, reason) in waivers() {
        let anchor =
            reason.split("docs/differences.md#").nth(1).unwrap_or_else(|| panic!("{case}: {reason}"));
        let heading =
            |line: &&str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-") == anchor;
        assert!(differences.lines().any(|line| heading(&line)), "{case}: no heading for #{anchor}");
    }
}

/// Puts all cases of a file to the gateway.
#[track_caller]
fn replay(file: &str, text: &str) {
    let echo = Echo::start();
    let gateway = Gateway::start();
    let text = text.replace(ECHO_PORT, echo.port()).replace(PROXY_PORT, gateway.proxy_port());
    let text = text.replace(TLS_PORT, gateway.tls_port());
    let recorded = Recorded::read(&text);
    let waivers = waivers();
    let mut wrong = Vec::new();
    let mut passed = 0;
    for set in &recorded.sets {
        gateway.load(&set.config);
        for case in &set.cases {
            let label = format!("{file}/{}/{}", set.name, case.name);
            let answer = if case.tls {
                connection::send_over_tls(gateway.tls(), case.sni.as_deref(), &case.raw)
            } else {
                connection::send(gateway.proxy(), &case.raw)
            };
            let differences = recorded.differences(case, &answer);
            match (differences.is_empty(), waivers.contains_key(&label)) {
                (true, false) => passed += 1,
                (false, true) => (),
                (false, false) => wrong.push(format!("{label}: {}", differences.join("; "))),
                (true, true) => wrong.push(format!("{label}: it agrees, and needs no waiver")),
            }
        }
    }
    assert!(passed > 0, "{file} has no cases");
    assert!(wrong.is_empty(), "{passed} cases agree, these do not:\n{}", wrong.join("\n"));
}

fn waivers() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("../waivers.json")).unwrap()
}
