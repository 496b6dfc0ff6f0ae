//! Test with the official test suite of JSON Schema 2020-12.

use std::{collections::HashSet, fs, path::Path};

use serde_json::json;

use super::*;

/// Groups of tests that the validator does not support, by description, with the reason.
const WAIVED: &[(&str, &str)] = &[
    ("empty enum", "an empty `enum` is ignored, as documents in use expect"),
    ("remote ref, containing refs itself", "remote references are not followed"),
    ("Recursive references between schemas", "references to a nested `$id` are not followed"),
    ("relative refs with absolute uris and defs", "references to a nested `$id` are not followed"),
    (
        "$id must be resolved against nearest parent, not just immediate parent",
        "references to a nested `$id` are not followed",
    ),
    ("order of evaluation: $id and $ref on nested schema", "references to a nested `$id` are not followed"),
    ("URN ref with nested pointer ref", "references to a nested `$id` are not followed"),
    ("ref with absolute-path-reference", "references to a nested `$id` are not followed"),
    ("unevaluatedItems with $dynamicRef", "`$dynamicRef` is followed as `$ref` is"),
];

fn document(schema: &Json) -> Json {
    match schema {
        Json::Object(members) => {
            let mut members = members.clone();
            members.insert("openapi".to_owned(), "3.1.0".into());
            members.into()
        }
        other => json!({"openapi": "3.1.0", "schema": other}),
    }
}

#[test]
fn the_official_suite_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/json-schema-suite");
    let mut failures = Vec::new();
    let (mut count, mut waived) = (0, HashSet::new());
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let groups: Vec<Json> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for group in groups {
            let description = group["description"].as_str().unwrap();
            let validator = validator(&document(&group["schema"]).to_string());
            for test in group["tests"].as_array().unwrap() {
                count += 1;
                let valid = test["valid"].as_bool().unwrap();
                let budget = Budget::new(LIMITS);
                let found = validator.is_valid(&test["data"], &budget).unwrap();
                let errors = validator.errors(&test["data"], &budget).unwrap();
                if WAIVED.iter().any(|(waived_group, _)| *waived_group == description) && found != valid {
                    waived.insert(description.to_owned());
                } else if found != valid || errors.is_empty() != valid {
                    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                    failures.push(format!("{name}: {description}: {}: {errors:?}", test["description"]));
                }
            }
        }
    }
    assert_eq!(waived.len(), WAIVED.len(), "a group that passes needs no waiver: {waived:?}");
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
}
