//! Any templates and any path: what is found is one of the templates, and its values are parts of the path.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use mynah::{
    document::{Mapping, Text, Value},
    openapi::{Found, Location, Paths, lower},
};

fuzz_target!(|input: (Vec<String>, String)| {
    let (templates, path) = input;
    let response: Mapping = [(Text::from("200"), Value::from(Mapping::default()))].into_iter().collect();
    let operation: Mapping = [(Text::from("responses"), Value::from(response))].into_iter().collect();
    let item: Mapping = [(Text::from("get"), Value::from(operation))].into_iter().collect();
    let paths: Mapping = templates
        .iter()
        .take(16)
        .map(|it| (Text::from(format!("/{it}")), Value::from(item.clone())))
        .collect();
    let document: Mapping =
        [(Text::from("openapi"), Value::from("3.0.3")), (Text::from("paths"), Value::from(paths))]
            .into_iter()
            .collect();
    let Ok((api, _)) = lower(document.into(), &Location::alone()) else { return };
    let paths = Paths::new(&api.operations);
    let path = format!("/{path}");
    if let Found::Match(found) = paths.find(&Method::GET, &path) {
        assert!(found.operation < api.operations.len());
        for (_, place) in paths.values(found.operation, &path) {
            assert!(path.get(place).is_some());
        }
    }
});
