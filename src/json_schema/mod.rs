//! EDIT: what a document may say, as one JSON Schema for editors; the rows of `schema` in other words.
//!
//! Draft 7, which the language servers of editors understand best. What rows say by code (`Holds`, checks across
//! fields) is left to `mynah check`: the schema accepts every document that can be used, and some that cannot.

mod descriptions;

use serde_json::{Map, Value as Json, json};

use crate::{
    document::Mapping,
    schema::{EntitySchema, Field, FieldKind, FieldRule, PluginSchemas},
};

/// The JSON Schema of documents with these fields at their top.
#[must_use]
pub fn json_schema(fields: &'static [Field], plugins: &dyn PluginSchemas) -> Json {
    let mut describer = SchemaDescriber { plugins, entities: Vec::new() };
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Declarative configuration of an API gateway (Kong's format 3.0)",
    });
    let mut definitions = Map::new();
    if let Json::Object(members) = &mut schema {
        members.extend(describer.record("", fields, &[]));
        if let Some(Json::Object(properties)) = members.get_mut("properties") {
            let words =
                OF_DECK.iter().map(|word| ((*word).to_owned(), json!({ "description": "decK's own" })));
            properties.extend(words);
        }
        // Definitions name further entities while they are written.
        let mut next = 0;
        while let Some(entity) = describer.entities.get(next).copied() {
            definitions.insert(entity.collection.to_owned(), describer.entity(entity));
            next += 1;
        }
        for name in plugins.names() {
            let Some(settings) = plugins.settings(name) else { continue };
            let mut config = describer.record(name, settings.fields, &[]);
            if !config.contains_key("required") {
                config.insert("type".to_owned(), json!(["object", "null"]));
            }
            definitions.insert(config_name(name), config.into());
        }
        members.insert("definitions".to_owned(), definitions.into());
    }
    schema
}

fn config_name(plugin: &str) -> String {
    format!("config-{plugin}")
}

/// The shorthand of a Service, and what need not be there beside it.
const SHORTHAND: (&str, &str, &str) = ("services", "url", "host");

/// What decK's files say besides at their top.
const OF_DECK: &[&str] = &[
    "_info",
    "_plugin_configs",
    "_workspace",
    "_konnect",
    "consumer_groups",
    "partials",
    "custom_entities",
    "service_packages",
    "rbac_roles",
    "licenses",
    "cloned_plugins",
    "custom_plugins",
    "event_hooks",
];

const UUID: &str = "^[0-9a-fA-F-]{36}$";

/// Writes rows as schemas.
struct SchemaDescriber<'a> {
    plugins: &'a dyn PluginSchemas,
    /// The entities that are named so far.
    entities: Vec<&'static EntitySchema>,
}

