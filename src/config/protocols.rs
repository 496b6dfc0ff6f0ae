//! Replacement of protocols in files: `ws` and `wss` of Kong's Enterprise gateway by `http` and `https`, which carry
//! WebSocket (Kong docs: "Proxying", WebSocket); and removal of the protocols of streams from plugins that Kong has for HTTP
//! only, where they would do nothing.

use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
    entity::{consumer, plugin, route, service},
    schema::{EntitySchema, Field, PROTOCOL_NAMES, PluginSchemas},
};

/// The protocols of WebSocket, and their replacements.
const REPLACEMENTS: [(&str, &str); 2] = [("ws", "http"), ("wss", "https")];

/// The kinds of entities that name protocols, or contain such entities.
const KINDS: [&EntitySchema; 4] = [&service::ENTITY, &route::ENTITY, &plugin::ENTITY, &consumer::ENTITY];

/// The document without `ws` and `wss`, and without protocols of streams at plugins that have none. There is a warning about
/// each Service and Route with the former, as it now takes other requests, too, and about each plugin with the latter.
pub(super) fn replace_protocols(
    document: Value,
    plugins: &dyn PluginSchemas,
    diagnostics: &mut Vec<Diagnostic>,
) -> Value {
    let replaced = document
        .as_mapping()
        .and_then(|top| ProtocolReplacer { plugins, diagnostics }.replace_in(top, &NodePath::root()));
    replaced.map_or(document, Value::from)
}

struct ProtocolReplacer<'a> {
    plugins: &'a dyn PluginSchemas,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl ProtocolReplacer<'_> {
    /// The record with every entity below it changed; `None` if nothing changes.
    fn replace_in(&mut self, record: &Mapping, at: &NodePath) -> Option<Mapping> {
        let mut changed: Option<Mapping> = None;
        for kind in KINDS {
            let Some(Value::Sequence(items)) = record.get(kind.collection) else { continue };
            let at = at.key(kind.collection);
            let mut replacements = Vec::new();
            for (n, item) in items.iter().enumerate() {
                let record = item.as_mapping();
                let replaced = record.and_then(|record| self.replace_in_entity(record, kind, &at.index(n)));
                replacements.extend(replaced.map(|replaced| (n, replaced)));
            }
            if !replacements.is_empty() {
                let mut items = items.to_vec();
                for (n, replaced) in replacements {
                    items[n] = replaced.into();
                }
                changed.get_or_insert_with(|| record.clone()).insert(kind.collection, items);
            }
        }
        changed
    }

    fn replace_in_entity(&mut self, given: &Mapping, kind: &EntitySchema, at: &NodePath) -> Option<Mapping> {
        let mut record = self.replace_in(given, at);
        let replaced = if kind == &service::ENTITY {
            protocol_of_service(given)
        } else if kind == &route::ENTITY {
            protocols(given, &route::PROTOCOLS)
        } else if kind == &plugin::ENTITY {
            protocols(given, &plugin::PROTOCOLS)
        } else {
            None
        };
        if let Some((key, value)) = replaced {
            if kind != &plugin::ENTITY {
                let note =
                    "`ws` and `wss` are read as `http` and `https`, which carry WebSocket and all else";
                self.diagnostics.push(Diagnostic::warning(at.key(key), note));
            }
            record.get_or_insert_with(|| given.clone()).insert(key, value);
        }
        if kind == &plugin::ENTITY
            && let Some(left) = self.without_streams(record.as_ref().unwrap_or(given), at)
        {
            record.get_or_insert_with(|| given.clone()).insert(plugin::PROTOCOLS.name, left);
        }
        record
    }

    /// The protocols of a plugin without those of streams, if Kong has the plugin for HTTP only.
    fn without_streams(&mut self, given: &Mapping, at: &NodePath) -> Option<Value> {
        let name = given.get(plugin::NAME.name).and_then(Value::as_str)?;
        let settings = self.plugins.settings(name)?;
        let items = given.get(plugin::PROTOCOLS.name).map(Value::items).unwrap_or_default();
        let is_left = |item: &&Value| {
            item.as_str().is_none_or(|text| !PROTOCOL_NAMES.contains(&text) || settings.allows_protocol(text))
        };
        let left: Vec<Value> = items.iter().filter(is_left).cloned().collect();
        if left.len() == items.len() {
            return None;
        }
        let removed = items.iter().filter(|item| !is_left(item)).filter_map(Value::as_str);
        let message = format!(
            "{name} is for HTTP only: it has no effect on {}",
            removed.collect::<Vec<_>>().join(", ")
        );
        self.diagnostics.push(Diagnostic::warning(at.key(plugin::PROTOCOLS.name), message));
        Some(left.into())
    }
}

