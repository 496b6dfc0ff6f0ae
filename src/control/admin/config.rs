//! `GET` and `POST /config`: the declarative configuration as a text, out and in.
//! (Kong: Admin API, "Declarative configuration".)

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyDataStream, Full};
use serde_json::json;
use tokio::runtime::Handle;

use super::{
    AdminApi,
    input::is_too_many,
    refusal::AdminRefusal,
    upload::Upload,
    write::{PATIENCE, PAUSE},
};
use crate::{
    body::Body,
    config::{self, DeclarativeFormat, refusal},
    control::PostError,
    diag::SourceFile,
    document::{Dialect, Mapping, Value},
    entity::{Entities, EntityRecord},
    reply,
    schema::FieldKind,
};

/// A body larger than this is refused.
const MOST_BYTES: usize = 64 << 20;

impl AdminApi {
    /// The running configuration as YAML, complete: defaults filled in, `~` where nothing is set, references by id.
    pub(super) fn config(&self) -> Response<Body> {
        let snapshot = self.control.live().current();
        reply::json(StatusCode::OK, json!({ "config": export(&snapshot.entities).to_yaml() }).to_string())
    }

    /// Makes the configuration in the body current, if it can be.
    pub(super) async fn post_config(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let Upload { bytes, room: _room } = match self.uploads.read(body, MOST_BYTES).await {
            Ok(upload) => upload,
            Err(refusal) => return refusal.answer(),
        };
        let read = self.beside(move |_| {
            let source = SourceFile::new("POST /config", text(&head.headers, bytes)?);
            Ok((config::hash(source.text.as_bytes()), source))
        });
        let (hash, source) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(refused)) => return UnreadableConfig::answer(&refused),
            Err(refusal) => return refusal.answer(),
        };
        if asked(&query, "check_hash", &["1"]) && hash == self.control.live().current().hash {
            return reply::empty(StatusCode::NOT_MODIFIED);
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let (query, source) = (query.clone(), source.clone());
            match self.in_turn(move |admin| admin.post(&source, &query)).await {
                Ok(Err(AdminRefusal::Unfinished(_))) if Instant::now() < end => {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(answer) => return answer.unwrap_or_else(AdminRefusal::answer),
                Err(refusal) => return refusal.answer(),
            }
        }
    }

    fn post(&self, source: &Arc<SourceFile>, query: &str) -> Result<Response<Body>, AdminRefusal> {
        match self.control.post(source, DeclarativeFormat::Kong) {
            Ok(loaded) => {
                tracing::info!("the Admin API loaded a configuration: {}", loaded.changes);
                Ok(reply::json(StatusCode::CREATED, by_id(&loaded.snapshot.entities).to_json()))
            }
            Err(PostError::Unfinished(report)) => Err(AdminRefusal::Unfinished(report.summary())),
            Err(PostError::Refused(report)) => {
                tracing::warn!(
                    "the Admin API was given a configuration that cannot be used: {}",
                    report.summary()
                );
                let flatten = asked(query, "flatten_errors", &["1", "true", "on", "yes"]);
                let mut text = refused(refusal(source, &report, &self.plugins(), flatten));
                if asked(query, "diagnostics", &["1"]) {
                    // ours: with help, and with lines and columns.
                    text.insert("diagnostics", Value::from(&report.to_json()));
                }
                Ok(reply::json(StatusCode::BAD_REQUEST, Value::from(text).to_json()))
            }
        }
    }
}

/// Whether an argument of the query has one of these values.
fn asked(query: &str, name: &str, yes: &[&str]) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == name && yes.contains(&&*value))
}

/// A body that holds no configuration.
enum UnreadableConfig {
    /// It holds something else.
    Nothing,
    /// It says that it is JSON, and is not.
    Json,
    /// It has too many nodes.
    TooMany,
    /// It is of a type that holds none.
    MediaType,
}

impl UnreadableConfig {
    fn answer(&self) -> Response<Body> {
        let (status, message) = match self {
            Self::TooMany => {
                return reply::message(StatusCode::BAD_REQUEST, &Dialect::Kong.too_many());
            }
            Self::Nothing => (StatusCode::BAD_REQUEST, "expected a declarative configuration"),
            Self::Json => (StatusCode::BAD_REQUEST, "Cannot parse JSON body"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
        };
        reply::message(status, message)
    }
}

/// The configuration that a body holds, whatever way it is sent.
fn text(headers: &HeaderMap, bytes: Bytes) -> Result<String, UnreadableConfig> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let plain = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| UnreadableConfig::Nothing);
    match media_type.as_str() {
        "application/json" => {
            let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
                if is_too_many(&error) { UnreadableConfig::TooMany } else { UnreadableConfig::Json }
            })?;
            match value.get("config").and_then(Value::as_str) {
                Some(config) => Ok(config.to_owned()),
                None if value.as_mapping().is_some() => plain(&bytes),
                None => Err(UnreadableConfig::Nothing),
            }
        }
        "text/yaml" | "application/yaml" => plain(&bytes),
        "application/x-www-form-urlencoded" => {
            let field = form_urlencoded::parse(&bytes).find(|(key, _)| key == "config");
            field.map(|(_, value)| value.into_owned()).ok_or(UnreadableConfig::Nothing)
        }
        "multipart/form-data" => {
            Handle::current().block_on(multipart(declared, bytes)).ok_or(UnreadableConfig::Nothing)
        }
        "" if bytes.is_empty() => Err(UnreadableConfig::Nothing),
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

/// Kong's error object.
fn refused(refusal: config::RefusedDocument) -> Mapping {
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

/// The collections that hold something, with their records, in Kong's order.
fn collections(entities: &Entities) -> impl Iterator<Item = (&'static str, Vec<&EntityRecord>)> {
    super::collections::entities().filter_map(|entity| {
        let these = entities.records.iter().filter(|it| it.collection() == entity.collection);
        let records: Vec<&EntityRecord> = these.collect();
        (!records.is_empty()).then_some((entity.collection, records))
    })
}

fn by_id(entities: &Entities) -> Value {
    let mut all = Mapping::default();
    for (name, records) in collections(entities) {
        let keyed = records.into_iter().map(|it| (it.id().to_owned(), it.value.clone()));
        all.insert(name, keyed.collect::<Mapping>());
    }
    all.into()
}

/// A document that says all that is declared, and can be loaded again.
fn export(entities: &Entities) -> Value {
    let mut document: Mapping =
        [("_format_version", Value::from("3.0")), ("_transform", Value::from(false))].into_iter().collect();
    for (name, records) in collections(entities) {
        document.insert(name, records.into_iter().map(flat).collect::<Vec<_>>());
    }
    document.into()
}

/// A record with its references by id, as a file has them.
fn flat(record: &EntityRecord) -> Value {
    let is_reference = |key: &str| {
        record.entity.fields.iter().any(|it| it.name == key && matches!(it.kind, FieldKind::Foreign(_)))
    };
    let flat = record.value.entries().map(|(key, value)| {
        let id = value.get("id").filter(|_| is_reference(key));
        (key.to_owned(), id.unwrap_or(value).clone())
    });
    flat.collect::<Mapping>().into()
}
