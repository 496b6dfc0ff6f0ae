//! The strict reading of OpenAPI 3.0 documents by the crate `openapiv3`, which knows neither 2.0 nor 3.1.

use crate::document::Value;

/// Reads a document as strictly as its specification is written.
///
/// # Errors
/// What the first fault is, in the words of that crate; it has no places.
pub fn strict(value: &Value) -> Result<(), String> {
    document(value).map(drop)
}

fn document(value: &Value) -> Result<openapiv3::OpenAPI, String> {
    serde_json::from_value(serde_json::Value::from(value)).map_err(|error| error.to_string())
}
