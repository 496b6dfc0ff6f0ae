//! Tests with recorded ties: several routes match a request with the same rank, and Kong's default router chooses one.

use http::HeaderMap;
use serde_json::{Value, json};

use super::Router;
use super::fixture::{get, route};
use crate::router::{RouterOptions, RouterRequest};

/// A case: the routes in the order of the file, the request, and the route that Kong chose.
struct TieCase {
    routes: Vec<Value>,
    host: String,
    path: String,
    winner: Option<String>,
}

impl TieCase {
    fn read(case: &Value) -> Self {
        let text = |key: &str| case[key].as_str().map(str::to_owned);
        let plain = |name: &str, path: &str, created_at: &Value| json!({"name": name, "paths": [path], "created_at": created_at});
        let (routes, path) = if let Some(order) = case["order"].as_array() {
            let names = order.iter().filter_map(Value::as_str);
            let made = |name| plain(name, "/tie", &case["ids_created_at"][name][1]);
            (names.map(made).collect(), "/tie".to_owned())
        } else if let Some(ages) = case["created_at"].as_object() {
            let path = case["path"].as_str().unwrap();
            (ages.iter().map(|(name, age)| plain(name, path, age)).collect(), "/tie".to_owned())
        } else {
            (case["routes"].as_array().unwrap().clone(), text("path").unwrap())
        };
        let winner = case["winner"][0].as_str().map(str::to_owned);
        Self { routes, host: text("host").unwrap_or_default(), path, winner }
    }
}

#[test]
fn a_tie_goes_to_the_route_that_kong_chooses() {
    let recorded: Value =
        serde_json::from_str(include_str!("../../tests/kong-cases/router-ties.json")).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 30);
    for case in cases {
        let tie = TieCase::read(case);
        let routes: Vec<_> = tie.routes.iter().map(route).collect();
        for (name, recorded) in case["ids_created_at"].as_object().into_iter().flatten() {
            let known = routes.iter().find(|route| route.name.as_ref() == Some(name)).unwrap();
            assert_eq!(known.id.to_string(), recorded[0], "{case}");
        }
        let (compiled, diagnostics) = Router::new(&routes, &|_| true, RouterOptions::default());
        assert_eq!(diagnostics, [], "{case}");
        let headers = HeaderMap::new();
        let found =
            compiled.find(&RouterRequest { host: Some(tie.host.as_bytes()), ..get(&tie.path, &headers) });
        assert_eq!(found.and_then(|found| routes[found.route.0].name.clone()), tie.winner, "{case}");
    }
}
