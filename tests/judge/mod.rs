//! Test oracle: the crate `jsonschema`, which the sampler and the validator do not use. Documents of every version are
//! rewritten as JSON Schema 2020-12 for it.

#![allow(clippy::unwrap_used, dead_code, reason = "each test binary uses a part of this module")]

use std::{fs, path::Path};

use jsonschema::{Registry, Resource};
use mynah::{
    document::{Dialect, Value, read},
    openapi::SpecVersion,
};
use serde_json::{Value as Json, json};

/// The URI of a document without other files.
pub(crate) const ALONE: &str = "urn:document";

/// Validator of values by the schemas of documents, rewritten as JSON Schema 2020-12.
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
        let registry =
            resources.fold(Registry::new(), |all, (uri, resource)| all.add(uri, resource).unwrap());
        Self { registry: registry.prepare().unwrap(), version }
    }

    /// The errors of a value by the schema at a JSON pointer of a document without other files.
    pub(crate) fn errors(&self, pointer: &str, value: &Value) -> Result<Vec<String>, String> {
        let pointer: String = pointer
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"/~-_.".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        self.validate(&json!({"$ref": format!("{ALONE}#{pointer}")}), &Json::from(value))
    }

    /// The errors of a value by a schema of the document with this URI.
    pub(crate) fn errors_by(&self, schema: &Value, uri: &str, value: &Json) -> Result<Vec<String>, String> {
        let mut schema = Json::from(schema);
        modernize(&mut schema, self.version, false);
        make_references_absolute(&mut schema, uri, false);
        self.validate(&schema, value)
    }

    fn validate(&self, schema: &Json, value: &Json) -> Result<Vec<String>, String> {
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .with_registry(&self.registry)
            .build(schema)
            .map_err(|error| error.to_string())?;
        Ok(validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect())
    }
}

/// Makes every reference of a schema absolute, so that it can be taken out of its document.
fn make_references_absolute(json: &mut Json, uri: &str, names: bool) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| make_references_absolute(item, uri, false)),
        Json::Object(members) => {
            for (key, member) in members.iter_mut() {
                match member {
                    Json::String(text) if key == "$ref" && !names => {
                        *text = match text.strip_prefix('#') {
                            Some(fragment) => format!("{uri}#{fragment}"),
                            None => format!("{}/{text}", uri.rsplit_once('/').unwrap().0),
                        };
                    }
                    _ => make_references_absolute(member, uri, !names && NAMED.contains(&key.as_str())),
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

/// Rewrites keywords of older versions as those of JSON Schema 2020-12.
///
/// `names`: whether the keys are names rather than keywords.
fn modernize(json: &mut Json, version: SpecVersion, names: bool) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| modernize(item, version, false)),
        Json::Object(members) if names => {
            members.values_mut().for_each(|item| modernize(item, version, false));
        }
        Json::Object(members) => {
            // Examples are not schemas and may have any content.
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
                let nullable = ["nullable", "x-nullable"]
                    .iter()
                    .any(|keyword| members.get(*keyword) == Some(&json!(true)));
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
            remove_write_only(members);
            for (key, member) in members.iter_mut() {
                modernize(member, version, NAMED.contains(&key.as_str()));
            }
        }
        _ => (),
    }
}

/// Removes properties with `writeOnly` from `required`, since responses do not have them.
fn remove_write_only(members: &mut serde_json::Map<String, Json>) {
    let Some(properties) = members.get("properties").and_then(Json::as_object) else { return };
    let hidden: Vec<String> = properties
        .iter()
        .filter(|(_, property)| property["writeOnly"] == true)
        .map(|(key, _)| key.clone())
        .collect();
    if let Some(Json::Array(required)) = members.get_mut("required") {
        required.retain(|name| !hidden.iter().any(|key| name == key));
    }
}

/// Reads a document; `None` if the file is not an OpenAPI document.
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
