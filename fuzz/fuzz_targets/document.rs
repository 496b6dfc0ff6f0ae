//! Any bytes as an OpenAPI document: they are read or refused, linted, and answer some requests.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mynah::{
    document::{Dialect, read},
    mock::{Mock, MockOptions, answer_audit::audit_cases},
    openapi::{LibraryLocation, lint},
};

/// Answers that are asked for: a document of the fuzzer is small, but may have many.
const ANSWERS: usize = 8;

fuzz_target!(|text: &str| {
    let Ok(document) = read(text, Dialect::Specification) else { return };
    let Ok((api, _)) = lint(document.value, &LibraryLocation::alone(), false) else { return };
    let mock = Mock::new(Arc::new(api), MockOptions::default());
    for case in audit_cases(mock.api()).iter().take(ANSWERS) {
        let _ = case.answer(&mock);
    }
});
