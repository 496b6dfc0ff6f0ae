//! `/mynah/apis`: the OpenAPI documents, and what answers for each of their operations. The portal shows them; readers
//! without a token may ask for them (`portal_gui_writes`).

use std::{collections::BTreeSet, sync::Arc};

use http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::{
    super::api_documents::{ApiDocument, ApiSummary, OperationSummary},
    AdminApi,
};
use crate::{
    body::Body,
    document::Value,
    entity::{Entities, PluginEntity, Route},
    proxy::{ExplainRequest, Explanation, Proxy},
    reply,
    snapshot::Snapshot,
};

/// Most operations of all documents whose Route is looked up for one answer.
const MAX_LOOKUPS: usize = 5000;

/// Most characters of a description in the list.
const MAX_DESCRIPTION: usize = 600;

impl AdminApi {
    /// All documents, or the one that the query names by `id`.
    pub(super) fn apis(&self, query: &str) -> Response<Body> {
        match id_of(query) {
            None => self.list_apis(),
            Some(id) => self.with_api(&id, |snapshot, document| {
                let mut lookups = MAX_LOOKUPS;
                let mut api = self.describe_api(snapshot, document, &mut lookups);
                api["description"] = document.summary.description.clone().into();
                api["diagnostics"] = document.summary.diagnostics.clone().into();
                reply::json(StatusCode::OK, api.to_string())
            }),
        }
    }

    /// The text of a document, as JSON.
    pub(super) fn api_document(&self, query: &str) -> Response<Body> {
        let Some(id) = id_of(query) else {
            return reply::message(StatusCode::BAD_REQUEST, "id is missing");
        };
        self.with_api(&id, |_, document| match &document.summary.root {
            Some(root) => reply::json(StatusCode::OK, root.to_json()),
            None => reply::message(StatusCode::UNPROCESSABLE_ENTITY, "this document cannot be read"),
        })
    }

    fn with_api(
        &self,
        id: &str,
        answer: impl FnOnce(&Snapshot, &ApiDocument) -> Response<Body>,
    ) -> Response<Body> {
        let snapshot = self.control.live().current();
        let documents = self.control.api_documents(&snapshot.entities.plugins);
        let document = documents.iter().find(|document| document.id == id);
        document.map_or_else(super::not_found, |document| answer(&snapshot, document))
    }

    fn list_apis(&self) -> Response<Body> {
        let snapshot = self.control.live().current();
        let documents = self.control.api_documents(&snapshot.entities.plugins);
        let mut lookups = MAX_LOOKUPS;
        let all: Vec<Json> =
            documents.iter().map(|document| self.describe_api(&snapshot, document, &mut lookups)).collect();
        reply::json(StatusCode::OK, json!({ "data": all }).to_string())
    }

    /// The state of the configuration for readers: without names of files and texts of errors.
    pub(super) fn api_status(&self) -> Response<Body> {
        let history = self.control.load_history();
        let snapshot = self.control.live().current();
        let text = json!({ "configuration": {
            "generation": snapshot.generation,
            "last_error": history.last_error.is_some().then(|| json!({})),
        } });
        reply::json(StatusCode::OK, text.to_string())
    }

