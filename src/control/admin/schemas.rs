//! `/schemas`: what entities and plugins may say, in Kong's notation of its own schemas; forms are drawn from it.
//! (Kong: Admin API, "Retrieve Entity Schema" and "Validate a configuration against a schema".)

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{
    AdminApi, collections, constraints::resolve, input::RequestInput, not_found, plan::ConfigView,
    record_check::checked, refusal::AdminRefusal, server_names,
};
use crate::{
    body::Body,
    document::{Mapping, Value},
    plugin::{self, BundledPlugins, EnabledPlugins},
    reply,
    schema::{
        EntityFault, EntitySchema, Field, FieldCondition, FieldKind, FieldRequirement, FieldRule,
        PluginSchemas,
    },
    settings::RouterFlavor,
};

impl AdminApi {
    /// What the rest of a path below `/schemas` names; none if nothing.
    pub(super) async fn schemas(self: &Arc<Self>, names: &[&str], request: Request<Body>) -> Response<Body> {
        let plugins = self.plugins();
        let reads = request.method() != Method::POST;
        match names {
            [name, "validate"] if !reads => {
                self.validate(name, request).await.unwrap_or_else(AdminRefusal::answer)
            }
            ["plugins", name] if reads => plugin_schema(name, &plugins),
            // The only vault that Kong's open-source gateway has.
            ["vaults", "env"] if reads => vault_schema(),
            ["vaults", name] if reads => none("vault", name),
            [name] if reads => match collections::entity(name) {
                Some(entity) => reply::json(StatusCode::OK, described(entity).to_string()),
                None => none("entity", name),
            },
            _ => not_found(),
        }
    }

    pub(super) fn plugins(&self) -> BundledPlugins {
        let enabled = EnabledPlugins::only(|name| self.settings.plugins.allows(name));
        BundledPlugins { expressions: self.settings.router_flavor == RouterFlavor::Expressions, enabled }
    }

    /// The older form: only what `config` may say.
    pub(super) fn settings_schema(&self, name: &str) -> Response<Body> {
        match self.plugins().settings(name) {
            Some(settings) => {
                reply::json(StatusCode::OK, json!({ "fields": list(settings.fields, false) }).to_string())
            }
            None => reply::message(StatusCode::NOT_FOUND, &format!("No plugin named '{name}'")),
        }
    }

    async fn validate(
        self: &Arc<Self>,
        name: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let Some(entity) = collections::entity(name) else { return Ok(none("entity", name)) };
        let (head, body) = request.into_parts();
        let (input, _room) = self.input(head.headers, body).await?;
        self.beside(move |admin| admin.validated(entity, &input)).await.and_then(|it| it)
    }

    fn validated(
        &self,
        entity: &'static EntitySchema,
        input: &RequestInput,
    ) -> Result<Response<Body>, AdminRefusal> {
        let plugins = self.plugins();
        let mut given = input.record(entity, &plugins, None);
        given.remove("updated_at");
        let names = server_names::taken_from(entity, &mut given);
        let snapshot = self.control.live().current();
        let document = Value::Null;
        let current = ConfigView { entities: &snapshot.entities, document: &document, plugins: &plugins };
        resolve(&current, entity, &mut given)?;
        server_names::beside(names, checked(entity, &given, &plugins, self.control.checker()))?;
        Ok(reply::message(StatusCode::OK, "schema validation successful"))
    }
}

fn none(kind: &str, name: &str) -> Response<Body> {
    reply::message(StatusCode::NOT_FOUND, &format!("No {kind} named '{name}'"))
}

/// What a vault of environment variables may say.
fn vault_schema() -> Response<Body> {
    let Some(entity) = collections::entity("vaults") else { return none("vault", "env") };
    let mut schema = described(entity);
    schema["name"] = "env".into();
    reply::json(StatusCode::OK, schema.to_string())
}

/// As Kong tells it of a plugin: whose requests it sees, of which protocols, and its settings.
fn plugin_schema(name: &str, plugins: &dyn PluginSchemas) -> Response<Body> {
    let Some((settings, entity)) = plugins.settings(name).zip(collections::entity("plugins")) else {
        return none("plugin", name);
    };
    let per_consumer = plugin::find(name).is_none_or(|def| def.per_consumer);
    let mut fields = Vec::new();
    for field in entity.fields {
        let mut told = facts(field, true);
        match field.name {
            "consumer" if !per_consumer => drop(told.insert("eq".into(), Json::Null)),
            "protocols" => (),
            "config" => {
                told.insert("required".into(), true.into());
                told.insert("fields".into(), list(settings.fields, false));
            }
            _ => continue,
        }
        fields.push(named(field.name, told));
    }
    let checks = needed(settings.checks, "config.");
    reply::json(StatusCode::OK, json!({ "fields": fields, "entity_checks": checks }).to_string())
}

