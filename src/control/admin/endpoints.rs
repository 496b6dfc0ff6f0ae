//! Paths of the Admin API: one table for the dispatcher and for `/endpoints`. (Kong: Admin API, "List available
//! endpoints".)

use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::json;

use super::{AdminApi, collections, own_paths::OwnPath};
use crate::{body::Body, entity, entity::target, reply};

/// What a path that is not one of entities stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdminPath {
    Node,
    Status,
    Readiness,
    DnsStatus,
    Config,
    Explain,
    MockState,
    ResponseCache,
    UpstreamHealth,
    TargetHealth,
    Tags,
    Endpoints,
    Metrics,
    Timers,
    EnabledPlugins,
    PluginConfigSchema,
    Schemas,
    Clustering,
    LogLevel,
    NewLogLevel,
    ClusterLogLevel,
    Cache,
    Files,
    File,
    Own(OwnPath),
}

/// A pattern of paths, with its parameters in braces, the methods, and what it stands for. A parameter with an asterisk stands
/// for one segment or more.
type EndpointRow = (&'static str, &'static [Method], AdminPath);

const READ: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];
const READ_OR_DELETE: &[Method] = &[Method::DELETE, Method::GET, Method::HEAD, Method::OPTIONS];
const READ_OR_POST: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS, Method::POST];
const READ_OR_PUT: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT];
const FILE: &[Method] =
    &[Method::DELETE, Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH, Method::PUT];
const DELETE: &[Method] = &[Method::DELETE, Method::OPTIONS];
const POST: &[Method] = &[Method::OPTIONS, Method::POST];
const PUT: &[Method] = &[Method::OPTIONS, Method::PUT];

/// All of them. The first pattern that matches a path decides.
const TABLE: &[EndpointRow] = &[
    ("/", READ, AdminPath::Node),
    ("/cache", DELETE, AdminPath::Cache),
    ("/cache/{key}", READ_OR_DELETE, AdminPath::Cache),
    ("/clustering/data-planes", READ, AdminPath::Clustering),
    ("/clustering/status", READ, AdminPath::Clustering),
    ("/config", READ_OR_POST, AdminPath::Config),
    ("/debug/cluster/log-level/{log_level}", PUT, AdminPath::ClusterLogLevel),
    ("/debug/explain", READ, AdminPath::Explain),
    ("/debug/node/log-level", READ, AdminPath::LogLevel),
    ("/debug/node/log-level/{log_level}", PUT, AdminPath::NewLogLevel),
    ("/endpoints", READ, AdminPath::Endpoints),
    ("/files", READ_OR_POST, AdminPath::Files),
    ("/files/{*path}", FILE, AdminPath::File),
    ("/kong", READ, AdminPath::Node),
    ("/metrics", READ, AdminPath::Metrics),
    ("/mock/state", DELETE, AdminPath::MockState),
    ("/mynah/apis", READ, AdminPath::Own(OwnPath::Apis)),
    ("/mynah/apis/document", READ, AdminPath::Own(OwnPath::ApiDocument)),
    ("/mynah/apis/status", READ, AdminPath::Own(OwnPath::ApiStatus)),
    ("/mynah/changes", READ, AdminPath::Own(OwnPath::Changes)),
    ("/mynah/changes/{number}", READ, AdminPath::Own(OwnPath::SingleChange)),
    ("/mynah/check", POST, AdminPath::Own(OwnPath::Check)),
    ("/mynah/cors", POST, AdminPath::Own(OwnPath::Cors)),
    ("/mynah/events", READ, AdminPath::Own(OwnPath::Events)),
    ("/mynah/exchanges", READ, AdminPath::Own(OwnPath::Exchanges)),
    ("/mynah/exchanges/{number}", READ, AdminPath::Own(OwnPath::SingleExchange)),
    ("/mynah/file", READ_OR_PUT, AdminPath::Own(OwnPath::File)),
    ("/mynah/lint", POST, AdminPath::Own(OwnPath::Lint)),
    ("/mynah/mock", POST, AdminPath::Own(OwnPath::Mock)),
    ("/mynah/rows/{collection}", READ, AdminPath::Own(OwnPath::Rows)),
    ("/mynah/source/{collection}/{key}", READ, AdminPath::Own(OwnPath::Source)),
    ("/mynah/traffic", READ, AdminPath::Own(OwnPath::Traffic)),
    ("/mynah/undo", POST, AdminPath::Own(OwnPath::Undo)),
    ("/plugins/enabled", READ, AdminPath::EnabledPlugins),
    ("/plugins/schema/{name}", READ, AdminPath::PluginConfigSchema),
    ("/proxy-cache", DELETE, AdminPath::ResponseCache),
    ("/proxy-cache/{cache_key}", READ_OR_DELETE, AdminPath::ResponseCache),
    ("/proxy-cache/{plugin_id}/caches/{cache_key}", READ_OR_DELETE, AdminPath::ResponseCache),
    ("/schemas/plugins/validate", POST, AdminPath::Schemas),
    ("/schemas/{db_entity_name}/validate", POST, AdminPath::Schemas),
    ("/schemas/plugins/{name}", READ, AdminPath::Schemas),
    ("/schemas/vaults/{name}", READ, AdminPath::Schemas),
    ("/schemas/{name}", READ, AdminPath::Schemas),
    ("/status", READ, AdminPath::Status),
    ("/status/dns", READ, AdminPath::DnsStatus),
    ("/status/ready", READ, AdminPath::Readiness),
    ("/tags", READ, AdminPath::Tags),
    ("/tags/{tags}", READ, AdminPath::Tags),
    ("/timers", READ, AdminPath::Timers),
    ("/upstreams/{upstreams}/health", READ, AdminPath::UpstreamHealth),
    ("/upstreams/{upstreams}/targets/{targets}/healthy", PUT, AdminPath::TargetHealth),
    ("/upstreams/{upstreams}/targets/{targets}/unhealthy", PUT, AdminPath::TargetHealth),
    ("/upstreams/{upstreams}/targets/{targets}/{address}/healthy", PUT, AdminPath::TargetHealth),
    ("/upstreams/{upstreams}/targets/{targets}/{address}/unhealthy", PUT, AdminPath::TargetHealth),
];

