//! Rule of header names in records.

use crate::document::Value;

/// Accepts names of headers.
///
/// # Errors
/// Kong's message.
pub fn check_header_name(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    if is_header_name(name) {
        return Ok(());
    }
    Err(format!("bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"))
}

/// Whether Kong accepts a text as the name of a header. Stricter than RFC 9110, section 5.1.
#[must_use]
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
