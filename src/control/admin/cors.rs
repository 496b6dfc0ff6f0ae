//! `/mynah/cors`: lets pages of other origins read the answers of a Route, with the fields that tell mocks apart.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use serde_json::{Value as Json, json};

use super::{
    AdminApi, collections,
    entities::{EntityKey, EntityPath},
    input::RequestInput,
    query::Query,
    refusal::AdminRefusal,
};
use crate::{
    body::Body,
    document::{Mapping, Value},
    entity::{Entities, PluginEntity, plugin, route},
    reply,
};

/// Fields of answers that pages show, and that a browser hides from other origins unless they are exposed.
const EXPOSED_HEADERS: &[&str] = &["x-kong-mocking-plugin", "x-mynah-mock", "x-kong-request-id"];

const PLUGIN: &str = "cors";

/// Settings of `cors` for a Route that pages of any origin may use.
pub(super) fn cors_settings() -> Json {
    json!({ "origins": ["*"], "exposed_headers": EXPOSED_HEADERS })
}

impl AdminApi {
    /// Adds `cors` to a Route, or completes the one that applies to it.
    pub(super) async fn add_cors(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let (head, body) = request.into_parts();
        let dry_run = Query::new(head.uri.query().unwrap_or_default()).dry_run()?;
        let (input, _permit) = self.read_input(head.headers, body).await?;
        let route = match &input {
            RequestInput::Json(given) => given.get("route").and_then(Value::as_str).map(str::to_owned),
            RequestInput::Form(pairs) => {
                pairs.iter().find(|(name, _)| name == "route").map(|(_, route)| route.clone())
            }
        };
        let Some(route) = route else {
            return Err(AdminRefusal::field("route", "required field missing: the name or id of a route"));
        };
        let key = EntityKey { entity: &route::ENTITY, text: route };
        let snapshot = self.control.live().current();
        let Some(found) = key.find(&snapshot.entities) else {
            let message = format!("there is no route '{}'", key.text);
            return Err(AdminRefusal::Plain(StatusCode::NOT_FOUND, message));
        };
        let Some(current) = cors_of(&snapshot.entities, found.id()) else {
            let Some((entity, field)) = collections::child(&route::ENTITY, "plugins") else {
                return Err(AdminRefusal::not_found());
            };
            let given = mapping(&json!({ "name": PLUGIN, "config": cors_settings() }));
            let path = EntityPath::Children(key, entity, field);
            return self.write(path, Method::POST, RequestInput::Json(given), dry_run).await;
        };
        let exposed = current.config.get("exposed_headers").map(Value::items).unwrap_or_default();
        let mut exposed: Vec<&str> = exposed.iter().filter_map(Value::as_str).collect();
        let before = exposed.len();
        for name in EXPOSED_HEADERS {
            if !exposed.iter().any(|other| *other == "*" || other.eq_ignore_ascii_case(name)) {
                exposed.push(name);
            }
        }
        if exposed.len() == before && current.enabled {
            return Ok(reply::json(StatusCode::OK, current.record.to_json()));
        }
        let given = mapping(&json!({ "enabled": true, "config": { "exposed_headers": exposed } }));
        let key = EntityKey { entity: &plugin::ENTITY, text: current.id.to_string() };
        self.write(EntityPath::Entity(key), Method::PATCH, RequestInput::Json(given), dry_run).await
    }
}

/// The plugin `cors` of a Route, else of its Service, else of all Routes. One that is off counts only on the Route itself, where
/// there cannot be another.
fn cors_of<'a>(entities: &'a Entities, id: &str) -> Option<&'a Arc<PluginEntity>> {
    let index = entities.routes.iter().position(|route| route.id.to_string() == id)?;
    let service = entities.routes.get(index)?.service;
    let all =
        || entities.plugins.iter().filter(|plugin| plugin.name == PLUGIN && plugin.scope.consumer.is_none());
    let of_route = all().find(|plugin| {
        plugin.scope.route.is_some_and(|route| route.0 == index) && plugin.scope.service.is_none()
    });
    let enabled = || all().filter(|plugin| plugin.enabled && plugin.scope.route.is_none());
    let of_service = || enabled().find(|plugin| service.is_some() && plugin.scope.service == service);
    let global = || enabled().find(|plugin| plugin.scope.service.is_none());
    of_route.or_else(of_service).or_else(global)
}

fn mapping(value: &Json) -> Mapping {
    Value::from(value).into_mapping().unwrap_or_default()
}
