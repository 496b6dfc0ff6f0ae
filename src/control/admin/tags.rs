//! `/tags`, `/endpoints` and `/plugins/enabled`: what there is, across all entities. (Kong: Admin API reference.)

use http::{Response, StatusCode};
use serde_json::json;

use super::{AdminApi, collections, pagination::ListQuery, refusal::AdminRefusal};
use crate::{
    body::Body,
    document::{Mapping, Value},
    entity::DOCUMENT,
    plugin, reply,
    schema::FieldKind,
};

impl AdminApi {
    /// Which entities have tags, or this one.
    pub(super) fn tags(
        &self,
        tag: Option<&str>,
        path: &str,
        query: &str,
    ) -> Result<Response<Body>, AdminRefusal> {
        let asked = ListQuery::read(query)?;
        let snapshot = self.control.live().current();
        let mut rows: Vec<Value> = Vec::new();
        for record in &snapshot.entities.records {
            let tags = record.value.get("tags").map(Value::items).unwrap_or_default();
            for (n, name) in
                tags.iter().enumerate().filter(|(_, it)| tag.is_none_or(|tag| it.as_str() == Some(tag)))
            {
                let row: Mapping = [
                    ("tag", name.clone()),
                    ("entity_name", record.collection().into()),
                    ("entity_id", record.id().into()),
                    // Only for the order of pages.
                    ("", format!("{} {n:04}", record.id()).into()),
                ]
                .into_iter()
                .collect();
                rows.push(row.into());
            }
        }
        rows.sort_by(|one, other| place(one).cmp(place(other)));
        Ok(asked.rows(&rows, path.strip_suffix('/').unwrap_or(path), tag.is_some(), place))
    }

    /// The patterns of all paths.
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
        let mut all: Vec<String> = fixed.iter().map(|it| (*it).to_owned()).collect();
        for field in
            DOCUMENT.iter().filter(|it| collections::top(collections::segment(it.name, false)).is_some())
        {
            let one = format!("/{}/{{{}}}", collections::segment(field.name, false), field.name);
            all.push(format!("/{}", collections::segment(field.name, false)));
            all.push(one.clone());
            let FieldKind::Entities(entity, _) = field.kind else { continue };
            let entity = entity();
            for child in collections::entities() {
                let name = collections::segment(child.collection, entity.collection == "consumers");
                if collections::child(entity, name).is_some() {
                    all.push(format!("{one}/{name}"));
                    all.push(format!("{one}/{name}/{{{}}}", child.collection));
                }
            }
            for (field, _) in collections::foreign(entity) {
                if collections::parent(entity, field).is_some() {
                    all.push(format!("{one}/{field}"));
                }
            }
        }
        all.sort();
        all.dedup();
        reply::json(StatusCode::OK, json!({ "data": all }).to_string())
    }

    /// The plugins that can be used.
    pub(super) fn enabled_plugins() -> Response<Body> {
        let names: Vec<&str> = plugin::ALL.iter().map(|def| def.name).collect();
        reply::json(StatusCode::OK, json!({ "enabled_plugins": names }).to_string())
    }
}

fn place(row: &Value) -> &str {
    row.get("").and_then(Value::as_str).unwrap_or_default()
}
