//! Tests with recorded cases of Kong's routers.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::fixture::{get, recorded, route};
use super::*;
use crate::entity::{PathHandling, Route};
use crate::uri::{encode_path, normalize_path};

const FLAVORS: [(&str, RouterOptions); 4] = [
    ("compat_original", options(MatchFlavor::TraditionalCompatible, PriorityCalculation::Original)),
    ("compat_strict", options(MatchFlavor::TraditionalCompatible, PriorityCalculation::Strict)),
    ("traditional", options(MatchFlavor::Traditional, PriorityCalculation::Original)),
    ("expressions", options(MatchFlavor::Expressions, PriorityCalculation::Original)),
];

/// Intended differences: case, number of the request, flavor (empty: both compatible ones), the route that mynah chooses,
/// and the reason.
const DIFFERENCES: &[(&str, usize, &str, Option<&str>, &str)] = &[
    ("host-015", 0, "", Some("h"), "hosts have no case"),
    ("host-015", 0, "traditional", Some("h"), "hosts have no case"),
    (
        "host-018",
        0,
        "traditional",
        Some("v6"),
        "a host in brackets means the same to a route and to a request",
    ),
    ("host-018", 1, "", Some("v6"), "a port behind brackets is understood"),
    ("host-018", 1, "traditional", Some("v6"), "a port behind brackets is understood"),
    ("path-047", 0, "", Some("p"), "paths are bytes"),
    ("header-069", 0, "", Some("h"), "an expression is read as it stands"),
    ("header-069", 1, "", None, "an expression is read as it stands"),
];

const fn options(flavor: MatchFlavor, calculation: PriorityCalculation) -> RouterOptions {
    RouterOptions { flavor, calculation, compilation: RegexCompilation::OnFirstUse }
}

#[test]
fn requests_find_the_routes_that_kong_chooses() {
    let (mut request_count, mut differing) = (0, Vec::new());
    let cases = recorded("cases");
    for case in cases.iter().filter(|case| case["subsystem"] == "http") {
        for (flavor, options) in FLAVORS {
            if !case["flavors"].as_array().unwrap().contains(&json!(flavor)) {
                continue;
            }
            for (number, request) in case["requests"].as_array().unwrap().iter().enumerate() {
                request_count += 1;
                let expected = request["expect_by_flavor"].get(flavor).unwrap_or(&request["expect"]);
                let actual = answer(case, request, expected, options);
                if actual != *expected {
                    differing.push((case["id"].as_str().unwrap(), number, flavor, actual, expected.clone()));
                }
            }
        }
    }
    differing.retain(|(case, number, flavor, actual, _)| {
        !DIFFERENCES.iter().any(|(id, at, only, route, _)| {
            (id, at) == (case, number)
                && (only == flavor || (only.is_empty() && flavor.starts_with("compat")))
                && actual["route"].as_str() == *route
        })
    });
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(request_count > 800, "only {request_count} requests were recorded");
}

/// The result for a request, in the format of the expected one.
fn answer(case: &Value, request: &Value, expected: &Value, options: RouterOptions) -> Value {
    let fields = case["routes"].as_array().unwrap();
    let routes: Vec<Route> = fields.iter().map(route).collect();
    let (compiled, diagnostics) = Router::new(&routes, &|_| true, options);
    assert_eq!(diagnostics, [], "{}", case["id"]);

    let target = request["uri"].as_str().unwrap();
    let query = target.get(1..).and_then(|rest| rest.find('?')).map_or(target.len(), |at| at + 1);
    let (raw, query) = target.split_at(query);
    let path = normalize_path(raw.as_bytes());
    let headers = header_map(&request["headers"]);
    let https = request["scheme"] == "https";
    let port = request["server_port"].as_u64().unwrap_or(if https { 8443 } else { 8000 });
    let client = request["client_ip"].as_str().unwrap_or("127.0.0.1");
    let found = compiled.find(&RouterRequest {
        method: request["method"].as_str().unwrap_or("GET"),
        host: request["host"].as_str().map(str::as_bytes),
        path: &path,
        query: query.strip_prefix('?'),
        headers: &headers,
        scheme: Scheme::from_tls(https),
        sni: request["sni"].as_str(),
        source: SocketAddr::new(client.parse().unwrap(), 40000),
        destination: SocketAddr::new("127.0.0.1".parse().unwrap(), u16::try_from(port).unwrap()),
    });
    let Some(found) = found else { return json!({"route": null}) };

    let (route, fields) = (&routes[found.route.0], &fields[found.route.0]);
    let mut answer = json!({"route": route.name});
    if expected.get("upstream_target").is_some() {
        let handling = if fields["path_handling"] == "v1" { PathHandling::V1 } else { PathHandling::V0 };
        let handling = options.flavor.path_handling(handling);
        let joined =
            join(fields["service"]["path"].as_str(), &path, found.prefix, route.strip_path, handling);
        answer["upstream_target"] = format!("{}{query}", encode_path(&joined)).into();
    }
    let prefix = found.prefix_text(&path).filter(|_| route.strip_path).map(String::from_utf8_lossy);
    if let Some(prefix) = prefix.filter(|prefix| prefix != "/") {
        answer["x_forwarded_prefix"] = prefix.into_owned().into();
    }
    if let Some(host) = expected.get("upstream_host_header") {
        answer["upstream_host_header"] = host.clone();
    }
    if expected.get("captures").is_some() {
        for Capture { number, name, value } in found.captures(&path) {
            let value = value.map_or(json!(false), |value| String::from_utf8_lossy(value).into());
            for key in [Some(number.to_string()), name.map(str::to_owned)].into_iter().flatten() {
                answer["captures"][key] = value.clone();
            }
        }
    }
    answer
}

