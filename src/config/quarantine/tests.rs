//! Tests of what may hide in an entity with errors.

use super::written::{may_hide_entities, nested_routes};
use crate::{
    document::{Dialect, read},
    entity::DOCUMENT,
    schema::{self, HTTP_PLUGIN_PROTOCOLS, PluginSchemas, PluginSettings},
};

/// A registry of one plugin without settings.
struct OnePlugin;

impl PluginSchemas for OnePlugin {
    fn settings(&self, name: &str) -> Option<PluginSettings> {
        (name == "any").then_some(PluginSettings {
            fields: &[],
            checks: &[],
            protocols: &HTTP_PLUGIN_PROTOCOLS,
        })
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["any"]
    }

    fn is_kongs(&self, _name: &str) -> bool {
        false
    }
}

/// Whether the first entity of a list may hide others, and how many routes are below it.
fn hides(collection: &str, entity: &str) -> (bool, usize) {
    let text = format!("{{_format_version: \"3.0\", {collection}: [{entity}]}}");
    let document = read(&text, Dialect::Kong).unwrap().value;
    let checked = schema::check(DOCUMENT, &document, &OnePlugin);
    let item = checked.items.iter().find(|item| item.path.to_string() == format!("{collection}[0]")).unwrap();
    (may_hide_entities(item), nested_routes(item).count())
}

#[test]
fn unknown_keys_hide_entities_unless_they_are_near_to_another_field() {
    for (collection, entity, expected) in [
        ("services", "{name: s, host: h}", (false, 0)),
        ("services", "{name: s, url: 'http://h', port: -1}", (false, 0)),
        ("services", "{name: s, url: 'http://h', read_timeot: 5}", (false, 0)),
        ("services", "{name: s, host: h, _comment: x, routes: [{paths: [/]}]}", (false, 1)),
        // Near to a list.
        ("services", "{name: s, host: h, plugns: [{name: any}]}", (true, 0)),
        ("services", "{name: s, host: h, rotues: [{paths: [/]}, {hosts: [h]}]}", (true, 2)),
        // Near to a reference.
        ("services", "{name: s, host: h, client_certifcate: x}", (true, 0)),
        ("routes", "{name: r, paths: [/], servise: s}", (true, 0)),
        ("plugins", "{name: any, rout: r}", (true, 0)),
        // Near to nothing.
        ("services", "{name: s, host: h, guarded_by: x}", (true, 0)),
        ("services", "{name: s, host: h, entrances: [{paths: [/]}]}", (true, 1)),
        ("services", "{name: s, host: h, entrances: [{color: red}]}", (true, 0)),
        ("routes", "{name: r, paths: [/], strip_paht: true}", (false, 0)),
        ("consumers", "{username: c, keyauth_credential: [{key: k}]}", (true, 0)),
        ("consumers", "{username: c, custom_idd: x}", (false, 0)),
    ] {
        assert_eq!(hides(collection, entity), expected, "{collection}: {entity}");
    }
}