/// The endpoint of a path, and its methods; `None` if there is none. The readiness may be on another listener only.
pub(super) fn find(path: &[&str], has_readiness: bool) -> Option<(AdminPath, &'static [Method])> {
    let row = TABLE.iter().find(|(pattern, ..)| matches(pattern, path))?;
    (has_readiness || row.2 != AdminPath::Readiness).then_some((row.2, row.1))
}

/// Whether a path has the segments of a pattern.
fn matches(pattern: &str, path: &[&str]) -> bool {
    let mut segments = pattern.split('/').filter(|segment| !segment.is_empty());
    let mut path = path.iter();
    loop {
        match (segments.next(), path.next()) {
            (None, None) => return true,
            (Some(expected), Some(_)) if expected.starts_with("{*") => return true,
            (Some(expected), Some(segment)) if expected.starts_with('{') || expected == *segment => (),
            _ => return false,
        }
    }
}

/// Answer to OPTIONS. A page may use the methods only if its origin is allowed ([`super::access_check::allow_origin`]).
pub(super) fn answer_options(allowed: &[Method], requested_headers: Option<&HeaderValue>) -> Response<Body> {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(header::ALLOW, names.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, names);
    }
    let requested_headers = requested_headers.cloned().unwrap_or(HeaderValue::from_static("Content-Type"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested_headers);
    response
}

/// The patterns of all paths, sorted.
fn patterns(has_readiness: bool) -> Vec<String> {
    let fixed = TABLE.iter().filter(|row| has_readiness || row.2 != AdminPath::Readiness);
    let mut all: Vec<String> = fixed.map(|row| row.0.to_owned()).collect();
    for entity in entity::kinds() {
        let Some(segment) = entity.endpoint.top else { continue };
        let entity_path = format!("/{segment}/{{{}}}", entity.collection);
        all.push(format!("/{segment}"));
        all.push(entity_path.clone());
        for (child, _) in collections::children(entity) {
            let name = child.endpoint.nested;
            all.push(format!("{entity_path}/{name}"));
            all.push(format!("{entity_path}/{name}/{{{}}}", child.collection));
            if child == &target::ENTITY {
                all.push(format!("{entity_path}/{name}/all"));
            }
        }
        for (field, _) in entity.references().filter(|_| entity.endpoint.has_parents) {
            all.push(format!("{entity_path}/{}", field.name));
        }
    }
    all.sort();
    all.dedup();
    all
}

impl AdminApi {
    /// Lists the patterns of all paths.
    pub(super) fn endpoints(has_readiness: bool) -> Response<Body> {
        reply::json(StatusCode::OK, json!({ "data": patterns(has_readiness) }).to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::{entities::parse_path, split_path},
        *,
    };

    fn is_answered(path: &str) -> bool {
        let segments = split_path(path).unwrap();
        find(&segments, true).is_some() || parse_path(&segments).is_some()
    }

    #[test]
    fn every_path_of_the_list_exists() {
        for pattern in patterns(true) {
            let path = pattern.replace(['{', '}'], "-");
            assert!(is_answered(&path), "{pattern}");
        }
    }

    /// Each word of each pattern is replaced by each that another pattern has in its place, and left out.
    #[test]
    fn every_path_that_exists_is_in_the_list() {
        let all = patterns(true);
        let rows: Vec<Vec<&str>> = all.iter().map(|pattern| split_path(pattern).unwrap()).collect();
        let words = |place: usize| rows.iter().filter_map(|row| row.get(place)).collect::<BTreeSet<_>>();
        let words: Vec<BTreeSet<_>> = (0..5).map(words).collect();
        let check = |row: &[&str]| {
            let path = format!("/{}", row.join("/")).replace(['{', '}'], "-");
            let segments = split_path(&path).unwrap();
            let is_listed = all.iter().any(|pattern| matches(pattern, &segments));
            assert_eq!(is_answered(&path), is_listed, "{path}");
        };
        for row in &rows {
            for (place, words) in words.iter().enumerate().take(row.len()) {
                check(&row[..place]);
                for word in words {
                    check(&[&row[..place], &[*word], &row[place + 1..]].concat());
                }
            }
            check(&[row, &["-"][..]].concat());
        }
    }

    #[test]
    fn the_first_pattern_of_a_path_decides() {
        for (path, expected) in [
            ("/schemas/plugins/validate", Some((AdminPath::Schemas, POST))),
            ("/schemas/vaults/validate", Some((AdminPath::Schemas, POST))),
            ("/schemas/plugins/cors", Some((AdminPath::Schemas, READ))),
            ("/schemas", None),
            ("/status/ready", None),
            ("/cache/a/b", None),
        ] {
            assert_eq!(find(&split_path(path).unwrap(), false), expected, "{path}");
        }
    }
}
