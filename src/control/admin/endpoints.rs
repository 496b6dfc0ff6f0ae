//! `/endpoints`: the paths of the Admin API. (Kong: Admin API, "List available endpoints".)

use http::{Response, StatusCode};
use serde_json::json;

use super::{AdminApi, collections};
use crate::{body::Body, entity::DOCUMENT, reply, schema::FieldKind};

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
            "/plugins/enabled",
            "/plugins/schema/{name}",
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
        for field in DOCUMENT
            .iter()
            .filter(|field| collections::top(collections::segment(field.name, false)).is_some())
        {
            let entity_path = format!("/{}/{{{}}}", collections::segment(field.name, false), field.name);
            all.push(format!("/{}", collections::segment(field.name, false)));
            all.push(entity_path.clone());
            let FieldKind::Entities(entity, _) = field.kind else { continue };
            let entity = entity();
            for child in collections::entities() {
                let name = collections::segment(child.collection, entity.collection == "consumers");
                if collections::child(entity, name).is_some() {
                    all.push(format!("{entity_path}/{name}"));
                    all.push(format!("{entity_path}/{name}/{{{}}}", child.collection));
                }
            }
            for (field, _) in collections::foreign(entity) {
                if collections::parent(entity, field).is_some() {
                    all.push(format!("{entity_path}/{field}"));
                }
            }
        }
        all.sort();
        all.dedup();
        reply::json(StatusCode::OK, json!({ "data": all }).to_string())
    }
}
