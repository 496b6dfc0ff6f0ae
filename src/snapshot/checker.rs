//! Checker of single records, by the rules that the compiler applies to each record alone.

use std::sync::Arc;

use super::tls;
use crate::{
    diag::Diagnostic,
    document::Value,
    entity::{CaCertificate, Certificate, EntityRecord, Route, ca_certificate, certificate, route},
    router::{Router, RouterOptions},
};

/// Checker of single records.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotChecker {
    options: RouterOptions,
}

impl SnapshotChecker {
    pub(super) const fn new(options: RouterOptions) -> Self {
        Self { options }
    }

    /// The errors of a complete record: a certificate with the key of another one, a Route that cannot be matched. Records
    /// with references to a vault are not checked.
    #[must_use]
    pub fn check(&self, record: &EntityRecord) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let (value, at) = (&record.value, &record.at);
        let in_vault =
            |(_, value): (&str, &Value)| value.as_str().is_some_and(|text| text.starts_with("{vault://"));
        if record.entity == &route::ENTITY {
            let route = Arc::new(Route::new(value, None, at));
            diagnostics = Router::new(&[route], &|_| true, self.options).1;
        } else if value.entries().any(in_vault) {
            return diagnostics;
        } else if record.entity == &certificate::ENTITY {
            drop(tls::identities(&Certificate::new(value, at), &[], &mut diagnostics));
        } else if record.entity == &ca_certificate::ENTITY {
            drop(tls::authority(&CaCertificate::new(value, at), &mut diagnostics));
        }
        diagnostics.retain(Diagnostic::is_error);
        diagnostics
    }
}
