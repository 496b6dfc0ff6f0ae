//! Responses without a `description`: the specifications up to 3.1 demand one, no tool misses it.

use crate::{diag::Diagnostic, document::Value, openapi::Api};

use super::{
    Complaints,
    visit::{Place, Visit},
    walk::walk,
};

pub(super) fn check(api: &Api, complaints: &mut Complaints) {
    let root = api.library.root();
    let edition = root.value.get("openapi").map(Value::to_json).unwrap_or_default();
    // OpenAPI 3.2 made it optional.
    if edition.trim_start_matches('"').starts_with("3.2") {
        return;
    }
    walk(api, &mut Descriptions { complaints });
}

struct Descriptions<'a> {
    complaints: &'a mut Complaints,
}

impl Visit for Descriptions<'_> {
    fn response(&mut self, value: &Value, place: &Place<'_>) {
        if value.get("description").and_then(Value::as_str).is_none() {
            let message = "a response must have a `description`";
            self.complaints.add(place.complain(Diagnostic::error, message).key());
        }
    }
}
