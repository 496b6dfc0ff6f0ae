//! Base paths of a document: `basePath`, or the path part of the servers' URLs.

use std::collections::HashSet;

use crate::{
    document::Value,
    openapi::{DocumentNode, SpecVersion},
};

/// The base paths of a document, without a slash at the end and without duplicates; `""` if it declares none.
pub(super) fn read_base_paths(root: &DocumentNode, version: SpecVersion) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    if version == SpecVersion::Swagger2 {
        paths.push(normalize(root.text("basePath").unwrap_or_default()));
    } else {
        let mut seen = HashSet::new();
        for server in root.get("servers").iter().flat_map(DocumentNode::items) {
            let Some(url) = server.text("url") else { continue };
            let path = path_of(&fill_variables(url, &server));
            if let Some(path) = path.filter(|path| seen.insert(path.clone())) {
                paths.push(path);
            }
        }
    }
    if paths.is_empty() {
        paths.push(String::new());
    }
    paths
}

/// The URL with the default value of each variable (OpenAPI 3.0.3, "Server Variable Object").
fn fill_variables(url: &str, server: &DocumentNode) -> String {
    let variables = server.get("variables");
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        let default = variables
            .as_ref()
            .and_then(|variables| variables.get(name))
            .and_then(|variable| variable.get("default"));
        match default.as_ref().map(|node| &node.value) {
            Some(Value::String(text)) => out.push_str(text),
            Some(Value::Number(number)) => out.push_str(number.as_str()),
            _ => out.push_str(name),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The path part of an absolute or relative URL; `None` for a URL without one, such as `javascript:`.
fn path_of(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next().unwrap_or_default().trim();
    let path = if let Some((_, rest)) = url.split_once("://") {
        rest.find('/').map_or("", |slash| &rest[slash..])
    } else if let Some(rest) = url.strip_prefix("//") {
        rest.find('/').map_or("", |slash| &rest[slash..])
    } else if url.split('/').next().is_some_and(|first| first.contains(':')) {
        return None;
    } else {
        url.trim_start_matches("./")
    };
    Some(normalize(path))
}

/// The path with a slash at its start and without one at its end.
fn normalize(path: &str) -> String {
    let path = path.trim().trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    #[track_caller]
    fn check(version: SpecVersion, text: &str, expected: &[&str]) {
        let value = read(text, Dialect::Specification).unwrap().value;
        assert_eq!(read_base_paths(&DocumentNode { value, file: 0 }, version), expected, "{text}");
    }

    #[test]
    fn the_base_path_of_swagger_is_normalized() {
        check(SpecVersion::Swagger2, "basePath: /v2", &["/v2"]);
        check(SpecVersion::Swagger2, "basePath: v2/", &["/v2"]);
        check(SpecVersion::Swagger2, "basePath: /", &[""]);
        check(SpecVersion::Swagger2, "basePath: 7", &[""]);
        check(SpecVersion::Swagger2, "servers: [{url: /v9}]", &[""]);
    }

    #[test]
    fn base_paths_are_the_paths_of_servers() {
        let check = |text, expected| check(SpecVersion::OpenApi30, text, expected);
        check("info: {}", &[""]);
        check("servers: []", &[""]);
        check("servers: [{url: 'https://api.example.com/v1/'}, {url: /other}]", &["/v1", "/other"]);
        check("servers: [{url: 'https://a.example'}, {url: /}, {url: 'http://b.example/'}]", &[""]);
        check("servers: [{url: v3}, {url: ./v4}, {url: //host/v5}]", &["/v3", "/v4", "/v5"]);
        check(
            "servers: [{url: 'https://{host}.example/{stage}/v{n}', variables: {stage: {default: dev}, n: {default: 2}}}]",
            &["/dev/v2"],
        );
        check("servers: [{url: '/{open'}, {url: '/{unknown}/x?a=b#c'}]", &["/{open", "/unknown/x"]);
        check("servers: [{url: 'javascript:alert(1)'}, {url: 5}, 6]", &[""]);
        check("servers: {url: /x}", &[""]);
    }
}
