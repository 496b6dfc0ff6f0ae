//! `GET` and `POST /config`: export and import of the declarative configuration as a text. (Kong: Admin API,
//! "Declarative configuration".)

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyDataStream, Full};
use serde_json::json;
use tokio::runtime::Handle;

use super::{
    AdminApi,
    input::{INVALID_JSON_BODY, is_too_many},
    query::Query,
    refusal::AdminRefusal,
    upload::Upload,
};
use crate::{
    body::Body,
    config::{self, DeclarativeFormat, refusal},
    control::PostError,
    diag::SourceFile,
    document::{Dialect, Mapping, Value},
    entity::{
        self, Entities, EntityRecord, ID,
        document::{FORMAT_VERSION, TRANSFORM},
    },
    reply,
};

/// Largest body of `POST /config`, in bytes.
pub(super) const MAX_CONFIG_BODY_BYTES: usize = 64 << 20;

impl AdminApi {
    /// Exports the running configuration as YAML, complete: defaults filled in, `~` for unset fields, references by
    /// id.
    pub(super) fn config(&self) -> Response<Body> {
        let snapshot = self.control.live().current();
        reply::json(
            StatusCode::OK,
            json!({ "config": export_document(&snapshot.entities).to_yaml() }).to_string(),
        )
    }

    /// Loads the configuration in the body, if it can be used.
    pub(super) async fn post_config(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().to_owned();
        match Query::new(&query).dry_run() {
            Ok(false) => (),
            Ok(true) => {
                return reply::message(StatusCode::BAD_REQUEST, "POST /mynah/check tries a configuration");
            }
            Err(refusal) => return refusal.answer(),
        }
        let Upload { bytes, permit: _permit } = match self.uploads.read(body, MAX_CONFIG_BODY_BYTES).await {
            Ok(upload) => upload,
            Err(refusal) => return refusal.answer(),
        };
        let read = self.run_read(move |_| {
            let source = SourceFile::new("POST /config", config_text(&head.headers, bytes)?);
            Ok((config::hash(source.text.as_bytes()), source))
        });
        let (hash, source) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(unreadable)) => return UnreadableConfig::answer(&unreadable),
            Err(refusal) => return refusal.answer(),
        };
        if has_argument(&query, "check_hash", &["1"]) && hash == self.control.live().current().hash {
            return reply::empty(StatusCode::NOT_MODIFIED);
        }
        let loaded = self.run_write_until_finished(move |admin| admin.load_config(&source, &query)).await;
        loaded.unwrap_or_else(AdminRefusal::answer)
    }

    fn load_config(&self, source: &Arc<SourceFile>, query: &str) -> Result<Response<Body>, AdminRefusal> {
        match self.control.load_in_memory(source, DeclarativeFormat::Kong) {
            Ok(loaded) => {
                tracing::info!("the Admin API loaded a configuration: {}", loaded.changes);
                Ok(reply::json(StatusCode::CREATED, entities_by_id(&loaded.snapshot.entities).to_json()))
            }
            Err(PostError::Unfinished(report)) => Err(AdminRefusal::FileUnfinished(report.summary())),
            Err(PostError::Refused(report)) => {
                tracing::warn!("the Admin API refused a configuration: {}", report.summary());
                let flatten = has_argument(query, "flatten_errors", &["1", "true", "on", "yes"]);
                let mut object = error_object(refusal(source, &report, &self.plugins(), flatten));
                if has_argument(query, "diagnostics", &["1"]) {
                    // An extension of mynah: diagnostics with help, lines and columns.
                    object.insert("diagnostics", Value::from(&report.to_json()));
                }
                Ok(reply::json(StatusCode::BAD_REQUEST, Value::from(object).to_json()))
            }
        }
    }
}

/// Whether a query argument has one of these values.
fn has_argument(query: &str, name: &str, values: &[&str]) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == name && values.contains(&&*value))
}

/// A body without a configuration.
enum UnreadableConfig {
    /// It contains something else.
    Other,
    /// It is declared as JSON, and is not.
    Json,
    /// It has too many nodes.
    TooMany,
    /// Its media type is not supported.
    MediaType,
}

