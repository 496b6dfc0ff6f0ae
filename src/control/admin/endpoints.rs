//! `/endpoints`: the paths of the Admin API. (Kong: Admin API, "List available endpoints".)

use http::{Response, StatusCode};
use serde_json::json;

use super::{AdminApi, collections};
use crate::{body::Body, entity, reply};

impl AdminApi {
    /// Lists the patterns of all paths.
    pub(super) fn endpoints() -> Response<Body> {
        let fixed = [
            "/",
            "/cache",
            "/cache/{key}",
            "/clustering/data-planes",
            "/clustering/status",
            "/config",
            "/debug/cluster/log-level/{log_level}",
            "/debug/explain",
            "/debug/node/log-level",
            "/debug/node/log-level/{log_level}",
            "/endpoints",
            "/metrics",
            "/mock/state",
            "/mynah/events",
            "/mynah/exchanges",
            "/mynah/exchanges/{number}",
            "/mynah/traffic",
            "/plugins/enabled",
            "/plugins/schema/{name}",
            "/proxy-cache",
            "/proxy-cache/{cache_key}",
            "/proxy-cache/{plugin_id}/caches/{cache_key}",
            "/schemas/plugins/validate",
            "/schemas/plugins/{name}",
            "/schemas/vaults/{name}",
            "/schemas/{db_entity_name}/validate",
            "/schemas/{name}",
            "/status",
            "/status/dns",
            "/tags",
            "/tags/{tags}",
            "/timers",
        ];
        let mut all: Vec<String> = fixed.iter().map(|path| (*path).to_owned()).collect();
        for entity in entity::kinds() {
            let Some(segment) = entity.endpoint.top else { continue };
            let entity_path = format!("/{segment}/{{{}}}", entity.collection);
            all.push(format!("/{segment}"));
            all.push(entity_path.clone());
            for (child, _) in collections::children(entity) {
                let name = child.endpoint.nested;
                all.push(format!("{entity_path}/{name}"));
                all.push(format!("{entity_path}/{name}/{{{}}}", child.collection));
            }
            for (field, _) in entity.references().filter(|_| entity.endpoint.has_parents) {
                all.push(format!("{entity_path}/{}", field.name));
            }
        }
        all.sort();
        all.dedup();
        reply::json(StatusCode::OK, json!({ "data": all }).to_string())
    }
}
