//! `/schemas`: schemas of entities and plugins in Kong's notation, from which clients build forms. (Kong: Admin API,
//! "Retrieve Entity Schema" and "Validate a configuration against a schema".)

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{
    AdminApi, collections, constraints::resolve_references, input::RequestInput, not_found, plan::ConfigView,
    record_check::check_record, refusal::AdminRefusal, server_names,
};
use crate::{
    body::Body,
    document::{Mapping, Value},
    entity::{CREATED_AT, ID, UPDATED_AT, certificate, plugin as plugin_entity, vault},
    plugin::{self, BundledPlugins, EnabledPlugins},
    reply,
    schema::{
        EntityFault, EntitySchema, Field, FieldCondition, FieldKind, FieldRequirement, FieldRule,
        PluginSchemas,
    },
    settings::RouterFlavor,
};

impl AdminApi {
    /// Answers a path below `/schemas`.
    pub(super) async fn schemas(self: &Arc<Self>, names: &[&str], request: Request<Body>) -> Response<Body> {
        let plugins = self.plugins();
        let is_read = request.method() != Method::POST;
        match names {
            [name, "validate"] if !is_read => {
                self.validate(name, request).await.unwrap_or_else(AdminRefusal::answer)
            }
            ["plugins", name] if is_read => plugin_schema(name, &plugins),
            // The only vault that Kong's open-source gateway has.
            ["vaults", "env"] if is_read => vault_schema(),
            ["vaults", name] if is_read => no_such("vault", name),
            [name] if is_read => match collections::entity(name) {
                Some(entity) => {
                    reply::json(StatusCode::OK, entity_schema(entity, plugins.expressions).to_string())
                }
                None => no_such("entity", name),
            },
            _ => not_found(),
        }
    }

    pub(super) fn plugins(&self) -> BundledPlugins {
        let enabled = EnabledPlugins::only(|name| self.settings.plugins.allows(name));
        BundledPlugins { expressions: self.settings.router_flavor == RouterFlavor::Expressions, enabled }
    }

    /// The older form `/plugins/schema/{name}`: only the schema of `config`.
    pub(super) fn plugin_config_schema(&self, name: &str) -> Response<Body> {
        match self.plugins().settings(name) {
            Some(settings) => reply::json(
                StatusCode::OK,
                json!({ "fields": field_list(settings.fields, false) }).to_string(),
            ),
            None => no_such("plugin", name),
        }
    }

    async fn validate(
        self: &Arc<Self>,
        name: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let Some(entity) = collections::entity(name) else { return Ok(no_such("entity", name)) };
        let (head, body) = request.into_parts();
        let (input, _permit) = self.read_input(head.headers, body).await?;
        self.run_read(move |admin| admin.validate_record(entity, &input)).await.and_then(|result| result)
    }

    fn validate_record(
        &self,
        entity: &'static EntitySchema,
        input: &RequestInput,
    ) -> Result<Response<Body>, AdminRefusal> {
        let plugins = self.plugins();
        let mut given = input.to_record(entity, &plugins, None);
        given.remove("updated_at");
        let names = server_names::take_names(entity, &mut given);
        let snapshot = self.control.live().current();
        let document = Value::Null;
        let current = ConfigView { entities: &snapshot.entities, document: &document, plugins: &plugins };
        resolve_references(&current, entity, &mut given)?;
        server_names::combine(names, check_record(entity, &given, &plugins, self.control.checker()))?;
        Ok(reply::message(StatusCode::OK, "schema validation successful"))
    }
}

fn no_such(kind: &str, name: &str) -> Response<Body> {
    reply::message(StatusCode::NOT_FOUND, &format!("No {kind} named '{name}'"))
}

/// The schema of a vault of environment variables.
fn vault_schema() -> Response<Body> {
    let mut schema = entity_schema(&vault::ENTITY, false);
    schema["name"] = "env".into();
    reply::json(StatusCode::OK, schema.to_string())
}