impl UnreadableConfig {
    fn answer(&self) -> Response<Body> {
        let (status, message) = match self {
            Self::TooMany => {
                return reply::message(StatusCode::BAD_REQUEST, &Dialect::Kong.too_many_nodes());
            }
            Self::Other => (StatusCode::BAD_REQUEST, "expected a declarative configuration"),
            Self::Json => (StatusCode::BAD_REQUEST, INVALID_JSON_BODY),
            Self::MediaType => return AdminRefusal::status(StatusCode::UNSUPPORTED_MEDIA_TYPE).answer(),
        };
        reply::message(status, message)
    }
}

/// The configuration text in a body, in any of the supported media types.
fn config_text(headers: &HeaderMap, bytes: Bytes) -> Result<String, UnreadableConfig> {
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let plain = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| UnreadableConfig::Other);
    match media_type.as_str() {
        "application/json" => {
            let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
                if is_too_many(&error) { UnreadableConfig::TooMany } else { UnreadableConfig::Json }
            })?;
            match value.get("config").and_then(Value::as_str) {
                Some(config) => Ok(config.to_owned()),
                None if value.as_mapping().is_some() => plain(&bytes),
                None => Err(UnreadableConfig::Other),
            }
        }
        "text/yaml" | "application/yaml" => plain(&bytes),
        "application/x-www-form-urlencoded" => {
            let field = form_urlencoded::parse(&bytes).find(|(key, _)| key == "config");
            field.map(|(_, value)| value.into_owned()).ok_or(UnreadableConfig::Other)
        }
        "multipart/form-data" => {
            Handle::current().block_on(multipart(declared, bytes)).ok_or(UnreadableConfig::Other)
        }
        "" if bytes.is_empty() => Err(UnreadableConfig::Other),
        _ => Err(UnreadableConfig::MediaType),
    }
}

async fn multipart(declared: &str, bytes: Bytes) -> Option<String> {
    let boundary = multer::parse_boundary(declared).ok()?;
    let mut parts = multer::Multipart::new(BodyDataStream::new(Full::new(bytes)), boundary);
    while let Ok(Some(part)) = parts.next_field().await {
        if part.name() == Some("config") {
            return part.text().await.ok();
        }
    }
    None
}

/// Kong's error object for an invalid configuration.
fn error_object(refusal: config::RefusedDocument) -> Mapping {
    let mut text: Mapping = [
        ("code", Value::from(14)),
        ("name", Value::from("invalid declarative configuration")),
        ("message", Value::from(refusal.message)),
        ("fields", refusal.fields),
    ]
    .into_iter()
    .collect();
    if let Some(flattened) = refusal.flattened {
        text.insert("flattened_errors", flattened);
    }
    text
}

/// The collections with entities and their records, in Kong's order.
fn non_empty_collections(entities: &Entities) -> impl Iterator<Item = (&'static str, Vec<&EntityRecord>)> {
    entity::kinds().filter_map(|entity| {
        let own = entities.records.iter().filter(|record| record.entity == entity);
        let records: Vec<&EntityRecord> = own.collect();
        (!records.is_empty()).then_some((entity.collection, records))
    })
}

fn entities_by_id(entities: &Entities) -> Value {
    let mut all = Mapping::default();
    for (name, records) in non_empty_collections(entities) {
        let keyed = records.into_iter().map(|record| (record.id().to_owned(), record.value.clone()));
        all.insert(name, keyed.collect::<Mapping>());
    }
    all.into()
}

/// A document of all entities, which can be loaded again.
fn export_document(entities: &Entities) -> Value {
    let mut document: Mapping =
        [(FORMAT_VERSION.name, Value::from("3.0")), (TRANSFORM.name, Value::from(false))]
            .into_iter()
            .collect();
    for (name, records) in non_empty_collections(entities) {
        document.insert(name, records.into_iter().map(flatten_references).collect::<Vec<_>>());
    }
    document.into()
}

/// A record with its references by id, as in a file.
fn flatten_references(record: &EntityRecord) -> Value {
    let is_reference = |key: &str| record.entity.references().any(|(field, _)| field.name == key);
    let fields = record.value.entries().map(|(key, value)| {
        let id = value.get(ID.name).filter(|_| is_reference(key));
        (key.to_owned(), id.unwrap_or(value).clone())
    });
    fields.collect::<Mapping>().into()
}
