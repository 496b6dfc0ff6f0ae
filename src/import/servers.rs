//! Where an API is: `servers` of OpenAPI 3, or `schemes`, `host` and `basePath` of Swagger 2.0.

use crate::{
    document::Value,
    openapi::{DocumentNode, SpecVersion},
    uri::{Authority, Scheme, encode_path},
};

/// A place where an API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerAddress {
    /// `http` or `https`.
    pub(super) protocol: &'static str,
    /// The host, if the URL names one.
    pub(super) host: Option<String>,
    /// The port; that of the protocol where the URL names none.
    pub(super) port: u16,
    /// What paths begin with; empty, or a slash and more.
    pub(super) path: String,
}

/// The places that a document, a path or an operation names.
pub(super) fn of(node: &DocumentNode, version: SpecVersion) -> Vec<ServerAddress> {
    if version != SpecVersion::Swagger2 {
        let servers = node.get("servers");
        return servers
            .iter()
            .flat_map(DocumentNode::items)
            .filter_map(|it| Some(parse(&filled(&it)?)))
            .collect();
    }
    let (host, path) = (node.text("host").unwrap_or_default(), node.text("basePath").unwrap_or_default());
    if host.is_empty() && path.is_empty() {
        return Vec::new();
    }
    let schemes = node.get("schemes");
    let scheme = schemes.as_ref().and_then(|it| it.value.items().first()?.as_str()).unwrap_or("http");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let start = if host.is_empty() { String::new() } else { format!("{scheme}://{host}") };
    vec![parse(&format!("{start}{slash}{path}"))]
}

/// The URL of a server with a value for each of its variables. (OpenAPI 3.0.3, "Server Variable Object".)
fn filled(server: &DocumentNode) -> Option<String> {
    let mut url = server.text("url")?.trim().to_owned();
    for (name, variable) in server.get("variables").iter().flat_map(DocumentNode::entries) {
        let first = variable.get("enum").and_then(|it| it.value.items().first().cloned());
        let value = match variable.get("default").map(|it| it.value).or(first) {
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
        let path = plain(url.trim_start_matches('.'));
        return ServerAddress { protocol, host: None, port: scheme.default_port(), path };
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let authority = Authority::split(authority);
    let (host, port) = (authority.host(), authority.port().unwrap_or(scheme.default_port()));
    let is_host = !host.is_empty()
        && host.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it))
        && host.split('.').all(|it| !it.is_empty() && !it.ends_with('-'));
    ServerAddress { protocol, host: is_host.then(|| host.to_owned()), port, path: plain(path) }
}

/// A path as a Service says it: nothing, or a slash and what no URL has to encode.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|it| !matches!(*it, "" | "." | "..")).collect();
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
        let told = |it: &ServerAddress| {
            format!("{} {}:{} {}", it.protocol, it.host.as_deref().unwrap_or("-"), it.port, it.path)
        };
        let found: Vec<String> = of(&DocumentNode { value, file: 0 }, version).iter().map(told).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn servers_of_openapi_3() {
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
    fn servers_of_swagger() {
        let check = |text, expected| check(SpecVersion::Swagger2, text, expected);
        check("host: a.example:81\nbasePath: /v2\nschemes: [https, http]", &["https a.example:81 /v2"]);
        check("host: a.example", &["http a.example:80 "]);
        check("basePath: v2/", &["http -:80 /v2"]);
        check("schemes: [https]", &[]);
    }
}
