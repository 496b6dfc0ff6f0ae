//! Rules of texts that several entities share: names, tags, paths. Messages are Kong's.

use crate::document::Value;

/// The name of an entity: letters, digits, `. - _ ~`, and every character outside ASCII.
pub(super) fn name(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    if name.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || ".-_~".contains(c)) {
        return Ok(());
    }
    Err(format!(
        "invalid value '{name}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
    ))
}

/// A tag: printable ASCII without `,` and `/`, and every character outside ASCII.
pub(super) fn tag(value: &Value) -> Result<(), String> {
    let tag = value.as_str().unwrap_or_default();
    if tag.chars().all(|c| !c.is_ascii() || (matches!(c, ' '..='~') && c != ',' && c != '/')) {
        return Ok(());
    }
    Err(format!(
        "invalid tag '{tag}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
    ))
}

/// The name of a cookie: a token. (RFC 6265, section 4.1.1.)
pub(super) fn cookie_name(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return Ok(());
    }
    Err(format!("bad cookie name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"))
}

/// The path of a Service.
pub(super) fn path(value: &Value) -> Result<(), String> {
    let path = value.as_str().unwrap_or_default();
    if !path.starts_with('/') {
        return Err("should start with: /".to_owned());
    }
    if path.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    if !path.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/@!$&'()*+,;=%".contains(c)) {
        return Err(format!(
            "invalid path: '{path}' (characters outside of the reserved list of RFC 3986 found)"
        ));
    }
    percent(path)
}

/// Every `%` is followed by two hexadecimal digits.
pub(super) fn percent(path: &str) -> Result<(), String> {
    let bytes = path.as_bytes();
    for (at, _) in path.match_indices('%') {
        let digits = bytes.get(at + 1..at + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            let end = path.len().min(at + 3);
            let part = path.get(at..end).unwrap_or(path);
            return Err(format!("invalid url-encoded value: '{part}'"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: fn(&Value) -> Result<(), String>, text: &str, expected: Result<(), &str>) {
        assert_eq!(rule(&Value::from(text)), expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn names_and_paths_have_kongs_rules() {
        check(name, "Stock-Service_1.~ü", Ok(()));
        let message =
            "invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~";
        check(name, "a b", Err(message));
        check(path, "/a/%20b", Ok(()));
        check(path, "a", Err("should start with: /"));
        check(path, "/a//b", Err("must not have empty segments"));
        check(path, "/%zz", Err("invalid url-encoded value: '%zz'"));
        let message = "invalid path: '/a b' (characters outside of the reserved list of RFC 3986 found)";
        check(path, "/a b", Err(message));
    }
}
