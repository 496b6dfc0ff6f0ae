//! Tests of the contract: the plugin that ARCHITECTURE.md prints.

use http::StatusCode;

use super::{teapot, test_support};

/// The Rust code in the section "A plugin".
fn printed_plugin() -> &'static str {
    let text = include_str!("../../ARCHITECTURE.md");
    let section = text.split("\n## A plugin\n").nth(1).expect("the section");
    let code = section.split("\n```rust\n").nth(1).expect("its code");
    code.split("```").next().unwrap_or_default()
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