    fn describe_api(&self, snapshot: &Snapshot, document: &ApiDocument, lookups: &mut usize) -> Json {
        let summary = &document.summary;
        let proxy = Proxy::new(self.control.live().clone(), &self.settings);
        let finder = RouteFinder { proxy: &proxy, snapshot, document };
        let base = finder.base_path(lookups);
        let mut routes = BTreeSet::new();
        let mut without_cors = BTreeSet::new();
        let mut hosts = BTreeSet::new();
        let operations: Vec<Json> = summary
            .operations
            .iter()
            .map(|operation| {
                let found = finder.find(operation, &base, lookups);
                let state = found.as_ref().map_or("none", |found| found.state);
                if let Some(found) = found.filter(|found| found.state != "none") {
                    if !found.has_cors {
                        without_cors.insert(found.route.clone());
                    }
                    routes.insert(found.route);
                    hosts.extend(found.host);
                }
                json!({
                    "method": operation.method.as_str(),
                    "path": operation.template,
                    "operation_id": operation.id,
                    "summary": operation.summary,
                    "tag": operation.tag,
                    "state": state,
                })
            })
            .collect();
        let (kind, name) = document.id.split_once('/').unwrap_or_default();
        json!({
            "id": document.id,
            "document": if kind == "file" { name.into() } else { Json::Null },
            "title": if summary.title.is_empty() { name } else { &summary.title },
            "version": summary.version,
            "format": summary.format,
            "description": shortened(&summary.description),
            "errors": summary.errors,
            "warnings": summary.warnings,
            "diagnostics": summary.diagnostics.iter().take(1).collect::<Vec<_>>(),
            "is_readable": !summary.format.is_empty(),
            "base_path": base,
            "routes": routes,
            "routes_without_cors": without_cors,
            "hosts": hosts,
            "service": finder.service(),
            "operations": operations,
        })
    }
}

/// The parameter `id` of a query.
fn id_of(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "id").map(|(_, id)| id.into_owned())
}

/// The Route of an operation, and what answers there.
struct FoundRoute {
    route: String,
    host: Option<String>,
    /// `mock`, `live`, `quarantined` or `none`.
    state: &'static str,
    has_cors: bool,
}

/// Finds the Routes of the operations of a document.
struct RouteFinder<'a> {
    proxy: &'a Proxy,
    snapshot: &'a Snapshot,
    document: &'a ApiDocument,
}

