//! `/tags`: the tags of all entities. (Kong: Admin API, "Tags".)

use http::Response;

use super::{AdminApi, pagination::ListQuery, refusal::AdminRefusal};
use crate::{
    body::Body,
    document::{Mapping, Value},
    entity::TAGS,
};

impl AdminApi {
    /// Lists the tags of all entities, or the entities with this tag.
    pub(super) fn tags(
        &self,
        tag: Option<&str>,
        path: &str,
        query: &str,
    ) -> Result<Response<Body>, AdminRefusal> {
        let list_query = ListQuery::parse(query)?;
        let snapshot = self.control.live().current();
        let mut rows: Vec<Value> = Vec::new();
        for record in &snapshot.entities.records {
            let tags = record.value.get(TAGS.name).map(Value::items).unwrap_or_default();
            for (n, name) in
                tags.iter().enumerate().filter(|(_, name)| tag.is_none_or(|tag| name.as_str() == Some(tag)))
            {
                let row: Mapping = [
                    ("tag", name.clone()),
                    ("entity_name", record.collection().into()),
                    ("entity_id", record.id().into()),
                    // Sort key of the row, removed from the answer.
                    ("", format!("{} {n:04}", record.id()).into()),
                ]
                .into_iter()
                .collect();
                rows.push(row.into());
            }
        }
        rows.sort_by(|one, other| sort_key(one).cmp(sort_key(other)));
        Ok(list_query.answer_rows(&rows, path.strip_suffix('/').unwrap_or(path), tag.is_some(), sort_key))
    }
}

fn sort_key(row: &Value) -> &str {
    row.get("").and_then(Value::as_str).unwrap_or_default()
}
