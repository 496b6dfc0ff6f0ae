//! JSON Schema of the declarative configuration for editors, generated from the fields in `schema`.
//!
//! It is of draft 7, which the language servers of editors support best. Rules that are code (`Holds`, checks across
//! fields) are left to `mynah check`: the schema accepts every valid document, and some that are not.

use serde_json::{Map, Value as Json, json};

use crate::{
    entity::{
        document::{COMMENT, IGNORE},
        plugin, route, service,
    },
    schema::{EntitySchema, Field, FieldKind, FieldRule, PluginSchemas},
};

/// Generates the JSON Schema of documents with these top-level fields.
#[must_use]
pub fn json_schema(fields: &'static [Field], plugins: &dyn PluginSchemas) -> Json {
    let mut generator = SchemaGenerator { plugins, entities: Vec::new() };
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Declarative configuration of an API gateway (Kong's format 3.0)",
    });
    let mut definitions = Map::new();
    if let Json::Object(members) = &mut schema {
        members.extend(generator.record_schema("", fields, &[]));
        if let Some(Json::Object(properties)) = members.get_mut("properties") {
            let keys = DECK_KEYS
                .iter()
                .map(|key| ((*key).to_owned(), json!({ "description": "used by decK only" })));
            properties.extend(keys);
        }
        // A definition can add further entities to the list.
        let mut next = 0;
        while let Some(entity) = generator.entities.get(next).copied() {
            definitions.insert(entity.collection.to_owned(), generator.entity_schema(entity));
            next += 1;
        }
        for name in plugins.names() {
            let Some(settings) = plugins.settings(name) else { continue };
            let mut config = generator.record_schema(name, settings.fields, &[]);
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

/// Top-level keys of files of decK that the gateway does not use.
const DECK_KEYS: &[&str] = &[
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

/// Pattern of a UUID.
const UUID: &str = "^[0-9a-fA-F-]{36}$";

/// Generator of schemas from fields.
struct SchemaGenerator<'a> {
    plugins: &'a dyn PluginSchemas,
    /// The entities that a schema refers to, in the order of their first reference.
    entities: Vec<&'static EntitySchema>,
}

impl SchemaGenerator<'_> {
    fn entity_schema(&mut self, entity: &'static EntitySchema) -> Json {
        // Generated fields are optional, and so is the field that a shorthand replaces.
        let generated = entity.fields.iter().filter(|field| field.is_generated);
        let mut optional: Vec<&str> = generated.map(|field| field.name).collect();
        optional.extend(entity.shorthand.map(|shorthand| shorthand.instead_of.name));
        let mut schema = self.record_schema(entity.collection, entity.fields, &optional);
        if let (Some(shorthand), Some(Json::Object(properties))) =
            (entity.shorthand, schema.get_mut("properties"))
        {
            let description = "shorthand for protocol, host, port and path";
            let url = json!({ "type": ["string", "null"], "format": "uri", "description": description });
            properties.insert(shorthand.name.to_owned(), url);
            let either =
                json!([{ "required": [shorthand.name] }, { "required": [shorthand.instead_of.name] }]);
            schema.insert("anyOf".to_owned(), either);
        }
        if entity.configures_plugins() {
            self.add_plugin_configs(&mut schema);
        }
        schema.into()
    }

    /// Adds the schema of `config` for each plugin name.
    fn add_plugin_configs(&self, schema: &mut Map<String, Json>) {
        let names = self.plugins.names();
        let choices = names.iter().map(|name| {
            let needs_config = self.plugins.settings(name).is_some_and(|settings| {
                settings.fields.iter().any(|field| field.required && field.default.is_none())
            });
            let mut then = json!({
                "properties": { plugin::CONFIG.name: { "$ref": format!("#/definitions/{}", config_name(name)) } },
            });
            if needs_config {
                then["required"] = json!([plugin::CONFIG.name]);
            }
            let key = plugin::NAME.name;
            json!({ "if": { "properties": { key: { "const": name } }, "required": [key] }, "then": then })
        });
        schema.insert("allOf".to_owned(), choices.collect::<Vec<_>>().into());
        if let Some(properties) = schema.get_mut("properties") {
            properties[plugin::NAME.name]["enum"] = names.clone().into();
            properties["_config"] =
                json!({ "type": "string", "description": "used by decK only: the name of shared settings" });
        }
    }

    /// The schema of a mapping with these fields. References to other entities are not required, because nesting can
    /// imply them.
    fn record_schema(
        &mut self,
        owner: &str,
        fields: &'static [Field],
        optional: &[&str],
    ) -> Map<String, Json> {
        let mut properties = Map::new();
        for field in fields {
            let mut schema = self.field_schema(owner, field);
            if let (Some(text), Json::Object(members)) = (field.description, &mut schema) {
                members.insert("description".to_owned(), text.into());
            }
            properties.insert(field.name.to_owned(), schema);
        }
        properties.entry(COMMENT.name).or_insert_with(|| json!({ "type": ["string", "null"] }));
        properties.entry(IGNORE.name).or_insert_with(|| json!({ "type": ["array", "null"] }));
        let is_required = |field: &&Field| {
            field.required
                && field.default.is_none()
                && !matches!(field.kind, FieldKind::Foreign(..) | FieldKind::Record(_) | FieldKind::Config)
                && !optional.contains(&field.name)
        };
        let required: Vec<&str> = fields.iter().filter(is_required).map(|field| field.name).collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("additionalProperties".to_owned(), false.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema
    }

    fn field_schema(&mut self, owner: &str, field: &'static Field) -> Json {
        let mut schema = self.kind_schema(owner, field.kind);
        let Json::Object(members) = &mut schema else { return schema };
        for rule in field.rules {
            add_rule(rule, members);
        }
        if PROTOCOL_OWNERS.iter().any(|entity| entity.collection == owner) {
            allow_web_socket(members);
        }
        allow_variables(field.kind, members);
        if let Some(default) = field.default.and_then(|json| serde_json::from_str(json).ok()) {
            members.insert("default".to_owned(), default);
        }
        // A field with the value null is a missing field.
        if !field.required && !field.name.is_empty() {
            allow_null(members);
        }
        schema
    }

    fn kind_schema(&mut self, owner: &str, kind: FieldKind) -> Json {
        match kind {
            FieldKind::String | FieldKind::Secret => json!({ "type": "string", "minLength": 1 }),
            FieldKind::Text => json!({ "type": "string" }),
            FieldKind::Uuid => json!({ "type": "string", "pattern": UUID }),
            FieldKind::Integer => json!({ "type": "integer" }),
            FieldKind::Number => json!({ "type": "number" }),
            FieldKind::Boolean => json!({ "type": "boolean" }),
            FieldKind::Array(item) | FieldKind::Set(item) => {
                json!({ "type": "array", "items": self.field_schema(owner, item) })
            }
            FieldKind::Map(item) => {
                json!({ "type": "object", "additionalProperties": self.field_schema(owner, item) })
            }
            FieldKind::Record(fields) => self.record_schema(owner, fields, &[]).into(),
            FieldKind::Entities(entity, parent) => self.entities_schema(entity(), parent),
            FieldKind::Foreign(..) => json!({
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

    /// The schema of a list of entities. They have to name their owner, except by the field `parent`, which
    /// nesting implies.
    fn entities_schema(&mut self, entity: &'static EntitySchema, parent: &str) -> Json {
        if !self.entities.contains(&entity) {
            self.entities.push(entity);
        }
        let one = json!({ "$ref": format!("#/definitions/{}", entity.collection) });
        let owners = entity.references().map(|(field, _)| field).filter(|field| field.required);
        let owners: Vec<&str> = owners.filter(|field| field.name != parent).map(|field| field.name).collect();
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
        FieldRule::Above(bound) => drop(schema.insert("exclusiveMinimum".to_owned(), number(*bound))),
        FieldRule::NotEmpty => drop(schema.insert("minItems".to_owned(), 1.into())),
        FieldRule::Holds(_) | FieldRule::Across(_) => (),
    }
}

/// The kinds of entities that name protocols of requests.
const PROTOCOL_OWNERS: [&EntitySchema; 3] = [&service::ENTITY, &route::ENTITY, &plugin::ENTITY];

/// Allows `ws` and `wss` where `http` and `https` are allowed.
fn allow_web_socket(schema: &mut Map<String, Json>) {
    if let Some(Json::Array(all)) = schema.get_mut("enum")
        && all.contains(&json!("http"))
        && all.contains(&json!("https"))
    {
        all.extend([json!("ws"), json!("wss")]);
    }
}

/// Pattern of a string with a variable in place of the value: `${NAME}`, `$NAME`, decK's `${{ env "DECK_NAME" }}`.
const VARIABLE: &str = r"\$(\{|[A-Z_])";

/// Pattern of a variable, or of a boolean of YAML 1.1, which Kong reads; editors read YAML 1.2, in which it is a
/// string.
const BOOLEAN: &str = r"\$(\{|[A-Z_])|^(yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$";

/// Allows a variable in place of a scalar. Keywords for numbers do not apply to strings, nor `pattern` to numbers.
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

/// A bound without decimals if it is an integer.
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