/// The schema of a plugin, with the fields that Kong includes: scopes, protocols and settings.
fn plugin_schema(name: &str, plugins: &dyn PluginSchemas) -> Response<Body> {
    let Some(settings) = plugins.settings(name) else { return no_such("plugin", name) };
    let per_consumer = plugin::find(name).is_none_or(|def| def.per_consumer);
    let mut fields = Vec::new();
    for field in plugin_entity::ENTITY.fields {
        let is_protocols = field.name == settings.protocols.name;
        let mut attributes = field_attributes(if is_protocols { settings.protocols } else { field }, true);
        if field.name == plugin_entity::CONSUMER.name && !per_consumer {
            attributes.insert("eq".into(), Json::Null);
        } else if field.name == plugin_entity::CONFIG.name {
            attributes.insert("required".into(), true.into());
            attributes.insert("fields".into(), field_list(settings.fields, false));
            let shorthands = shorthand_list(name, settings.fields);
            if !shorthands.is_empty() {
                attributes.insert("shorthand_fields".into(), shorthands.into());
            }
        } else if !is_protocols {
            continue;
        }
        fields.push(named_entry(field.name, attributes));
    }
    let checks = required_groups(settings.checks, "config.");
    reply::json(StatusCode::OK, json!({ "fields": fields, "entity_checks": checks }).to_string())
}

/// The schema of an entity. `expressions` says whether Routes may be expressions.
fn entity_schema(entity: &EntitySchema, expressions: bool) -> Json {
    let visible = entity
        .fields
        .iter()
        .filter(|field| !matches!(field.kind, FieldKind::Entities(..) | FieldKind::Unused))
        .filter(|field| expressions || !field.of_expressions);
    let mut fields: Vec<Json> = visible
        .map(|field| {
            let mut attributes = field_attributes(field, true);
            if entity.unique_in_writes().any(|unique| unique.name == field.name) {
                attributes.insert("unique".into(), true.into());
            }
            if entity == &certificate::ENTITY && matches!(field.kind, FieldKind::String | FieldKind::Secret) {
                attributes.insert("referenceable".into(), true.into());
            }
            let is_time = [CREATED_AT, UPDATED_AT].iter().any(|time| time.name == field.name);
            if is_time || field.name == ID.name {
                attributes.insert("auto".into(), true.into());
            }
            if is_time {
                attributes.insert("timestamp".into(), true.into());
            }
            named_entry(field.name, attributes)
        })
        .collect();
    if entity == &certificate::ENTITY {
        fields.push(json!({ certificate::SNIS.name: { "type": "set", "elements": { "type": "string", "len_min": 1 } } }));
    }
    let mut checks: Vec<Json> = entity.conditions.iter().map(condition_json).collect();
    checks.extend(required_groups(entity.checks, ""));
    json!({ "fields": fields, "entity_checks": checks })
}

/// A condition in Kong's notation.
fn condition_json(condition: &FieldCondition) -> Json {
    let match_kind = if condition.unless { "not_one_of" } else { "one_of" };
    let requirement = match condition.must {
        FieldRequirement::BeThere => json!({ "required": true }),
        FieldRequirement::BeNull => json!({ "eq": null }),
        FieldRequirement::BeOneOf(values) => json!({ "one_of": values }),
    };
    json!({ "conditional": {
        "if_field": condition.given,
        "if_match": { match_kind: condition.values },
        "then_field": condition.field,
        "then_match": requirement,
    } })
}

/// Groups of fields that must not all be missing, in Kong's notation. They are taken from the messages of the checks
/// for an empty record.
fn required_groups(checks: &[fn(&Value) -> Option<EntityFault>], below: &str) -> Vec<Json> {
    let nothing = Value::from(Mapping::default());
    let group = |check: &fn(&Value) -> Option<EntityFault>| {
        let message = check(&nothing)?.message;
        let (kind, names) = message.split_once(" of these fields must be non-empty: ")?;
        let kind = if kind == "exactly one" { "only_one_of" } else { "at_least_one_of" };
        let name = |name: &str| format!("{below}{}", name.trim_matches('\'').trim_start_matches("config."));
        Some(json!({ kind: names.split(", ").map(name).collect::<Vec<_>>() }))
    };
    checks.iter().filter_map(group).collect()
}

