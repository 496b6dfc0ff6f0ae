//! The judge: the crate `jsonschema`, which had no part in making what it judges. Documents of every edition are
//! rewritten as JSON Schema 2020-12 for it.

#![allow(clippy::unwrap_used, dead_code, reason = "every test that uses this uses a part of it")]

use std::{fs, path::Path};

use jsonschema::{Registry, Resource};
use mynah::{
    document::{Dialect, Value, read},
    openapi::SpecVersion,
};
use serde_json::{Value as Json, json};

/// The name of a document that stands alone.
pub(crate) const ALONE: &str = "urn:document";

/// Documents as the judge wants them: JSON Schema 2020-12 throughout.
pub(crate) struct Judge {
    registry: Registry<'static>,
    version: SpecVersion,
}

impl Judge {
    /// A judge for one document.
    pub(crate) fn new(document: &Value, version: SpecVersion) -> Self {
        Self::of_files(&[(ALONE.to_owned(), document.clone())], version)
    }

    /// A judge for a document and its files, by their URIs.
    pub(crate) fn of_files(files: &[(String, Value)], version: SpecVersion) -> Self {
        let resources = files.iter().map(|(uri, document)| {
            let mut json = Json::from(document);
            modernize(&mut json, version, false);
            (uri.as_str(), Resource::from_contents(json))
        });
        let registry = resources.fold(Registry::new(), |all, (uri, it)| all.add(uri, it).unwrap());
        Self { registry: registry.prepare().unwrap(), version }
    }

    /// What is wrong with the value, by the schema at the JSON pointer of a document that stands alone.
    pub(crate) fn errors(&self, pointer: &str, value: &Value) -> Result<Vec<String>, String> {
        let pointer: String = pointer
            .bytes()
            .map(|it| {
                if it.is_ascii_alphanumeric() || b"/~-_.".contains(&it) {
                    char::from(it).to_string()
                } else {
                    format!("%{it:02X}")
                }
            })
            .collect();
        self.judged(&json!({"$ref": format!("{ALONE}#{pointer}")}), &Json::from(value))
    }

    /// What is wrong with the value, by a schema that stands in the document with this URI.
    pub(crate) fn errors_by(&self, schema: &Value, uri: &str, value: &Json) -> Result<Vec<String>, String> {
        let mut schema = Json::from(schema);
        modernize(&mut schema, self.version, false);
        settle(&mut schema, uri, false);
        self.judged(&schema, value)
    }

    fn judged(&self, schema: &Json, value: &Json) -> Result<Vec<String>, String> {
        let judge = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .with_registry(&self.registry)
            .build(schema)
            .map_err(|it| it.to_string())?;
        Ok(judge.iter_errors(value).map(|it| format!("{}: {it}", it.instance_path())).collect())
    }
}

/// Makes every reference of a schema absolute, so that it can be taken out of its document.
fn settle(json: &mut Json, uri: &str, names: bool) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|it| settle(it, uri, false)),
        Json::Object(members) => {
            for (key, it) in members.iter_mut() {
                match it {
                    Json::String(text) if key == "$ref" && !names => {
                        *text = match text.strip_prefix('#') {
                            Some(fragment) => format!("{uri}#{fragment}"),
                            None => format!("{}/{text}", uri.rsplit_once('/').unwrap().0),
                        };
                    }
                    _ => settle(it, uri, !names && NAMED.contains(&key.as_str())),
                }
            }
        }
        _ => (),
    }
}

/// Keywords under which the keys are names.
const NAMED: [&str; 10] = [
    "properties",
    "patternProperties",
    "dependentSchemas",
    "definitions",
    "schemas",
    "$defs",
    "responses",
    "headers",
    "content",
    "paths",
];

/// Rewrites what older editions say in their own words.
///
/// `names` says that the keys here are names rather than keywords.
fn modernize(json: &mut Json, version: SpecVersion, names: bool) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|it| modernize(it, version, false)),
        Json::Object(members) if names => members.values_mut().for_each(|it| modernize(it, version, false)),
        Json::Object(members) => {
            // Examples are no schemas, and may hold anything.
            for word in ["example", "examples", "default", "$id", "id", "$schema"] {
                members.remove(word);
            }
            if version != SpecVersion::OpenApi31 {
                if members.get("$ref").is_some_and(Json::is_string) {
                    members.retain(|key, _| key == "$ref");
                }
                for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
                    if let Some(Json::Bool(strict)) = members.get(flag).cloned() {
                        members.remove(flag);
                        if let Some(bound) = members.remove(bound).filter(|_| strict) {
                            members.insert(flag.to_owned(), bound);
                        }
                    }
                }
                let nullable =
                    ["nullable", "x-nullable"].iter().any(|it| members.get(*it) == Some(&json!(true)));
                match members.get("type").cloned() {
                    Some(Json::String(kind)) if kind == "file" => {
                        drop(members.insert("type".into(), json!("string")));
                    }
                    Some(Json::String(kind)) if nullable => {
                        drop(members.insert("type".into(), json!([kind, "null"])));
                    }
                    _ => (),
                }
            }
            hide(members);
            for (key, it) in members.iter_mut() {
                modernize(it, version, NAMED.contains(&key.as_str()));
            }
        }
        _ => (),
    }
}

/// Nobody can require in a response what is only ever sent to the server.
fn hide(members: &mut serde_json::Map<String, Json>) {
    let Some(properties) = members.get("properties").and_then(Json::as_object) else { return };
    let hidden: Vec<String> =
        properties.iter().filter(|(_, it)| it["writeOnly"] == true).map(|(key, _)| key.clone()).collect();
    if let Some(Json::Array(required)) = members.get_mut("required") {
        required.retain(|it| !hidden.iter().any(|key| it == key));
    }
}

/// Reads a document, if it is one.
pub(crate) fn load(path: &Path) -> Option<(Value, SpecVersion)> {
    let value = read(&fs::read_to_string(path).ok()?, Dialect::Specification).ok()?.value;
    let version = match (value.get("swagger"), value.get("openapi").and_then(Value::as_str)) {
        (Some(_), _) => SpecVersion::Swagger2,
        (_, Some(text)) if text.starts_with("3.0") => SpecVersion::OpenApi30,
        (_, Some(_)) => SpecVersion::OpenApi31,
        _ => return None,
    };
    Some((value, version))
}