/// The replacement of the protocol of a Service, or of its `url`.
fn protocol_of_service(given: &Mapping) -> Option<(&'static str, Value)> {
    let url_key = service::URL.name;
    let url = given.get(url_key).and_then(Value::as_str).and_then(|url| url.split_once("://"));
    if let Some((scheme, rest)) = url {
        return replacement(scheme).map(|scheme| (url_key, format!("{scheme}://{rest}").into()));
    }
    let protocol = given.get(service::PROTOCOL.name).and_then(Value::as_str)?;
    replacement(protocol).map(|protocol| (service::PROTOCOL.name, protocol.into()))
}

/// The replacement of a list of protocols, without new duplicates.
fn protocols(given: &Mapping, field: &Field) -> Option<(&'static str, Value)> {
    let items = given.get(field.name).map(Value::items).unwrap_or_default();
    let replaced = |item: &Value| item.as_str().and_then(replacement);
    if !items.iter().any(|item| replaced(item).is_some()) {
        return None;
    }
    let mut all: Vec<Value> = Vec::with_capacity(items.len());
    for item in items {
        match replaced(item).map(Value::from) {
            Some(protocol) if items.contains(&protocol) || all.contains(&protocol) => {}
            Some(protocol) => all.push(protocol),
            None => all.push(item.clone()),
        }
    }
    Some((field.name, all.into()))
}

fn replacement(protocol: &str) -> Option<&'static str> {
    REPLACEMENTS.iter().find(|(name, _)| *name == protocol).map(|(_, replacement)| *replacement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{Dialect, read},
        schema::{HTTP_PLUGIN_PROTOCOLS, PLUGIN_PROTOCOLS, PluginSettings},
    };

    /// A registry of `web`, a plugin for HTTP, and of `any`, one for streams, too.
    struct TwoPlugins;

    impl PluginSchemas for TwoPlugins {
        fn settings(&self, name: &str) -> Option<PluginSettings> {
            let protocols = if name == "web" { &HTTP_PLUGIN_PROTOCOLS } else { &PLUGIN_PROTOCOLS };
            Some(PluginSettings { fields: &[], checks: &[], protocols })
        }

        fn names(&self) -> Vec<&'static str> {
            vec!["any", "web"]
        }

        fn is_kongs(&self, _name: &str) -> bool {
            true
        }
    }

    /// Checks the replacement of a document, and the paths of warnings.
    #[track_caller]
    fn check(given: &str, expected: &str, warned: &[&str]) {
        let document = |text| read(text, Dialect::Kong).unwrap().value;
        let mut warnings = Vec::new();
        assert_eq!(
            replace_protocols(document(given), &TwoPlugins, &mut warnings).to_json(),
            document(expected).to_json()
        );
        let paths: Vec<_> = warnings.iter().map(|warning| warning.path.to_string()).collect();
        assert_eq!(paths, warned, "{given}");
    }

    #[test]
    fn web_socket_protocols_of_services_and_routes_are_replaced_with_a_warning() {
        check("services: [{protocol: ws}]", "services: [{protocol: http}]", &["services[0].protocol"]);
        check("services: [{url: 'wss://a/b'}]", "services: [{url: 'https://a/b'}]", &["services[0].url"]);
        check(
            "services: [{name: a}, {routes: [{protocols: [ws, wss]}]}]",
            "services: [{name: a}, {routes: [{protocols: [http, https]}]}]",
            &["services[1].routes[0].protocols"],
        );
        check(
            "routes: [{protocols: [wss, https]}]",
            "routes: [{protocols: [https]}]",
            &["routes[0].protocols"],
        );
    }

    #[test]
    fn protocols_of_streams_are_removed_from_plugins_of_http_with_a_warning() {
        let all = "http, tcp, tls, tls_passthrough, udp, ws, ftp";
        check(
            &format!("services: [{{plugins: [{{name: web, protocols: [{all}]}}]}}]"),
            "services: [{plugins: [{name: web, protocols: [http, ftp]}]}]",
            &["services[0].plugins[0].protocols"],
        );
        check(
            "plugins: [{name: web, protocols: [tcp]}]",
            "plugins: [{name: web, protocols: []}]",
            &["plugins[0].protocols"],
        );
        check(
            "plugins: [{name: any, protocols: [http, tcp]}]",
            "plugins: [{name: any, protocols: [http, tcp]}]",
            &[],
        );
    }

    #[test]
    fn web_socket_protocols_of_plugins_are_replaced_without_a_warning() {
        let all = "[{protocols: [grpc, http, https, ws, wss]}]";
        for (before, after) in
            [(all, "[{protocols: [grpc, http, https]}]"), ("[{protocols: [ws]}]", "[{protocols: [http]}]")]
        {
            check(&format!("plugins: {before}"), &format!("plugins: {after}"), &[]);
            check(
                &format!("consumers: [{{plugins: {before}}}]"),
                &format!("consumers: [{{plugins: {after}}}]"),
                &[],
            );
        }
    }

    #[test]
    fn values_of_other_kinds_stay() {
        for text in
            ["services: ws", "services: [ws, {protocol: 5, routes: {}}]", "routes: [{protocols: ws}]", "ws"]
        {
            check(text, text, &[]);
        }
    }
}
