//! Responses without a `description`: the specifications up to 3.1 demand one, no tool misses it.

use crate::{diag::Diagnostic, document::Value, openapi::Api};

use super::{
    LintFindings,
    visit::{LintPlace, LintVisitor},
    walk::walk,
};

pub(super) fn check(api: &Api, complaints: &mut LintFindings) {
    let root = api.library.root();
    let edition = root.value.get("openapi").map(Value::to_json).unwrap_or_default();
    // OpenAPI 3.2 made it optional.
    if edition.trim_start_matches('"').starts_with("3.2") {
        return;
    }
    walk(api, &mut DescriptionLint { complaints });
}

struct DescriptionLint<'a> {
    complaints: &'a mut LintFindings,
}

impl LintVisitor for DescriptionLint<'_> {
    fn response(&mut self, value: &Value, place: &LintPlace<'_>) {
        if value.get("description").and_then(Value::as_str).is_none() {
            let message = "a response must have a `description`";
            self.complaints.add(place.complain(Diagnostic::error, message).key());
        }
    }
}
