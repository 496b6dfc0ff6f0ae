//! Routes and recorded cases for the tests of this module.

use std::net::SocketAddr;

use http::HeaderMap;
use serde_json::Value;

use super::RouterRequest;
use crate::document::NodePath;
use crate::entity::{PathHandling, Route, StreamEndpoint, entity_id};
use crate::ip_network::IpNetwork;
use crate::uri::Scheme;

/// Reads a section of the recorded cases.
pub(super) fn recorded(section: &str) -> Vec<Value> {
    let cases: Value =
        serde_json::from_str(include_str!("../../tests/kong-cases/router-rules.json")).unwrap();
    cases[section].as_array().unwrap().clone()
}

/// Creates a route with these fields.
pub(super) fn route(fields: &Value) -> Route {
    let name = fields["name"].as_str().unwrap_or("r");
    let id = fields["id"].as_str().map(|id| id.parse().unwrap());
    let headers = fields["headers"].as_object().into_iter().flatten();
    Route {
        id: id.unwrap_or_else(|| entity_id("routes", name)),
        name: Some(name.to_owned()),
        service: None,
        protocols: texts(&fields["protocols"]),
        methods: texts(&fields["methods"]),
        hosts: texts(&fields["hosts"]),
        paths: texts(&fields["paths"]),
        headers: headers.map(|(name, values)| (name.clone(), texts(values))).collect(),
        snis: texts(&fields["snis"]),
        sources: endpoints(&fields["sources"]),
        destinations: endpoints(&fields["destinations"]),
        expression: fields["expression"].as_str().map(str::to_owned),
        priority: fields["priority"].as_u64().unwrap_or(0),
        https_redirect_status_code: 426,
        regex_priority: fields["regex_priority"].as_i64().unwrap_or(0),
        strip_path: fields["strip_path"] != false,
        path_handling: PathHandling::V0,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        created_at: fields["created_at"].as_i64(),
        record: crate::document::Value::Null,
        at: NodePath::root().key("routes").key(name),
    }
}

/// A plain GET request for a path, to port 8000.
pub(super) fn get<'a>(path: &'a str, headers: &'a HeaderMap) -> RouterRequest<'a> {
    RouterRequest {
        method: "GET",
        host: None,
        path: path.as_bytes(),
        query: None,
        headers,
        scheme: Scheme::Http,
        sni: None,
        source: SocketAddr::from(([127, 0, 0, 1], 40000)),
        destination: SocketAddr::from(([127, 0, 0, 1], 8000)),
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn endpoints(list: &Value) -> Vec<StreamEndpoint> {
    let items = list.as_array().into_iter().flatten();
    items
        .map(|item| StreamEndpoint {
            ip: item["ip"].as_str().and_then(IpNetwork::parse),
            port: item["port"].as_u64().map(|port| u16::try_from(port).unwrap()),
        })
        .collect()
}
