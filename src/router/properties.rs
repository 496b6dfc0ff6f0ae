//! Property tests of the router for random routes and requests: the index does not change the result.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use regex::Regex;
use serde_json::{Value, json};

use super::fixture::{get, route};
use super::priority::{PathKind, priority};
use super::*;
use crate::entity::Route;
use crate::uri::normalize_path;

const HOSTS: &[&str] =
    &["a.test", "B.test", "a.b.test", "*.test", "*.a.test", "a.*", "x.*", "a.test:81", "*.test:81"];
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/ab",
    "/b",
    "/b/c",
    "~/a",
    "~/a/\\d+",
    "~/[ab]+/c",
    "~/(?<z>a|b)/",
    "~/.*c$",
    "~/b?",
    "~/a/b|/c",
];
const HEADERS: &[&str] = &["u", "v", "~*^u"];

prop_compose! {
    fn some_route()(
        hosts in subsequence(HOSTS, 0..3),
        paths in subsequence(PATHS, 0..5),
        methods in subsequence(vec!["GET", "PUT"], 0..2),
        headers in subsequence(HEADERS, 0..3),
        snis in subsequence(vec!["a.test", "*.test"], 0..2),
        protocols in subsequence(vec!["http", "https"], 1..=2),
        regex_priority in 0..3,
        created_at in prop::option::of(0..3),
        id: u128,
    ) -> Value {
        let headers = if headers.is_empty() { json!({}) } else { json!({"x-k": headers}) };
        json!({
            "hosts": hosts, "paths": paths, "methods": methods, "headers": headers, "snis": snis,
            "protocols": protocols, "regex_priority": regex_priority, "created_at": created_at,
            "id": uuid::Uuid::from_u128(id).to_string(),
        })
    }
}

prop_compose! {
    fn some_request()(
        host in select(vec!["", "a.test", "b.TEST", "x.a.test", "a.b.test:81", "a.test:81", "a.test:82", "zz"]),
        path in "(/|/a|/b|/c|7|b){1,4}",
        method in select(vec!["GET", "PUT", "POST"]),
        header in select(vec!["", "u", "V", "U2"]),
        sni in select(vec!["", "a.test", "x.test", "other"]),
        https: bool,
        port in select(vec![80, 81, 443]),
    ) -> RandomRequest {
        let path = String::from_utf8(normalize_path(path.as_bytes()).into_owned()).unwrap();
        RandomRequest { host, path, method, header, sni, https, port }
    }
}

#[derive(Clone, Debug)]
struct RandomRequest {
    host: &'static str,
    path: String,
    method: &'static str,
    header: &'static str,
    sni: &'static str,
    https: bool,
    port: u16,
}

impl RandomRequest {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.header.is_empty() {
            headers.insert("x-k", HeaderValue::from_static(self.header));
        }
        headers
    }

    fn request<'a>(&'a self, headers: &'a HeaderMap) -> RouterRequest<'a> {
        RouterRequest {
            method: self.method,
            host: Some(self.host.as_bytes()).filter(|host| !host.is_empty()),
            scheme: Scheme::from_tls(self.https),
            sni: Some(self.sni).filter(|sni| !sni.is_empty() && self.https),
            destination: ([127, 0, 0, 1], self.port).into(),
            ..get(&self.path, headers)
        }
    }

    /// Whether all criteria of a route but its paths match, in the flavor `traditional_compatible`.
    fn meets(&self, route: &Route, calculation: PriorityCalculation) -> bool {
        let host = self.host.to_ascii_lowercase();
        let (name, port) = host.split_once(':').unwrap_or((&host, ""));
        let port = port.parse().unwrap_or(self.port);
        let host_matches = |pattern: &String| {
            let pattern = pattern.to_ascii_lowercase();
            let (pattern_text, pattern_port) = pattern.split_once(':').unwrap_or((&pattern, ""));
            (pattern_port.is_empty() || pattern_port == port.to_string())
                && wildcard_matches(pattern_text, name)
        };
        let value = self.header.to_ascii_lowercase();
        let header_matches = |pattern_text: &String| {
            *pattern_text == value || (pattern_text.starts_with("~*") && value.starts_with('u'))
        };
        let http = route.protocols.iter().any(|protocol| protocol == "http");
        let sni_is_free = !self.https && (calculation == PriorityCalculation::Original || http);
        let sni_matches = |pattern_text: &String| {
            self.https && !self.sni.is_empty() && wildcard_matches(pattern_text, self.sni)
        };
        (route.hosts.is_empty() || (!name.is_empty() && route.hosts.iter().any(host_matches)))
            && (route.methods.is_empty() || route.methods.iter().any(|method| method == self.method))
            && route.headers.iter().all(|(_, values)| !value.is_empty() && values.iter().any(header_matches))
            && (route.snis.is_empty() || sni_is_free || route.snis.iter().any(sni_matches))
    }
}