fn described(entity: &EntitySchema) -> Json {
    let shown =
        entity.fields.iter().filter(|it| !matches!(it.kind, FieldKind::Entities(..) | FieldKind::Unused));
    let mut fields: Vec<Json> = shown
        .map(|field| {
            let mut facts = facts(field, true);
            if collections::unique_fields(entity).any(|it| it == field.name) {
                facts.insert("unique".into(), true.into());
            }
            if entity.collection == "certificates"
                && matches!(field.kind, FieldKind::String | FieldKind::Secret)
            {
                facts.insert("referenceable".into(), true.into());
            }
            match field.name {
                "id" => drop(facts.insert("auto".into(), true.into())),
                "created_at" | "updated_at" => {
                    facts.insert("auto".into(), true.into());
                    facts.insert("timestamp".into(), true.into());
                }
                _ => (),
            }
            named(field.name, facts)
        })
        .collect();
    if entity.collection == "certificates" {
        fields.push(json!({ "snis": { "type": "set", "elements": { "type": "string", "len_min": 1 } } }));
    }
    let mut checks: Vec<Json> = entity.conditions.iter().map(conditional).collect();
    checks.extend(needed(entity.checks, ""));
    json!({ "fields": fields, "entity_checks": checks })
}

/// A condition in Kong's notation.
fn conditional(condition: &FieldCondition) -> Json {
    let given = if condition.unless { "not_one_of" } else { "one_of" };
    let must = match condition.must {
        FieldRequirement::BeThere => json!({ "required": true }),
        FieldRequirement::BeNull => json!({ "eq": null }),
        FieldRequirement::BeOneOf(values) => json!({ "one_of": values }),
    };
    json!({ "conditional": {
        "if_field": condition.given,
        "if_match": { given: condition.values },
        "then_field": condition.field,
        "then_match": must,
    } })
}

/// The fields that must not all be missing, in Kong's notation: what the checks say where there is nothing.
fn needed(checks: &[fn(&Value) -> Option<EntityFault>], below: &str) -> Vec<Json> {
    let nothing = Value::from(Mapping::default());
    let one = |check: &fn(&Value) -> Option<EntityFault>| {
        let message = check(&nothing)?.message;
        let (kind, names) = message.split_once(" of these fields must be non-empty: ")?;
        let kind = if kind == "exactly one" { "only_one_of" } else { "at_least_one_of" };
        let name = |name: &str| format!("{below}{}", name.trim_matches('\'').trim_start_matches("config."));
        Some(json!({ kind: names.split(", ").map(name).collect::<Vec<_>>() }))
    };
    checks.iter().filter_map(one).collect()
}

fn named(name: &str, facts: Map<String, Json>) -> Json {
    Json::Object([(name.to_owned(), Json::Object(facts))].into_iter().collect())
}

fn list(fields: &'static [Field], of_entity: bool) -> Json {
    fields.iter().map(|field| named(field.name, facts(field, of_entity))).collect()
}

/// What a row says, in Kong's words. That a text must not be empty is told of entities, not of settings.
fn facts(field: &Field, of_entity: bool) -> Map<String, Json> {
    let mut facts = Map::new();
    let kind = if matches!(field.kind, FieldKind::Any) { "json" } else { field.kind.name() };
    facts.insert("type".into(), kind.into());
    if field.required {
        facts.insert("required".into(), true.into());
    }
    if field.referenceable {
        facts.insert("referenceable".into(), true.into());
    }
    if let Some(default) = field.default.and_then(|json| serde_json::from_str(json).ok()) {
        facts.insert("default".into(), default);
    }
    if of_entity && matches!(field.kind, FieldKind::String | FieldKind::Secret | FieldKind::Uuid) {
        facts.insert("len_min".into(), 1.into());
    }
    match field.kind {
        FieldKind::Text => drop(facts.insert("len_min".into(), 0.into())),
        FieldKind::Secret => drop(facts.insert("encrypted".into(), true.into())),
        FieldKind::Uuid => drop(facts.insert("uuid".into(), true.into())),
        FieldKind::Array(item) | FieldKind::Set(item) => {
            facts.insert("elements".into(), Json::Object(self::facts(item, of_entity)));
        }
        FieldKind::Map(item) => {
            facts.insert("keys".into(), json!({ "type": "string" }));
            facts.insert("values".into(), Json::Object(self::facts(item, of_entity)));
        }
        FieldKind::Record(fields) => {
            facts.insert("required".into(), true.into());
            facts.insert("fields".into(), list(fields, of_entity));
        }
        FieldKind::Foreign(to) => drop(facts.insert("reference".into(), to.into())),
        _ => (),
    }
    for rule in field.rules {
        match rule {
            FieldRule::OneOf(all) => drop(facts.insert("one_of".into(), json!(all))),
            FieldRule::OneOfNumbers(all) => drop(facts.insert("one_of".into(), json!(all))),
            FieldRule::Between(low, high) => {
                facts.insert("between".into(), json!([number(*low), number(*high)]));
            }
            FieldRule::NotEmpty => drop(facts.insert("len_min".into(), 1.into())),
            FieldRule::Holds(_) | FieldRule::Across(_) => (),
        }
    }
    facts
}

/// A whole number without a fraction.
fn number(number: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "in range and whole: the test before says so")]
    let whole = (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64);
    whole.map_or_else(|| json!(number), Json::from)
}
