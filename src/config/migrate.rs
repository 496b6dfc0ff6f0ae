//! Formats 1.1 and 2.1 said regular expressions without `~`: their paths become paths of format 3.0.
//! (Kong: "Upgrading from 2.8 to 3.0", path handling.)

use crate::document::{Mapping, Value};

/// The same document with the paths of its Routes in format 3.0.
pub(super) fn migrate(document: Value) -> Value {
    let version = document.get("_format_version").and_then(Value::as_str);
    let Some(top) = document.as_mapping().filter(|_| matches!(version, Some("1.1" | "2.1"))) else {
        return document;
    };
    let mut top = top.clone();
    change(&mut top, "routes", &migrate_route);
    change(&mut top, "services", &|service| {
        let Some(service) = service.as_mapping() else { return service.clone() };
        let mut service = service.clone();
        change(&mut service, "routes", &migrate_route);
        service.into()
    });
    top.into()
}

/// Rewrites every item of the list at `key`.
fn change(record: &mut Mapping, key: &str, rewrite: &dyn Fn(&Value) -> Value) {
    if let Some(Value::Sequence(items)) = record.get(key) {
        let items: Vec<Value> = items.iter().map(rewrite).collect();
        record.insert(key, items);
    }
}

fn migrate_route(route: &Value) -> Value {
    let Some(route) = route.as_mapping() else { return route.clone() };
    let mut route = route.clone();
    change(&mut route, "paths", &|path| match path {
        Value::String(path) if path.starts_with('/') => Value::from(migrate_path(path)),
        other => other.clone(),
    });
    route.into()
}

/// A path of plain characters stays a prefix, in normal form; any other was a regular expression.
fn migrate_path(path: &str) -> String {
    let plain = path.bytes().all(|it| it.is_ascii_alphanumeric() || b".-_~/%".contains(&it));
    if plain { normalize(path) } else { format!("~{}", decode_unreserved(path, true)) }
}

/// RFC 3986, section 6.2.2: percent triplets in upper case, unreserved characters decoded, no dot segments; and no
/// empty segments.
fn normalize(path: &str) -> String {
    let decoded = decode_unreserved(path, false);
    let mut segments: Vec<&str> = Vec::new();
    let last = decoded.rsplit('/').next().unwrap_or_default();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => (),
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let folder = matches!(last, "" | "." | "..") && !segments.is_empty();
    format!("/{}{}", segments.join("/"), if folder { "/" } else { "" })
}

/// Decodes the triplets of unreserved characters; in a regular expression, those with a meaning there get a
/// backslash. Other triplets are upper-cased in a plain path and stay in a regular expression.
fn decode_unreserved(path: &str, regex: bool) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                if regex && matches!(byte, b'.' | b'-') {
                    out.push('\\');
                }
                out.push(char::from(byte));
            }
            Some(_) if regex => out.push_str(&rest[at..at + 3]),
            Some(_) => out.push_str(&rest[at..at + 3].to_ascii_uppercase()),
            None => {
                out.push('%');
                rest = &rest[at + 1..];
                continue;
            }
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_format_3() {
        for (old, new) in [
            (r"/re/\d+", r"~/re/\d+"),
            ("/a(b)c%2Fd", "~/a(b)c%2Fd"),
            ("/UPPER/%7euser", "/UPPER/~user"),
            ("/x%2f", "/x%2F"),
            ("/a/./b", "/a/b"),
            ("/a/../b/", "/b/"),
            ("/a//b", "/a/b"),
            ("/tasks$", "~/tasks$"),
            ("/", "/"),
            ("/%", "/%"),
            ("/é%", "~/é%"),
        ] {
            assert_eq!(migrate_path(old), new, "{old}");
        }
    }
}
