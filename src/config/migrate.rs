//! Migration of paths from formats 1.1 and 2.1, which have regular expressions without `~`, to format 3.0.
//! (Kong: "Upgrading from 2.8 to 3.0", path handling.)

use crate::{
    document::{Mapping, Value},
    entity::{document::FORMAT_VERSION, route, service},
    uri::normalize_path,
};

/// The same document with the paths of its Routes in format 3.0.
pub(super) fn migrate(document: Value) -> Value {
    let version = document.get(FORMAT_VERSION.name).and_then(Value::as_str);
    let Some(top) = document.as_mapping().filter(|_| matches!(version, Some("1.1" | "2.1"))) else {
        return document;
    };
    let mut top = top.clone();
    change(&mut top, route::ENTITY.collection, &migrate_route);
    change(&mut top, service::ENTITY.collection, &|service| {
        let Some(service) = service.as_mapping() else { return service.clone() };
        let mut service = service.clone();
        change(&mut service, service::ROUTES.name, &migrate_route);
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
    change(&mut route, route::PATHS.name, &|path| match path {
        Value::String(path) if path.starts_with('/') => Value::from(migrate_path(path)),
        other => other.clone(),
    });
    route.into()
}

/// A path of plain characters is a prefix, and is normalised; every other path is a regular expression.
fn migrate_path(path: &str) -> String {
    let is_prefix = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_~/%".contains(&byte));
    if is_prefix {
        String::from_utf8_lossy(&normalize_path(path.as_bytes())).into_owned()
    } else {
        format!("~{}", decode_unreserved(path))
    }
}

/// Decodes the percent triplets of unreserved characters; those with a meaning in an expression get a backslash.
fn decode_unreserved(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let taken = match byte {
            Some(byte @ (b'.' | b'-')) => {
                out.push('\\');
                out.push(char::from(byte));
                3
            }
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~') => {
                out.push(char::from(byte));
                3
            }
            _ => {
                out.push('%');
                1
            }
        };
        rest = &rest[at + taken..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_those_of_format_3() {
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
