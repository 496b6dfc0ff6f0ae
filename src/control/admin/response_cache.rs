//! `/proxy-cache`: the stored responses of the plugin `proxy-cache`. (Kong: Proxy Cache plugin, Admin API.)

use std::time::UNIX_EPOCH;

use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{AdminApi, not_found};
use crate::{
    body::Body,
    plugin::{CacheKey, StoredResponse},
    reply,
};

/// Version of the description of a stored response. (Kong: `version`.)
const VERSION: u32 = 1;

impl AdminApi {
    /// Shows or drops stored responses.
    pub(super) fn response_cache(&self, below: &[&str], method: &Method) -> Response<Body> {
        let snapshot = self.control.live().current();
        let cache = &snapshot.resources().responses;
        let (plugin, key) = match below {
            [] => {
                cache.purge_all();
                return reply::empty(StatusCode::NO_CONTENT);
            }
            [key] => (None, *key),
            [plugin, _, key] => {
                let id = Uuid::parse_str(plugin).ok();
                let entry = snapshot.entities.plugins.iter().find(|entry| Some(entry.id) == id);
                match entry {
                    Some(entry) => (Some(entry.id), *key),
                    None => return not_found(),
                }
            }
            _ => return not_found(),
        };
        let Some(key) = CacheKey::parse(key) else { return not_found() };
        if *method == Method::DELETE {
            let is_dropped = cache.purge(plugin, key);
            return if is_dropped { reply::empty(StatusCode::NO_CONTENT) } else { not_found() };
        }
        match cache.find(plugin, key) {
            Some(stored) => reply::json(StatusCode::OK, describe(&stored).to_string()),
            None => not_found(),
        }
    }
}

/// A stored response with Kong's names. Bytes of the body that are not text are replaced.
fn describe(stored: &StoredResponse) -> Value {
    let stored_at = stored.stored_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "version": VERSION,
        "status": stored.status.as_u16(),
        "headers": describe_fields(&stored.headers),
        "body": String::from_utf8_lossy(&stored.body),
        "body_len": stored.body.len(),
        "timestamp": stored_at.as_secs(),
        "ttl": stored.ttl.as_secs(),
    })
}

fn describe_fields(fields: &HeaderMap) -> Map<String, Value> {
    let describe = |name: &http::HeaderName| {
        let mut values: Vec<Value> = fields
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned().into())
            .collect();
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        (name.to_string(), value)
    };
    fields.keys().map(describe).collect()
}
