//! The protocols `ws` and `wss` of Kong's Enterprise gateway. The open-source one refuses them, and carries WebSocket
//! over `http` and `https` alike: in a file they are read as these. (Kong docs: "Proxying", WebSocket.)

use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
};

/// The protocols, and those that they are read as.
const PROTOCOLS: [(&str, &str); 2] = [("ws", "http"), ("wss", "https")];

/// What may name a protocol, or has such things below it.
const COLLECTIONS: [&str; 4] = ["services", "routes", "plugins", "consumers"];

/// The document without `ws` and `wss`. Of Services and Routes it is noted, as they take other requests, too.
pub(super) fn plain(document: Value, diagnostics: &mut Vec<Diagnostic>) -> Value {
    match document.as_mapping() {
        Some(top) => below(top, &NodePath::root(), diagnostics).map_or(document, Value::from),
        None => document,
    }
}

/// The record with every entity below it changed; none if nothing changes.
fn below(record: &Mapping, at: &NodePath, diagnostics: &mut Vec<Diagnostic>) -> Option<Mapping> {
    let mut changed: Option<Mapping> = None;
    for collection in COLLECTIONS {
        let Some(Value::Sequence(items)) = record.get(collection) else { continue };
        let at = at.key(collection);
        let mut news = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let new = item.as_mapping().and_then(|it| entity(it, collection, &at.index(n), diagnostics));
            news.extend(new.map(|new| (n, new)));
        }
        if !news.is_empty() {
            let mut items = items.to_vec();
            for (n, new) in news {
                items[n] = new.into();
            }
            changed.get_or_insert_with(|| record.clone()).insert(collection, items);
        }
    }
    changed
}

fn entity(
    given: &Mapping,
    collection: &str,
    at: &NodePath,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Mapping> {
    let mut record = below(given, at, diagnostics);
    let read = match collection {
        "services" => service(given),
        "routes" | "plugins" => protocols(given),
        _ => None,
    };
    if let Some((key, value)) = read {
        if collection != "plugins" {
            let note = "`ws` and `wss` are read as `http` and `https`, which carry WebSocket and all else";
            diagnostics.push(Diagnostic::warning(at.key(key), note));
        }
        record.get_or_insert_with(|| given.clone()).insert(key, value);
    }
    record
}

/// What the protocol of a Service, or the scheme of its `url`, becomes.
fn service(given: &Mapping) -> Option<(&'static str, Value)> {
    let url = given.get("url").and_then(Value::as_str).and_then(|url| url.split_once("://"));
    if let Some((scheme, rest)) = url {
        return read_as(scheme).map(|it| ("url", format!("{it}://{rest}").into()));
    }
    let protocol = given.get("protocol").and_then(Value::as_str)?;
    read_as(protocol).map(|it| ("protocol", it.into()))
}

/// What the list of protocols becomes; nothing stands in it twice that did not.
fn protocols(given: &Mapping) -> Option<(&'static str, Value)> {
    let items = given.get("protocols").map(Value::items).unwrap_or_default();
    let is_new = |it: &Value| it.as_str().and_then(read_as);
    if !items.iter().any(|it| is_new(it).is_some()) {
        return None;
    }
    let mut all: Vec<Value> = Vec::with_capacity(items.len());
    for item in items {
        match is_new(item).map(Value::from) {
            Some(new) if items.contains(&new) || all.contains(&new) => {}
            Some(new) => all.push(new),
            None => all.push(item.clone()),
        }
    }
    Some(("protocols", all.into()))
}

fn read_as(protocol: &str) -> Option<&'static str> {
    PROTOCOLS.iter().find(|(it, _)| *it == protocol).map(|(_, plain)| *plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    /// Checks what a document becomes, and what is noted of it.
    #[track_caller]
    fn check(given: &str, expected: &str, noted: &[&str]) {
        let document = |text| read(text, Dialect::Kong).unwrap().value;
        let mut complaints = Vec::new();
        assert_eq!(plain(document(given), &mut complaints).to_json(), document(expected).to_json());
        let paths: Vec<_> = complaints.iter().map(|it| it.path.to_string()).collect();
        assert_eq!(paths, noted, "{given}");
    }

    #[test]
    fn web_socket_is_a_manner_of_http() {
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
    fn plugins_see_it_as_what_it_is() {
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
    fn what_is_not_meant_stays() {
        for text in
            ["services: ws", "services: [ws, {protocol: 5, routes: {}}]", "routes: [{protocols: ws}]", "ws"]
        {
            check(text, text, &[]);
        }
    }
}