fn header_map(fields: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in fields.as_object().into_iter().flatten() {
        let lines = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
        for line in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(line.as_str().unwrap()).unwrap());
        }
    }
    headers
}

#[test]
fn paths_are_joined_as_kong_does() {
    let mut rows = 0;
    for row in recorded("path_joins") {
        let path = normalize_path(row["request_path"].as_str().unwrap().as_bytes());
        let prefix = row["route_path"].as_str().map(str::len);
        for handling in row["path_handling"].as_array().unwrap() {
            for strip in row["strip_path"].as_array().unwrap() {
                let v1 = handling == "v1";
                let handling = if v1 { PathHandling::V1 } else { PathHandling::V0 };
                let base = row["service_path"].as_str();
                let joined = join(base, &path, prefix, strip.as_bool().unwrap(), handling);
                assert_eq!(
                    encode_path(&joined),
                    row["upstream_path"].as_str().unwrap(),
                    "{strip} {v1} {row}"
                );
                rows += 1;
            }
        }
    }
    assert!(rows > 200, "only {rows} rows");
}

#[test]
fn paths_are_normalized_as_kong_does() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    for row in recorded("normalize") {
        let normal = normalize_path(row["in"].as_str().unwrap().as_bytes());
        match row["normalized"].as_str() {
            Some(expected) => assert_eq!(String::from_utf8_lossy(&normal), expected, "{row}"),
            None => assert_eq!(hex(&normal), row["normalized_bytes_hex"].as_str().unwrap(), "{row}"),
        }
        assert_eq!(encode_path(&normal), row["reencoded_for_upstream"].as_str().unwrap(), "{row}");
    }
}

#[test]
fn hosts_and_server_names_are_compared_without_case() {
    let routes = [json!({"hosts": ["A.Test"], "snis": ["*.TLS.test"]})].map(|fields| route(&fields));
    let headers = HeaderMap::new();
    for (_, options) in FLAVORS {
        let (compiled, _) = Router::new(&routes, &|_| true, options);
        let request = RouterRequest {
            host: Some(b"a.TEST:8000"),
            scheme: Scheme::Https,
            sni: Some("x.tls.Test"),
            ..get("/", &headers)
        };
        assert!(compiled.find(&request).is_some(), "{options:?}");
    }
}

#[test]
fn invalid_criteria_are_left_out_and_reported() {
    let routes = [
        json!({"name": "half", "paths": ["/a", "~/b(", "~/c"]}),
        json!({"name": "none", "paths": ["~/(?=d)"]}),
        json!({"name": "header", "headers": {"x": ["~*("]}}),
        json!({"name": "name", "headers": {"x y": ["1"]}}),
        json!({"name": "stream", "protocols": ["tcp", "tls"], "snis": ["a.test"]}),
    ]
    .map(|fields| route(&fields));
    let (compiled, diagnostics) = Router::new(&routes, &|_| true, RouterOptions::default());
    let messages: Vec<_> =
        diagnostics.iter().map(|diagnostic| format!("{}: {}", diagnostic.path, diagnostic.message)).collect();
    assert_eq!(
        messages,
        [
            "routes.half.paths[1]: invalid regex '~/b(': unclosed group",
            "routes.none.paths[0]: invalid regex '~/(?=d)': look-around, including look-ahead and look-behind, \
             is not supported",
            "routes.header.headers.x[0]: invalid regex '~*(': unclosed group",
            "routes.name.headers.x y: invalid header name 'x y'",
        ]
    );
    for (path, expected) in [("/a", true), ("/b(", false), ("/c", true), ("/d", false), ("/", false)] {
        assert_eq!(compiled.find(&get(path, &HeaderMap::new())).is_some(), expected, "{path}");
    }
}

#[test]
fn a_disabled_route_is_left_out() {
    let routes = ["one", "other"].map(|name| route(&json!({"name": name, "paths": ["/"]})));
    let (compiled, _) =
        Router::new(&routes, &|route| route.name.as_deref() == Some("other"), RouterOptions::default());
    let headers = HeaderMap::new();
    let found: Vec<_> =
        compiled.candidates(&get("/", &headers)).iter().map(|candidate| candidate.route.0).collect();
    assert_eq!(found, [1]);
}