impl<'a> RouteFinder<'a> {
    fn entities(&self) -> &'a Entities {
        &self.snapshot.entities
    }

    fn summary(&self) -> &'a ApiSummary {
        &self.document.summary
    }

    /// The plugins that answer, or would answer if they were enabled, from the document.
    fn plugins(&self) -> impl Iterator<Item = &'a Arc<PluginEntity>> {
        let (kind, name) = self.document.id.split_once('/').unwrap_or_default();
        self.entities().plugins.iter().filter(move |plugin| {
            let file = plugin.config.get("api_specification_filename").and_then(Value::as_str);
            let is_inline = kind == "plugin" && plugin.id.to_string() == name;
            plugin.name == "mocking"
                && (is_inline || kind == "file" && file.is_some_and(|file| is_same_file(file, name)))
        })
    }

    /// The path below which the operations are served.
    fn base_path(&self, lookups: &mut usize) -> String {
        let has_base = |plugin: &PluginEntity| {
            plugin.config.get("include_base_path").and_then(Value::as_bool) == Some(true)
        };
        let of_document = || self.summary().base_paths.first().cloned().unwrap_or_default();
        if let Some(plugin) = self.plugins().next() {
            let custom = plugin.config.get("custom_base_path").and_then(Value::as_str);
            return if has_base(plugin) {
                custom.map_or_else(of_document, str::to_owned)
            } else {
                String::new()
            };
        }
        // Without a mock, the path of a server in the document is as likely as none.
        let base = of_document();
        let is_served = |base: &str, lookups: &mut usize| {
            let mut operations = self.summary().operations.iter().take(3);
            operations.any(|operation| {
                self.find(operation, base, lookups).is_some_and(|found| found.state != "none")
            })
        };
        if base.is_empty() || is_served("", lookups) && !is_served(&base, lookups) {
            String::new()
        } else {
            base
        }
    }

    /// The Service behind the document: that of the plugin's scope.
    fn service(&self) -> Option<String> {
        let entities = self.entities();
        let service = self.plugins().find_map(|plugin| {
            let route = plugin.scope.route.and_then(|route| entities.routes.get(route.0));
            plugin.scope.service.or_else(|| route?.service)
        })?;
        let service = entities.services.get(service.0)?;
        Some(service.name.clone().unwrap_or_else(|| service.id.to_string()))
    }

    /// The Route of an operation; none if too many were looked up.
    fn find(&self, operation: &OperationSummary, base: &str, lookups: &mut usize) -> Option<FoundRoute> {
        let hosts = self.plugins().filter_map(|plugin| self.entities().routes.get(plugin.scope.route?.0));
        let hosts = hosts.flat_map(|route| route.hosts.iter()).filter(|host| !host.contains('*')).take(4);
        let path = format!("{base}{}", example_path(&operation.template));
        for host in std::iter::once(None).chain(hosts.map(Some)) {
            *lookups = lookups.checked_sub(1)?;
            let url = host.map_or_else(|| path.clone(), |host| format!("http://{host}{path}"));
            let request = ExplainRequest::new(operation.method.as_str(), &url, std::iter::empty()).ok()?;
            let explanation = self.proxy.explain(self.snapshot, request);
            let state = self.state(&explanation, operation);
            if state == "none" && explanation.routes.is_empty() {
                continue;
            }
            return Some(FoundRoute {
                route: explanation.routes.first().map(|route| route.name.clone()).unwrap_or_default(),
                host: host.cloned(),
                state,
                has_cors: explanation.plugins.iter().any(|plugin| plugin.name == "cors"),
            });
        }
        None
    }

    /// What answers a request with this explanation, as far as it is the API of the document.
    fn state(&self, explanation: &Explanation, operation: &OperationSummary) -> &'static str {
        let Some(winner) = explanation.routes.first() else { return "none" };
        let routes = &self.entities().routes;
        let is_winner = |route: &Arc<Route>| {
            route.name.as_deref() == Some(&winner.name) || route.id.to_string() == winner.name
        };
        let Some(index) = routes.iter().position(is_winner) else { return "none" };
        if explanation.answer.as_ref().is_some_and(|answer| answer.plugin.is_none() && answer.status == 503) {
            // Without a Service, 503 says that nothing answers yet.
            let has_service = routes.get(index).is_some_and(|route| route.service.is_some());
            return if has_service { "quarantined" } else { "none" };
        }
        let reaches = |plugin: &&Arc<PluginEntity>| {
            let scope = &plugin.scope;
            scope.route.is_none_or(|route| route.0 == index)
                && scope.service.is_none_or(|service| {
                    routes.get(index).is_some_and(|route| route.service == Some(service))
                })
        };
        let is_mocked = explanation.plugins.iter().any(|plugin| plugin.name == "mocking");
        let own: Vec<_> = self.plugins().filter(reaches).collect();
        let has_own = !own.is_empty();
        match is_mocked {
            true if own.iter().any(|plugin| plugin.enabled) && operation.is_live => "live",
            true if own.iter().any(|plugin| plugin.enabled) => "mock",
            false if has_own => "live",
            // A Route of another document, or one that takes everything, says nothing of this one.
            false if winner.matched.as_deref().is_some_and(|matched| matched.len() > 1) => "live",
            _ => "none",
        }
    }
}

/// Whether two names in the folder of specs are the same file.
pub(super) fn is_same_file(one: &str, other: &str) -> bool {
    let normal = |name: &str| {
        let mut parts: Vec<String> = Vec::new();
        for part in name.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part.to_owned()),
            }
        }
        parts
    };
    normal(one) == normal(other)
}

/// A path of a template, with a value for each parameter.
pub(super) fn example_path(template: &str) -> String {
    let mut path = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push('1');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    path.push_str(rest);
    path.chars().filter(char::is_ascii_graphic).collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_DESCRIPTION) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_value_for_each_parameter() {
        for (template, expected) in [
            ("/stock/{id}/x", "/stock/1/x"),
            ("/a/{b}{c}", "/a/11"),
            ("/plain", "/plain"),
            ("/open/{", "/open/1"),
        ] {
            assert_eq!(example_path(template), expected);
        }
    }

    #[test]
    fn names_of_files_are_compared_by_their_parts() {
        for (one, other, expected) in
            [("a.yaml", "./a.yaml", true), ("b/../a.yaml", "a.yaml", true), ("b/a.yaml", "a.yaml", false)]
        {
            assert_eq!(is_same_file(one, other), expected, "{one} {other}");
        }
    }
}
