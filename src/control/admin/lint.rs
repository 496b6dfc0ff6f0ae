//! `/mynah/lint`: faults of an OpenAPI document that a client has sent, and what it describes.

use std::{
    fs,
    path::{Component, Path},
    sync::Arc,
};

use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{AdminApi, input::MAX_RECORD_BYTES, query::Query, refusal::AdminRefusal};
use crate::{
    body::Body,
    diag::SourceFile,
    document,
    openapi::{Api, LibraryLocation, Operation, StatusKey, lint_text},
    reply,
};

/// Name of a document without a path.
const UNNAMED: &str = "document";

impl AdminApi {
    /// Lints a document. Its references to other files start from its `path` in the folder of documents.
    pub(super) async fn lint(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let (head, body) = request.into_parts();
        let query = Query::new(head.uri.query().unwrap_or_default());
        let path = query.text("path").unwrap_or(UNNAMED).to_owned();
        let is_strict = query.flag("strict")?;
        if !Path::new(&path).components().all(|part| matches!(part, Component::Normal(_))) {
            let message = "path must be relative to the folder of documents, and must not contain `..`";
            return Err(AdminRefusal::plain(StatusCode::BAD_REQUEST, message));
        }
        let (text, _permit) = self.read_text(body, MAX_RECORD_BYTES).await?;
        self.run_read(move |admin| {
            let specs = admin.control.specs();
            // The document may not be saved yet, so its own path cannot be made absolute.
            let specs = fs::canonicalize(specs).unwrap_or_else(|_| specs.to_owned());
            let location = LibraryLocation::file(specs.join(&path), specs);
            let (report, api) = lint_text(&SourceFile::new(path, text), &location, is_strict);
            let (errors, warnings) = report.count();
            let answer = json!({
                "errors": errors,
                "warnings": warnings,
                "diagnostics": report.to_json(),
                "summary": api.as_ref().map(summary),
            });
            reply::json(StatusCode::OK, answer.to_string())
        })
        .await
    }
}

/// What a document describes.
fn summary(api: &Api) -> Value {
    let root = api.library.root().value;
    let info = |key: &str| root.get("info").and_then(|info| info.get(key)).map(Value::from);
    json!({
        "format": api.version.to_string(),
        "title": info("title"),
        "version": info("version"),
        "description": info("description"),
        "base_paths": api.base_paths,
        "operations": api.operations.iter().map(|operation| operation_entry(operation, &root)).collect::<Vec<_>>(),
    })
}

fn operation_entry(operation: &Operation, root: &document::Value) -> Value {
    let responses: Vec<Value> = operation
        .responses
        .iter()
        .map(|response| {
            let status = match response.status {
                StatusKey::Code(code) => code.to_string(),
                StatusKey::Range(digit) => format!("{digit}XX"),
                StatusKey::Default => "default".to_owned(),
            };
            json!({
                "status": status,
                "media_types": response.media.iter().map(|media| &*media.media_type).collect::<Vec<_>>(),
                "has_example": response.media.iter().any(|media| !media.examples.is_empty()),
            })
        })
        .collect();
    let declared = operation.path.find(root);
    json!({
        "method": operation.method.as_str(),
        "path": operation.template,
        "operation_id": operation.operation_id,
        "summary": declared.and_then(|declared| declared.get("summary")).map(Value::from),
        "tags": declared.and_then(|declared| declared.get("tags")).map(Value::from),
        "deprecated": operation.deprecated,
        "defect": operation.defect,
        "has_example": responses.iter().any(|response| response["has_example"] == true),
        "responses": responses,
    })
}