impl SchemaDescriber<'_> {
    fn entity(&mut self, entity: &'static EntitySchema) -> Json {
        // What the entity makes up for itself nobody has to write.
        let filled = entity.prepare.and_then(|prepare| prepare(&Mapping::default()).ok()).unwrap_or_default();
        let (collection, shorthand, besides) = SHORTHAND;
        let has_shorthand = entity.collection == collection;
        let mut optional: Vec<&str> = filled.keys().collect();
        if has_shorthand {
            optional.push(besides);
        }
        let mut schema = self.record(entity.collection, entity.fields, &optional);
        if let (true, Some(Json::Object(properties))) = (has_shorthand, schema.get_mut("properties")) {
            let description = "stands for protocol, host, port and path at once";
            let url = json!({ "type": ["string", "null"], "format": "uri", "description": description });
            properties.insert(shorthand.to_owned(), url);
            let either = json!([{ "required": [shorthand] }, { "required": [besides] }]);
            schema.insert("anyOf".to_owned(), either);
        }
        if entity.fields.iter().any(|field| matches!(field.kind, FieldKind::Config)) {
            self.plugin(&mut schema);
        }
        schema.into()
    }

    /// Tells the settings of each plugin by its name.
    fn plugin(&self, schema: &mut Map<String, Json>) {
        let names = self.plugins.names();
        let choices = names.iter().map(|name| {
            let needs = self.plugins.settings(name).is_some_and(|settings| {
                settings.fields.iter().any(|field| field.required && field.default.is_none())
            });
            let mut then = json!({
                "properties": { "config": { "$ref": format!("#/definitions/{}", config_name(name)) } },
            });
            if needs {
                then["required"] = json!(["config"]);
            }
            json!({ "if": { "properties": { "name": { "const": name } }, "required": ["name"] }, "then": then })
        });
        schema.insert("allOf".to_owned(), choices.collect::<Vec<_>>().into());
        if let Some(properties) = schema.get_mut("properties") {
            properties["name"]["enum"] = names.clone().into();
            properties["_config"] = json!({ "type": "string", "description": "decK's own: shared settings" });
        }
    }

    /// A mapping with these fields; those of an entity that refer to another may be said by where it stands.
    fn record(&mut self, owner: &str, fields: &'static [Field], optional: &[&str]) -> Map<String, Json> {
        let mut properties = Map::new();
        for field in fields {
            let mut schema = self.field(owner, field);
            let description = field.description.or_else(|| descriptions::of(owner, field.name));
            if let (Some(text), Json::Object(members)) = (description, &mut schema) {
                members.insert("description".to_owned(), text.into());
            }
            properties.insert(field.name.to_owned(), schema);
        }
        properties.entry("_comment").or_insert_with(|| json!({ "type": ["string", "null"] }));
        properties.entry("_ignore").or_insert_with(|| json!({ "type": ["array", "null"] }));
        let must = |field: &&Field| {
            field.required
                && field.default.is_none()
                && !matches!(field.kind, FieldKind::Foreign(_) | FieldKind::Record(_) | FieldKind::Config)
                && !optional.contains(&field.name)
        };
        let required: Vec<&str> = fields.iter().filter(must).map(|field| field.name).collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("additionalProperties".to_owned(), false.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema
    }

    fn field(&mut self, owner: &str, field: &'static Field) -> Json {
        let mut schema = self.kind(owner, field.kind);
        let Json::Object(members) = &mut schema else { return schema };
        for rule in field.rules {
            add_rule(rule, members);
        }
        if matches!(owner, "services" | "routes" | "plugins") {
            allow_web_socket(members);
        }
        allow_variables(field.kind, members);
        if let Some(default) = field.default.and_then(|json| serde_json::from_str(json).ok()) {
            members.insert("default".to_owned(), default);
        }
        // A field without a value is one that is not there.
        if !field.required && !field.name.is_empty() {
            allow_null(members);
        }
        schema
    }

    fn kind(&mut self, owner: &str, kind: FieldKind) -> Json {
        match kind {
            FieldKind::String | FieldKind::Secret => json!({ "type": "string", "minLength": 1 }),
            FieldKind::Text => json!({ "type": "string" }),
            FieldKind::Uuid => json!({ "type": "string", "pattern": UUID }),
            FieldKind::Integer => json!({ "type": "integer" }),
            FieldKind::Number => json!({ "type": "number" }),
            FieldKind::Boolean => json!({ "type": "boolean" }),
            FieldKind::Array(item) | FieldKind::Set(item) => {
                json!({ "type": "array", "items": self.field(owner, item) })
            }
            FieldKind::Map(item) => {
                json!({ "type": "object", "additionalProperties": self.field(owner, item) })
            }
            FieldKind::Record(fields) => self.record(owner, fields, &[]).into(),
            FieldKind::Entities(entity, back) => self.nested(entity(), back),
            FieldKind::Foreign(_) => json!({
                "type": ["string", "object"],
                "properties": { "id": { "type": "string" } },
                "required": ["id"],
                "additionalProperties": false,
            }),
            FieldKind::Config => json!({ "type": "object" }),
            FieldKind::Unused => json!({ "type": "array" }),
            FieldKind::Any => json!({}),
        }
    }

    /// A list of entities; where none stands above them, they have to say what they belong to.
    fn nested(&mut self, entity: &'static EntitySchema, back: &str) -> Json {
        if !self.entities.iter().any(|known| known.collection == entity.collection) {
            self.entities.push(entity);
        }
        let one = json!({ "$ref": format!("#/definitions/{}", entity.collection) });
        let owners = entity
            .fields
            .iter()
            .filter(|field| field.required && matches!(field.kind, FieldKind::Foreign(_)));
        let owners: Vec<&str> = owners.filter(|field| field.name != back).map(|field| field.name).collect();
        if owners.is_empty() {
            return json!({ "type": "array", "items": one });
        }
        json!({ "type": "array", "items": { "allOf": [one, { "required": owners }] } })
    }
}