fn wildcard_matches(pattern_text: &str, name: &str) -> bool {
    match (pattern_text.strip_prefix('*'), pattern_text.strip_suffix('*')) {
        (Some(suffix), _) => name.ends_with(suffix),
        (_, Some(prefix)) => name.starts_with(prefix),
        _ => name == pattern_text,
    }
}

/// All routes that match by definition, with rank and length of the match of each.
fn evaluate(
    routes: &[Route],
    random_request: &RandomRequest,
    calculation: PriorityCalculation,
) -> BTreeMap<usize, (u64, Option<usize>)> {
    let routes = routes.iter().enumerate().filter(|(_, route)| random_request.meets(route, calculation));
    let ranked = routes.filter_map(|(number, route)| {
        let paths = route.paths.iter().filter_map(|path| evaluate_path(path, &random_request.path));
        let mut matches: Vec<_> = paths.map(|(kind, length)| (kind, Some(length))).collect();
        if route.paths.is_empty() {
            matches.push((PathKind::Absent, None));
        }
        let ranks = matches.into_iter().map(|(kind, length)| (priority(route, kind, calculation), length));
        // Of several regular expressions the first that matches counts.
        let best = ranks.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        Some((number, best))
    });
    ranked.collect()
}

fn evaluate_path(configured: &str, path: &str) -> Option<(PathKind, usize)> {
    static EXPRESSIONS: LazyLock<HashMap<&str, Regex>> = LazyLock::new(|| {
        let expressions = PATHS.iter().filter_map(|path| path.strip_prefix('~'));
        expressions.map(|source| (source, Regex::new(&format!("^{source}")).unwrap())).collect()
    });
    match configured.strip_prefix('~') {
        None => {
            path.starts_with(configured).then_some((PathKind::Prefix(configured.len()), configured.len()))
        }
        Some(expression) => Some((PathKind::Regex, EXPRESSIONS[expression].find(path)?.len())),
    }
}