fn named_entry(name: &str, attributes: Map<String, Json>) -> Json {
    Json::Object([(name.to_owned(), Json::Object(attributes))].into_iter().collect())
}

fn field_list(fields: &'static [Field], of_entity: bool) -> Json {
    let current = fields.iter().filter(|field| field.alias_of.is_empty());
    current.map(|field| named_entry(field.name, field_attributes(field, of_entity))).collect()
}

/// Older spellings of settings, each with the path of the newer one: decK fills one from the other.
fn shorthand_list(plugin: &str, fields: &'static [Field]) -> Vec<Json> {
    let older = fields.iter().filter(|field| !field.alias_of.is_empty());
    older
        .map(|field| {
            let mut attributes = field_attributes(field, false);
            let newer = field.alias_of.join(".");
            let message =
                format!("{plugin}: config.{} is deprecated, please use config.{newer} instead", field.name);
            attributes.insert(
                "deprecation".into(),
                json!({
                    "message": message,
                    "removal_in_version": "4.0",
                    "replaced_with": [{ "path": field.alias_of }],
                }),
            );
            attributes.insert("translate_backwards".into(), json!(field.alias_of));
            named_entry(field.name, attributes)
        })
        .collect()
}

/// The attributes of a field, in Kong's terms. The minimum length of texts is included for entities, not for plugin
/// settings.
fn field_attributes(field: &Field, of_entity: bool) -> Map<String, Json> {
    let mut attributes = Map::new();
    let kind = if matches!(field.kind, FieldKind::Any) { "json" } else { field.kind.name() };
    attributes.insert("type".into(), kind.into());
    if let Some(description) = field.description {
        attributes.insert("description".into(), description.into());
    }
    if field.required {
        attributes.insert("required".into(), true.into());
    }
    if field.referenceable {
        attributes.insert("referenceable".into(), true.into());
    }
    let default = field.default.and_then(|json| serde_json::from_str(json).ok());
    if let Some(default) = default.filter(|default: &Json| !default.is_null()) {
        attributes.insert("default".into(), default);
    }
    if of_entity && matches!(field.kind, FieldKind::String | FieldKind::Secret | FieldKind::Uuid) {
        attributes.insert("len_min".into(), 1.into());
    }
    match field.kind {
        FieldKind::Text => drop(attributes.insert("len_min".into(), 0.into())),
        FieldKind::Secret => drop(attributes.insert("encrypted".into(), true.into())),
        FieldKind::Uuid => drop(attributes.insert("uuid".into(), true.into())),
        FieldKind::Array(item) | FieldKind::Set(item) => {
            attributes.insert("elements".into(), Json::Object(field_attributes(item, of_entity)));
        }
        FieldKind::Map(item) => {
            attributes.insert("keys".into(), json!({ "type": "string" }));
            attributes.insert("values".into(), Json::Object(field_attributes(item, of_entity)));
        }
        FieldKind::Record(fields) => {
            attributes.insert("required".into(), true.into());
            attributes.insert("fields".into(), field_list(fields, of_entity));
        }
        FieldKind::Foreign(target, _) => {
            attributes.insert("reference".into(), target().collection.into());
        }
        _ => (),
    }
    for rule in field.rules {
        match rule {
            FieldRule::OneOf(all) => drop(attributes.insert("one_of".into(), json!(all))),
            FieldRule::OneOfNumbers(all) => drop(attributes.insert("one_of".into(), json!(all))),
            FieldRule::Between(low, high) => {
                attributes.insert("between".into(), json!([number(*low), number(*high)]));
            }
            FieldRule::Above(bound) => drop(attributes.insert("gt".into(), number(*bound))),
            FieldRule::NotEmpty => drop(attributes.insert("len_min".into(), 1.into())),
            FieldRule::Holds(_) | FieldRule::Across(_) => (),
        }
    }
    attributes
}

/// A number, as an integer if it is whole.
fn number(number: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    let integer = (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64);
    integer.map_or_else(|| json!(number), Json::from)
}