fn add_rule(rule: &FieldRule, schema: &mut Map<String, Json>) {
    match rule {
        FieldRule::OneOf(all) => drop(schema.insert("enum".to_owned(), json!(all))),
        FieldRule::OneOfNumbers(all) => drop(schema.insert("enum".to_owned(), json!(all))),
        FieldRule::Between(low, high) => {
            for (keyword, bound) in [("minimum", *low), ("maximum", *high)] {
                schema.insert(keyword.to_owned(), number(bound));
            }
        }
        FieldRule::NotEmpty => drop(schema.insert("minItems".to_owned(), 1.into())),
        FieldRule::Holds(_) | FieldRule::Across(_) => (),
    }
}

/// Where `http` and `https` may stand, files may say `ws` and `wss`.
fn allow_web_socket(schema: &mut Map<String, Json>) {
    if let Some(Json::Array(all)) = schema.get_mut("enum")
        && all.contains(&json!("http"))
        && all.contains(&json!("https"))
    {
        all.extend([json!("ws"), json!("wss")]);
    }
}

/// A text that stands for a value: `${NAME}`, `$NAME`, decK's `${{ env "DECK_NAME" }}`.
const VARIABLE: &str = r"\$(\{|[A-Z_])";

/// The same, or what Kong's YAML takes for a boolean; editors read another one, in which it is a text.
const BOOLEAN: &str = r"\$(\{|[A-Z_])|^(yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$";

/// A variable may stand for any scalar. Keywords for numbers do not look at texts, nor `pattern` at numbers.
fn allow_variables(kind: FieldKind, schema: &mut Map<String, Json>) {
    if let Some(all) = schema.remove("enum") {
        schema.remove("type");
        schema
            .insert("anyOf".to_owned(), json!([{ "enum": all }, { "type": "string", "pattern": VARIABLE }]));
        return;
    }
    let (name, pattern) = match kind {
        FieldKind::Integer => ("integer", VARIABLE),
        FieldKind::Number => ("number", VARIABLE),
        FieldKind::Boolean => ("boolean", BOOLEAN),
        FieldKind::Uuid => {
            schema.insert("pattern".to_owned(), format!("{VARIABLE}|{UUID}").into());
            return;
        }
        _ => return,
    };
    schema.insert("type".to_owned(), json!([name, "string"]));
    schema.insert("pattern".to_owned(), pattern.into());
}

/// A bound, as people write it.
fn number(bound: f64) -> Json {
    format!("{bound}").parse().map_or_else(|_| json!(bound), Json::Number)
}

fn allow_null(schema: &mut Map<String, Json>) {
    if let Some(Json::Array(all)) = schema.get_mut("anyOf") {
        all.push(json!({ "type": "null" }));
    }
    match schema.get_mut("type") {
        Some(Json::Array(types)) => types.push("null".into()),
        Some(one) => *one = json!([one.take(), "null"]),
        None => (),
    }
}
