//! Check for responses without a `description`, which the specifications up to 3.1 require and no tool needs.

use crate::{diag::Diagnostic, document::Value, openapi::Api};

use super::{
    LintFindings,
    visit::{LintPlace, LintVisitor},
    walk::walk,
};

pub(super) fn check(api: &Api, findings: &mut LintFindings) {
    let root = api.library.root();
    let version = root.value.get("openapi").map(Value::to_json).unwrap_or_default();
    // It is optional since OpenAPI 3.2.
    if version.trim_start_matches('"').starts_with("3.2") {
        return;
    }
    walk(api, &mut DescriptionLint { findings });
}

struct DescriptionLint<'a> {
    findings: &'a mut LintFindings,
}

impl LintVisitor for DescriptionLint<'_> {
    fn visit_response(&mut self, value: &Value, place: &LintPlace<'_>) {
        if value.get("description").and_then(Value::as_str).is_none() {
            let message = "a response must have a `description`";
            self.findings.add(place.diagnostic(Diagnostic::error, message).key());
        }
    }
}
