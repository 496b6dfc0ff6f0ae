//! What one record is refused for when it is compiled, whatever else stands beside it.

use std::sync::Arc;

use super::tls;
use crate::{
    diag::Diagnostic,
    document::Value,
    entity::{CaCertificate, Certificate, EntityRecord, Route},
    router::{Router, RouterOptions},
};

/// Looks at single records as a Compiler would.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotChecker {
    options: RouterOptions,
}

impl SnapshotChecker {
    pub(super) const fn new(options: RouterOptions) -> Self {
        Self { options }
    }

    /// What is wrong with a complete record: a certificate whose key is another's, a Route that cannot be matched.
    /// What a vault holds is not looked at.
    #[must_use]
    pub fn check(&self, record: &EntityRecord) -> Vec<Diagnostic> {
        let mut wrong = Vec::new();
        let (value, at) = (&record.value, &record.at);
        let in_vault =
            |(_, value): (&str, &Value)| value.as_str().is_some_and(|it| it.starts_with("{vault://"));
        match record.collection() {
            "routes" => {
                let route = Arc::new(Route::new(value, None, at));
                wrong = Router::new(&[route], &|_| true, self.options).1;
            }
            _ if value.entries().any(in_vault) => (),
            "certificates" => drop(tls::identities(&Certificate::new(value, at), &[], &mut wrong)),
            "ca_certificates" => drop(tls::authority(&CaCertificate::new(value, at), &mut wrong)),
            _ => (),
        }
        wrong.retain(Diagnostic::is_error);
        wrong
    }
}
