//! Requests with recorded responses of Kong Gateway, sent to the binary.
//!
//! | file | what it holds |
//! |---|---|
//! | `cases` | files of cases; differences between a response and the recorded one |
//! | `gateway` | the binary on free ports, and its Admin API |
//! | `admin` | reads of the Admin API |
//! | `writes` | writes through the Admin API, one after the other |
//! | `refusals` | invalid configurations and their error objects |
//! | `connection` | requests, byte for byte, and their responses |
//! | `echo` | the upstream: echoes requests, or misbehaves on demand |
//!
//! Intended differences are listed in `tests/waivers.json`, with their reasons in `docs/differences.md`.
#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod admin;
mod cases;
mod connection;
mod echo;
mod gateway;
mod refusals;
mod writes;

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
fn invalid_configurations() {
    let file: refusals::Refusals =
        serde_json::from_str(include_str!("../kong-cases/declarative-errors.json")).unwrap();
    let gateway = Gateway::start();
    let mut tally = Tally::of("declarative-errors");
    for case in &file.cases {
        for (path, status, expected) in case.requests() {
            let (got, body) = gateway.post(path, &case.yaml);
            let difference = refusals::difference((status, expected), got, &body);
            let name = format!("{}{}", case.name, path.trim_start_matches("/config"));
            tally.count(&name, difference.as_slice());
        }
    }
    tally.close();
}

#[test]
fn the_admin_api_without_writes() {
    let file: admin::AdminCases = serde_json::from_str(include_str!("../kong-cases/admin.json")).unwrap();
    // With a listener for the status, the Admin API has no `/status/ready`, as Kong's.
    let gateway = Gateway::start_with(&[("KONG_ADMIN_WRITES", "off"), ("KONG_STATUS_LISTEN", "127.0.0.1:0")]);
    gateway.load(&file.config);
    let mut tally = Tally::of("admin");
    for case in &file.cases {
        let answer = connection::send(gateway.admin(), &case.raw(&gateway.admin().to_string())).unwrap();
        tally.count(&case.name, &case.differences(&answer));
    }
    tally.close();
}

#[test]
fn the_admin_api_with_writes() {
    let file: writes::Writes = serde_json::from_str(include_str!("../kong-cases/admin-writes.json")).unwrap();
    let mut tally = Tally::of("admin-writes");
    let pems = writes::Pems::new();
    for set in &file.sets {
        let gateway = Gateway::start_with(&[("KONG_STATUS_LISTEN", "127.0.0.1:0")]);
        gateway.load(&set.config);
        let mut ids = writes::Ids::new();
        for case in &set.cases {
            let raw = case.raw(&gateway.admin().to_string(), &ids, &pems);
            let answer = connection::send(gateway.admin(), &raw).unwrap();
            tally.count(&format!("{}/{}", set.name, case.name), &case.differences(&answer, &mut ids));
        }
    }
    tally.close();
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

/// Sends all cases of a file to the gateway.
#[track_caller]
fn replay(file: &'static str, text: &str) {
    let echo = Echo::start();
    let gateway = Gateway::start();
    let text = text.replace(ECHO_PORT, echo.port()).replace(PROXY_PORT, gateway.proxy_port());
    let text = text.replace(TLS_PORT, gateway.tls_port());
    let recorded = Recorded::read(&text);
    let mut tally = Tally::of(file);
    for set in &recorded.sets {
        gateway.load(&set.config);
        for case in &set.cases {
            let answer = if case.tls {
                connection::send_over_tls(gateway.tls(), case.sni.as_deref(), &case.raw)
            } else {
                connection::send(gateway.proxy(), &case.raw)
            };
            let differences = recorded.differences(case, &answer);
            tally.count(&format!("{}/{}", set.name, case.name), &differences);
        }
    }
    tally.close();
}

/// Results of the cases of a file.
struct Tally {
    file: &'static str,
    /// Waivers that no case has used yet.
    waivers: BTreeMap<String, String>,
    passed: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn of(file: &'static str) -> Self {
        let mut waivers = waivers();
        waivers.retain(|case, _| case.split('/').next() == Some(file));
        Self { file, waivers, passed: 0, wrong: Vec::new() }
    }

    fn count(&mut self, case: &str, differences: &[String]) {
        let label = format!("{}/{case}", self.file);
        match (differences, self.waivers.remove(&label)) {
            ([], None) => self.passed += 1,
            ([], Some(_)) => self.wrong.push(format!("{label}: it agrees, and needs no waiver")),
            (some, None) => self.wrong.push(format!("{label}: {}", some.join("; "))),
            (_, Some(_)) => (),
        }
    }

    #[track_caller]
    fn close(mut self) {
        assert!(self.passed > 0, "{} has no cases", self.file);
        self.wrong.extend(self.waivers.keys().map(|case| format!("{case}: there is no such case to waive")));
        let (passed, wrong) = (self.passed, self.wrong.join("\n"));
        assert!(wrong.is_empty(), "{passed} cases agree, these do not:\n{wrong}");
    }
}

fn waivers() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("../waivers.json")).unwrap()
}
