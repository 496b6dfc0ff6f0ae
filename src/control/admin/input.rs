//! The body of a write: JSON, or a form of either kind, as a record. (Kong: Admin API, "Supported content types".)

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyDataStream, Full};
use tokio::runtime::Handle;

use super::{form, refusal::AdminRefusal};
use crate::{
    document::{Dialect, Mapping, Value},
    schema::{EntitySchema, PluginSchemas},
};

/// A body larger than this is refused: Kong's own limit for its Admin API is of that size.
pub(super) const MOST_BYTES: usize = 10 << 20;
/// More fields than this are refused, as at Kong.
const MOST_FIELDS: usize = 1000;

/// A body that was read.
#[derive(Clone, Debug)]
pub(super) enum RequestInput {
    /// A record, its values as they are.
    Json(Mapping),
    /// Names and texts, in their order.
    Form(Vec<(String, String)>),
}

impl Default for RequestInput {
    fn default() -> Self {
        Self::Json(Mapping::default())
    }
}

impl RequestInput {
    /// Reads the bytes of a body. It may take a while, and blocks.
    pub(super) fn parse(headers: &HeaderMap, bytes: &Bytes) -> Result<Self, AdminRefusal> {
        let declared = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let media_type = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "" if bytes.is_empty() => Ok(Self::default()),
            "application/json" => json(bytes),
            "application/x-www-form-urlencoded" => {
                fields(form_urlencoded::parse(bytes).into_owned().take(MOST_FIELDS + 1).collect())
            }
            "multipart/form-data" => fields(Handle::current().block_on(multipart(declared, bytes.clone()))?),
            _ => Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")),
        }
    }

    /// Whether it says something of this field.
    pub(super) fn names(&self, field: &str) -> bool {
        match self {
            Self::Json(record) => record.get(field).is_some(),
            Self::Form(pairs) => pairs.iter().any(|(name, _)| name == field),
        }
    }

    /// The record that it describes, as one of this entity.
    pub(super) fn record(
        &self,
        entity: &EntitySchema,
        plugins: &dyn PluginSchemas,
        plugin: Option<&str>,
    ) -> Mapping {
        match self {
            Self::Json(record) => record.clone(),
            Self::Form(pairs) => form::record(pairs.iter().cloned(), entity, plugins, plugin),
        }
    }
}

fn plain(status: StatusCode, message: &str) -> AdminRefusal {
    AdminRefusal::Plain(status, message.to_owned())
}

/// Whether JSON was not read because it has too many nodes.
pub(super) fn is_too_many(error: &serde_json::Error) -> bool {
    error.to_string().starts_with(&Dialect::Kong.too_many())
}

fn json(bytes: &Bytes) -> Result<RequestInput, AdminRefusal> {
    let broken = |error: serde_json::Error| {
        let too_many = Dialect::Kong.too_many();
        let message = if is_too_many(&error) { &too_many } else { "Cannot parse JSON body" };
        plain(StatusCode::BAD_REQUEST, message)
    };
    let value: Value = serde_json::from_slice(bytes).map_err(broken)?;
    match value {
        Value::Mapping(_) => Ok(RequestInput::Json(value.into_mapping().unwrap_or_default())),
        _ => Err(plain(StatusCode::BAD_REQUEST, "expected a JSON object")),
    }
}

fn fields(pairs: Vec<(String, String)>) -> Result<RequestInput, AdminRefusal> {
    if pairs.len() > MOST_FIELDS {
        return Err(plain(StatusCode::BAD_REQUEST, "Too many arguments"));
    }
    Ok(RequestInput::Form(pairs))
}

async fn multipart(declared: &str, bytes: Bytes) -> Result<Vec<(String, String)>, AdminRefusal> {
    let broken = |_| plain(StatusCode::BAD_REQUEST, "Cannot parse multipart body");
    let boundary = multer::parse_boundary(declared).map_err(broken)?;
    let mut parts = multer::Multipart::new(BodyDataStream::new(Full::new(bytes)), boundary);
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let text = part.bytes().await.map_err(broken)?;
        let text = String::from_utf8(text.to_vec())
            .map_err(|_| plain(StatusCode::BAD_REQUEST, "a field of the form is no text in UTF-8"))?;
        pairs.push((name, text));
        if pairs.len() > MOST_FIELDS {
            break;
        }
    }
    Ok(pairs)
}
