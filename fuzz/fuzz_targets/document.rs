//! Fuzz target: a text as an OpenAPI document is read or refused, linted, and answers some requests.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mynah::{
    document::{Dialect, read},
    mock::{Mock, MockOptions, answer_audit::audit_cases},
    openapi::{LibraryLocation, lint},
};

/// Number of requests: a document of the fuzzer is small, but may have many answers.
const ANSWERS: usize = 8;

fuzz_target!(|text: &str| {
    let Ok(document) = read(text, Dialect::Specification) else { return };
    let Ok((api, _)) = lint(document.value, &LibraryLocation::alone(), false) else { return };
    let mock = Mock::new(Arc::new(api), MockOptions::default());
    for case in audit_cases(mock.api()).iter().take(ANSWERS) {
        let _ = case.answer(&mock);
    }
});
