//! Addresses of an API: `servers` of OpenAPI 3; `schemes`, `host` and `basePath` of Swagger 2.0.

use crate::{
    document::Value,
    openapi::{DocumentNode, SpecVersion},
    uri::{Authority, Scheme, encode_path, split_authority, without_user},
};

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerAddress {
    /// `http` or `https`.
    pub(super) protocol: &'static str,
    /// The host, if the URL names one.
    pub(super) host: Option<String>,
    /// The port; the default of the protocol if the URL has none.
    pub(super) port: u16,
    /// The base path; empty, or a slash and more.
    pub(super) path: String,
}

/// The servers of a document, a path or an operation.
pub(super) fn read_servers(node: &DocumentNode, version: SpecVersion) -> Vec<ServerAddress> {
    if version != SpecVersion::Swagger2 {
        let servers = node.get("servers");
        return servers
            .iter()
            .flat_map(DocumentNode::items)
            .filter_map(|server| Some(parse(&expand_url(&server)?)))
            .collect();
    }
    let (host, path) = (node.text("host").unwrap_or_default(), node.text("basePath").unwrap_or_default());
    if host.is_empty() && path.is_empty() {
        return Vec::new();
    }
    let schemes = node.get("schemes");
    let scheme =
        schemes.as_ref().and_then(|schemes| schemes.value.items().first()?.as_str()).unwrap_or("http");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let start = if host.is_empty() { String::new() } else { format!("{scheme}://{host}") };
    vec![parse(&format!("{start}{slash}{path}"))]
}

/// The URL of a server with a value for each of its variables. (OpenAPI 3.0.3, "Server Variable Object".)
fn expand_url(server: &DocumentNode) -> Option<String> {
    let mut url = server.text("url")?.trim().to_owned();
    for (name, variable) in server.get("variables").iter().flat_map(DocumentNode::entries) {
        let first = variable.get("enum").and_then(|choices| choices.value.items().first().cloned());
        let value = match variable.get("default").map(|default| default.value).or(first) {
            Some(Value::String(text)) => text.to_string(),
            Some(Value::Number(number)) => number.as_str().to_owned(),
            _ => continue,
        };
        url = url.replace(&format!("{{{name}}}"), &value);
    }
    Some(url)
}

fn parse(url: &str) -> ServerAddress {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, Some(rest)),
        None => ("http", url.strip_prefix("//")),
    };
    let scheme = Scheme::from_protocol(&scheme.to_ascii_lowercase());
    let protocol = scheme.as_str();
    let Some(rest) = rest else {
        let path = clean_path(url.trim_start_matches('.'));
        return ServerAddress { protocol, host: None, port: scheme.default_port(), path };
    };
    let (authority, path) = split_authority(rest);
    let authority = Authority::split(without_user(authority));
    let (host, port) = (authority.host(), authority.port().unwrap_or(scheme.default_port()));
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && host.split('.').all(|label| !label.is_empty() && !label.ends_with('-'));
    ServerAddress { protocol, host: is_host.then(|| host.to_owned()), port, path: clean_path(path) }
}

/// The path of a Service: empty, or a slash and the encoded segments.
fn clean_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    if parts.is_empty() {
        return String::new();
    }
    let path = format!("/{}", parts.join("/"));
    encode_path(path.replace(['{', '}'], "").as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    #[track_caller]
    fn check(version: SpecVersion, text: &str, expected: &[&str]) {
        let value = read(text, Dialect::Specification).unwrap().value;
        let describe = |server: &ServerAddress| {
            let host = server.host.as_deref().unwrap_or("-");
            format!("{} {host}:{} {}", server.protocol, server.port, server.path)
        };
        let servers = read_servers(&DocumentNode { value, file: 0 }, version);
        let found: Vec<String> = servers.iter().map(describe).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn servers_of_openapi_3_are_read() {
        let check = |text, expected| check(SpecVersion::OpenApi30, text, expected);
        check("servers: [{url: 'https://a.example/v1/'}]", &["https a.example:443 /v1"]);
        check("servers: [{url: 'http://u:p@a.example:8080'}]", &["http a.example:8080 "]);
        check(
            "servers: [{url: /v3}, {url: ./v4}, {url: //b.example/v5}]",
            &["http -:80 /v3", "http -:80 /v4", "http b.example:80 /v5"],
        );
        check(
            "servers: [{url: 'wss://{who}.example:{port}/{v}', variables: {who: {default: a}, port: {enum: [8443]}}}]",
            &["https a.example:8443 /v"],
        );
        check("servers: [{url: 'https://{open}.example'}, {}, 5]", &["https -:443 "]);
        check("info: {}", &[]);
    }

    #[test]
    fn servers_of_swagger_are_read() {
        let check = |text, expected| check(SpecVersion::Swagger2, text, expected);
        check("host: a.example:81\nbasePath: /v2\nschemes: [https, http]", &["https a.example:81 /v2"]);
        check("host: a.example", &["http a.example:80 "]);
        check("basePath: v2/", &["http -:80 /v2"]);
        check("schemes: [https]", &[]);
    }
}
