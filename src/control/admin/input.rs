//! Request bodies of writes: JSON or a form, read as a record. (Kong: Admin API, "Supported content types".)

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyDataStream, Full};
use tokio::runtime::Handle;

use super::{form, refusal::AdminRefusal};
use crate::{
    document::{Dialect, Mapping, Value},
    schema::{EntitySchema, PluginSchemas},
};

/// Largest body of a write, in bytes; Kong's limit for its Admin API.
pub(super) const MAX_RECORD_BYTES: usize = 10 << 20;
/// Largest number of form fields, as in Kong.
const MAX_FORM_FIELDS: usize = 1000;
/// Kong's message for a body that is not JSON.
pub(super) const INVALID_JSON_BODY: &str = "Cannot parse JSON body";

/// A parsed body.
#[derive(Clone, Debug)]
pub(super) enum RequestInput {
    /// A record with typed values.
    Json(Mapping),
    /// Form fields: names and texts, in order.
    Form(Vec<(String, String)>),
}

impl Default for RequestInput {
    fn default() -> Self {
        Self::Json(Mapping::default())
    }
}

impl RequestInput {
    /// Parses a body. Blocks, and may take long.
    pub(super) fn parse(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, AdminRefusal> {
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "" if bytes.is_empty() => Ok(Self::default()),
            "application/json" => parse_json(bytes),
            "application/x-www-form-urlencoded" => {
                form_input(form_urlencoded::parse(bytes).into_owned().take(MAX_FORM_FIELDS + 1).collect())
            }
            "multipart/form-data" => {
                form_input(Handle::current().block_on(parse_multipart(content_type, bytes.clone()))?)
            }
            _ => Err(AdminRefusal::status(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
        }
    }

    /// Whether the body has this field.
    pub(super) fn has_field(&self, field: &str) -> bool {
        match self {
            Self::Json(record) => record.get(field).is_some(),
            Self::Form(pairs) => pairs.iter().any(|(name, _)| name == field),
        }
    }

    /// The record for this entity.
    pub(super) fn to_record(
        &self,
        entity: &EntitySchema,
        plugins: &dyn PluginSchemas,
        plugin: Option<&str>,
    ) -> Mapping {
        match self {
            Self::Json(record) => record.clone(),
            Self::Form(pairs) => form::build_record(pairs.iter().cloned(), entity, plugins, plugin),
        }
    }
}

/// Whether JSON was refused because it has too many nodes.
pub(super) fn is_too_many(error: &serde_json::Error) -> bool {
    error.to_string().starts_with(&Dialect::Kong.too_many_nodes())
}

fn parse_json(bytes: &Bytes) -> Result<RequestInput, AdminRefusal> {
    let invalid = |error: serde_json::Error| {
        let too_many = Dialect::Kong.too_many_nodes();
        let message = if is_too_many(&error) { &too_many } else { INVALID_JSON_BODY };
        AdminRefusal::plain(StatusCode::BAD_REQUEST, message)
    };
    let value: Value = serde_json::from_slice(bytes).map_err(invalid)?;
    match value {
        Value::Mapping(_) => Ok(RequestInput::Json(value.into_mapping().unwrap_or_default())),
        _ => Err(AdminRefusal::plain(StatusCode::BAD_REQUEST, "expected a JSON object")),
    }
}

fn form_input(pairs: Vec<(String, String)>) -> Result<RequestInput, AdminRefusal> {
    if pairs.len() > MAX_FORM_FIELDS {
        return Err(AdminRefusal::plain(StatusCode::BAD_REQUEST, "Too many arguments"));
    }
    Ok(RequestInput::Form(pairs))
}

async fn parse_multipart(content_type: &str, bytes: Bytes) -> Result<Vec<(String, String)>, AdminRefusal> {
    let invalid = |_| AdminRefusal::plain(StatusCode::BAD_REQUEST, "Cannot parse multipart body");
    let boundary = multer::parse_boundary(content_type).map_err(invalid)?;
    let mut parts = multer::Multipart::new(BodyDataStream::new(Full::new(bytes)), boundary);
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(invalid)? {
        let name = part.name().unwrap_or_default().to_owned();
        let text = part.bytes().await.map_err(invalid)?;
        let text = String::from_utf8(text.to_vec())
            .map_err(|_| AdminRefusal::plain(StatusCode::BAD_REQUEST, "a form field is not UTF-8"))?;
        pairs.push((name, text));
        if pairs.len() > MAX_FORM_FIELDS {
            break;
        }
    }
    Ok(pairs)
}