/// Asserts that the index finds the same routes as the plain evaluation.
fn agree(routes: &[Route], requests: &[RandomRequest]) -> Result<(), TestCaseError> {
    for calculation in [PriorityCalculation::Original, PriorityCalculation::Strict] {
        let (compiled, _) =
            Router::new(routes, &|_| true, RouterOptions { calculation, ..RouterOptions::default() });
        for random_request in requests {
            let headers = random_request.headers();
            let found = compiled.candidates(&random_request.request(&headers)).into_iter().map(|candidate| {
                let PriorityKey::Compatible { priority, .. } = candidate.key else { panic!("{candidate:?}") };
                (candidate.route.0, (*priority, candidate.prefix))
            });
            let expected = evaluate(routes, random_request, calculation);
            prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{:?}", random_request);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn the_index_finds_what_a_plain_evaluation_finds(
        routes in prop::collection::vec(some_route(), 1..10),
        requests in prop::collection::vec(some_request(), 1..10),
    ) {
        let routes: Vec<_> = routes.iter().map(route).collect();
        agree(&routes, &requests)?;
    }

    #[test]
    fn the_index_finds_many_routes_of_one_path(
        mut routes in prop::collection::vec(some_route(), 10..30),
        requests in prop::collection::vec(some_request(), 1..10),
    ) {
        for fields in &mut routes {
            (fields["hosts"], fields["paths"]) = (json!([]), json!(["/"]));
        }
        let routes: Vec<_> = routes.iter().map(route).collect();
        agree(&routes, &requests)?;
    }

    #[test]
    fn the_first_candidate_is_found_in_every_flavor(
        routes in prop::collection::vec(some_route(), 1..10),
        requests in prop::collection::vec(some_request(), 1..10),
    ) {
        let routes: Vec<_> = routes.iter().map(route).collect();
        for flavor in [MatchFlavor::TraditionalCompatible, MatchFlavor::Traditional] {
            let (compiled, _) = Router::new(&routes, &|_| true, RouterOptions { flavor, ..RouterOptions::default() });
            for random_request in &requests {
                let headers = random_request.headers();
                let request = random_request.request(&headers);
                let candidates = compiled.candidates(&request);
                prop_assert!(candidates.is_sorted_by(|a, b| a.key >= b.key), "{:?}", candidates);
                let found = compiled.find(&request).map(|found| (found.route, found.prefix));
                prop_assert_eq!(found, candidates.first().map(|candidate| (candidate.route, candidate.prefix)), "{:?}", random_request);
            }
        }
    }

    #[test]
    fn a_request_that_changes_its_route_is_reported(
        mut routes in prop::collection::vec(some_route(), 1..10),
        requests in prop::collection::vec(some_request(), 1..10),
    ) {
        for (number, fields) in routes.iter_mut().enumerate() {
            fields["name"] = number.to_string().into();
            // SNIs may exclude a route over http, which is not a difference of ranks.
            fields["snis"] = json!([]);
        }
        let routes: Vec<_> = routes.iter().map(route).collect();
        let warnings = conflicts(&routes, &|_| true);
        let [original, strict] = [PriorityCalculation::Original, PriorityCalculation::Strict]
            .map(|calculation| Router::new(&routes, &|_| true, RouterOptions { calculation, ..RouterOptions::default() }).0);
        for random_request in &requests {
            let headers = random_request.headers();
            let request = random_request.request(&headers);
            let winner = |compiled: &Router| compiled.find(&request).map(|found| found.route.0);
            let (Some(before), Some(after)) = (winner(&original), winner(&strict)) else { continue };
            let message = format!("route '{before}' goes before route '{after}', against Kong's documentation");
            let is_reported = warnings.iter().any(|warning| warning.message == message);
            prop_assert_eq!(is_reported || before == after, true, "{}: {:?}", message, random_request);
        }
    }

    #[test]
    fn a_route_that_is_reported_as_shadowed_never_matches(
        mut routes in prop::collection::vec(some_route(), 2..8),
        requests in prop::collection::vec(some_request(), 1..20),
    ) {
        for (number, fields) in routes.iter_mut().enumerate() {
            fields["name"] = number.to_string().into();
        }
        let routes: Vec<_> = routes.iter().map(route).collect();
        for flavor in [MatchFlavor::TraditionalCompatible, MatchFlavor::Traditional] {
            for calculation in [PriorityCalculation::Original, PriorityCalculation::Strict] {
                let options = RouterOptions { flavor, calculation, ..RouterOptions::default() };
                let (compiled, _) = Router::new(&routes, &|_| true, options);
                let shadowed_paths: Vec<_> = shadowed(&routes, &|_| true, options).into_iter().map(|warning| warning.path).collect();
                for random_request in &requests {
                    let headers = random_request.headers();
                    let Some(found) = compiled.find(&random_request.request(&headers)) else { continue };
                    let winner = &routes[found.route.0];
                    prop_assert!(!shadowed_paths.contains(&winner.at), "{:?} {:?}", winner, random_request);
                }
            }
        }
    }
}
