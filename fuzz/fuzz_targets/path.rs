//! Fuzz target: lookup of a path among templates; a match is one of them, and its values are parts of the path.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use mynah::{
    document::{Mapping, SharedText, Value},
    openapi::{LibraryLocation, PathLookup, PathTable, lower},
};

fuzz_target!(|input: (Vec<String>, String)| {
    let (templates, path) = input;
    let response: Mapping =
        [(SharedText::from("200"), Value::from(Mapping::default()))].into_iter().collect();
    let operation: Mapping = [(SharedText::from("responses"), Value::from(response))].into_iter().collect();
    let item: Mapping = [(SharedText::from("get"), Value::from(operation))].into_iter().collect();
    let paths: Mapping = templates
        .iter()
        .take(16)
        .map(|template| (SharedText::from(format!("/{template}")), Value::from(item.clone())))
        .collect();
    let document: Mapping = [
        (SharedText::from("openapi"), Value::from("3.0.3")),
        (SharedText::from("paths"), Value::from(paths)),
    ]
    .into_iter()
    .collect();
    let Ok((api, _)) = lower(document.into(), &LibraryLocation::alone()) else { return };
    let paths = PathTable::new(&api.operations);
    let path = format!("/{path}");
    if let PathLookup::Match(found) = paths.find(&Method::GET, &path) {
        assert!(found.operation < api.operations.len());
        for (_, place) in paths.values(found.operation, &path) {
            assert!(path.get(place).is_some());
        }
    }
});
