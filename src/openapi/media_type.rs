//! Names of media types: the ones with a meaning here, their essence and their syntax.

/// Media type of JSON.
pub const JSON: &str = "application/json";
/// Media type of encoded forms.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// Media type of forms in several parts.
pub const MULTIPART_FORM: &str = "multipart/form-data";
/// Media type of plain text.
pub const PLAIN_TEXT: &str = "text/plain";
/// Media type of bytes without a known format.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// The type without its parameters: `text/html` of `text/html; charset=utf-8`.
#[must_use]
pub fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// The type without its parameters, in lower case, for comparison.
#[must_use]
pub fn lowercase_essence(media_type: &str) -> String {
    essence(media_type).to_ascii_lowercase()
}

/// The format that an essence names: its structured syntax suffix (RFC 6838, section 4.2.8), else its subtype.
/// `json` of `application/json` and of `application/problem+json`.
#[must_use]
pub fn format_name(essence: &str) -> &str {
    let subtype = essence.split_once('/').map_or(essence, |(_, subtype)| subtype);
    subtype.rsplit('+').next().unwrap_or(subtype)
}

/// Whether a text is a media type with valid parameters, and so a valid header value; `image/*` is one, `*/*` is not.
pub(super) fn is_media_type(text: &str) -> bool {
    let name = essence(text).split_once('/');
    is_printable(text)
        && name.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype) && kind != "*")
}

/// Whether a text is `*/*`, with or without parameters.
pub(super) fn is_wildcard(text: &str) -> bool {
    essence(text) == "*/*" && is_printable(text)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

/// Whether a text is a token of HTTP (RFC 9110, section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_recognised() {
        for valid in ["application/json", "application/json; charset=utf-8", "image/*", "a/b;c=\"d e\""] {
            assert!(is_media_type(valid), "{valid}");
        }
        for other in
            ["", "json", "text/", "/x", "text/plain\r\nX-Evil: 1", "a/b/c d", "*/*", "*/x", "é/x", "a/b;é=1"]
        {
            assert!(!is_media_type(other), "{other}");
        }
        assert!(is_wildcard("*/*") && !is_wildcard("*/*;\n"));
    }
}
