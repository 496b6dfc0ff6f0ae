//! Tests of the contract: the plugin that ARCHITECTURE.md prints.

use http::StatusCode;

use super::{ALL, teapot, test_support};
use crate::schema::{Field, FieldKind};

/// The Rust code in the section "A plugin".
fn printed_plugin() -> &'static str {
    let text = include_str!("../../ARCHITECTURE.md");
    let section = text.split("\n## A plugin\n").nth(1).expect("the section");
    let code = section.split("\n```rust\n").nth(1).expect("its code");
    code.split("```").next().unwrap_or_default()
}

/// The paths of settings without a text for forms and editors.
fn without_description(fields: &[Field], at: &str) -> Vec<String> {
    let of_field = |field: &Field| {
        let path = format!("{at}.{}", field.name);
        let mut found = match field.kind {
            FieldKind::Record(fields) => without_description(fields, &path),
            _ => Vec::new(),
        };
        // An older spelling is described by the newer one.
        if field.description.is_none() && field.alias_of.is_empty() {
            found.push(path);
        }
        found
    };
    fields.iter().flat_map(of_field).collect()
}

#[test]
fn every_setting_is_described() {
    let missing: Vec<_> =
        ALL.iter().flat_map(|def| without_description(def.settings.fields, def.name)).collect();
    assert!(missing.is_empty(), "add `.describe(…)` to {missing:#?}");
}

#[test]
fn the_printed_plugin_is_the_compiled_one() {
    assert_eq!(printed_plugin(), include_str!("teapot.rs"), "copy src/plugin/teapot.rs into ARCHITECTURE.md");
}

#[test]
fn the_printed_plugin_answers() {
    for (settings, message) in [("{}", "short and stout"), ("{message: tall}", "tall")] {
        let plugin = test_support::plugin(&teapot::DEF, settings);
        let response = test_support::access(&*plugin, &mut test_support::request("GET /coffee"));
        let response = response.expect("an answer");
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        assert!(test_support::text(response.into_body()).contains(message));
    }
    let diagnostics = test_support::diagnostics(&teapot::DEF, "{message: [1]}");
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
}
